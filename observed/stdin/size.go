package stdin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/streams"
)

// ErrNoTerminal: the container was made without a terminal.
var ErrNoTerminal = errors.New("container has no terminal")

// MaxSize bounds the columns and the rows of a terminal.
const MaxSize = 1000

// Size is how large a terminal is, in characters.
type Size struct{ Cols, Rows int }

// Valid reports whether a terminal can be of that size.
func (s Size) Valid() bool {
	return s.Cols >= 1 && s.Cols <= MaxSize && s.Rows >= 1 && s.Rows <= MaxSize
}

// defaultSize is what a terminal has until a client sets another; Docker 20.10 leaves it at 0 by 0.
var defaultSize = Size{Cols: blueprint.TerminalCols, Rows: blueprint.TerminalRows}

// sizeDelay is how long after a start a terminal gets its size. That is a SIGWINCH, which the init
// process of the container forwards, and warns in the output where its child is not there yet.
// Docker 20.10 cannot set the size before the start; later releases have it from the creation.
const sizeDelay = time.Second

// resizeTime bounds a resize that nobody waits for.
const resizeTime = 5 * time.Second

// Resize makes the terminal of the runtime container so large, now, and again after each start
// while in is open. Of several clients the last one counts. A run that has just begun gets its size
// a moment later.
func (in *Input) Resize(ctx context.Context, s Size) error {
	i := in.to
	run := i.r.cfg.Targets.Get(i.id).Run
	if run != nil && !run.TTY {
		return fmt.Errorf("resize terminal of %q: %w", i.id, ErrNoTerminal)
	}
	i.mu.Lock()
	i.size, i.sizer = s, in
	if run.Running() {
		i.sized = streams.RunOf(run)
	}
	i.mu.Unlock()
	if !run.Running() || i.r.sizeIsDue(i.id) {
		return nil
	}
	if rest := sizeDelay - time.Since(run.StartedAt); rest > 0 {
		i.r.sizeAfter(min(rest, sizeDelay), i.id, run.ContainerID)
		return nil
	}
	if err := i.r.applySize(ctx, i.id, run.ContainerID); err != nil && i.r.cfg.Targets.Get(i.id).Run.Running() {
		return fmt.Errorf("resize terminal of %q: %w", i.id, err)
	}
	return nil
}

// applySize makes a terminal as large as a client has requested last, else of the default size.
func (r *Registry) applySize(ctx context.Context, id, containerID string) error {
	size := defaultSize
	if i := r.get(id); i != nil {
		i.sizing.Lock()
		defer i.sizing.Unlock()
		i.mu.Lock()
		if i.sizer != nil {
			size = i.size
		}
		i.mu.Unlock()
	}
	return r.cfg.Source.Resize(ctx, containerID, size.Cols, size.Rows)
}

// Started is called right after container t of id was started: its terminal gets a size. It
// does not wait for that.
func (r *Registry) Started(id string, t streams.Target) {
	if t.TTY {
		r.sizeAfter(sizeDelay, id, t.ContainerID)
	}
}

// sizeAfter sets the size of a terminal after a while, and no longer for a run before. A process
// that has ended needs no size.
func (r *Registry) sizeAfter(d time.Duration, id, containerID string) {
	ctx, cancel := context.WithCancel(r.group.Context())
	r.mu.Lock()
	pending := &pendingSize{cancel}
	if before := r.sizes[id]; before != nil {
		before.cancel()
	}
	r.sizes[id] = pending
	r.mu.Unlock()
	started := r.group.Go(func() {
		defer cancel()
		streams.Sleep(ctx, d)
		due := ctx.Err() == nil
		r.mu.Lock()
		if r.sizes[id] == pending {
			delete(r.sizes, id)
		}
		r.mu.Unlock()
		if !due {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, resizeTime)
		defer cancel()
		if err := r.applySize(ctx, id, containerID); err != nil {
			r.cfg.Log.Debug("cannot resize terminal", "container", id, "docker_id", containerID, "error", err)
		}
	})
	if !started {
		cancel()
	}
}

// pendingSize is a size that a terminal gets a moment after its start.
type pendingSize struct{ cancel context.CancelFunc }

// sizeIsDue reports whether a terminal gets its size in a moment.
func (r *Registry) sizeIsDue(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sizes[id] != nil
}

// reconcileSizeLocked gives a run that was started by whom ever the size that a client has set.
func (i *input) reconcileSizeLocked(s observed.Snapshot) {
	run := s.Run
	if i.sizer == nil || !run.Running() || !run.TTY || i.sized.Equal(streams.RunOf(run)) {
		return
	}
	i.sized = streams.RunOf(run)
	i.r.sizeAfter(sizeDelay, i.id, run.ContainerID)
}
