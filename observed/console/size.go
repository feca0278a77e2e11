package console

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lightd/observed"
	"lightd/observed/blueprint"
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
	h := in.hub
	run := h.c.cfg.Targets.Get(h.id).Run
	if run != nil && !run.TTY {
		return fmt.Errorf("resize terminal of %q: %w", h.id, ErrNoTerminal)
	}
	h.mu.Lock()
	h.size, h.sizer = s, in
	if run.Running() {
		h.sized = lifeOf(run)
	}
	h.mu.Unlock()
	if !run.Running() || h.c.sizeIsDue(h.id) {
		return nil
	}
	if rest := sizeDelay - time.Since(run.StartedAt); rest > 0 {
		h.c.sizeAfter(min(rest, sizeDelay), h.id, run.ContainerID)
		return nil
	}
	if err := h.c.applySize(ctx, h.id, run.ContainerID); err != nil && h.c.cfg.Targets.Get(h.id).Run.Running() {
		return fmt.Errorf("resize terminal of %q: %w", h.id, err)
	}
	return nil
}

// applySize makes a terminal as large as a client has requested last, else of the default size.
func (c *Console) applySize(ctx context.Context, id, containerID string) error {
	if c.cfg.Resize == nil {
		return nil
	}
	size := defaultSize
	if h := c.known(id); h != nil {
		h.sizing.Lock()
		defer h.sizing.Unlock()
		h.mu.Lock()
		if h.sizer != nil {
			size = h.size
		}
		h.mu.Unlock()
	}
	return c.cfg.Resize(ctx, containerID, size)
}

// Started is called right after container t of id was started: its terminal gets a size. It
// does not wait for that.
func (c *Console) Started(id string, t Target) {
	if t.TTY {
		c.sizeAfter(sizeDelay, id, t.ContainerID)
	}
}

// sizeAfter sets the size of a terminal after a while, and no longer for a run before. A process
// that has ended needs no size.
func (c *Console) sizeAfter(d time.Duration, id, containerID string) {
	ctx, cancel := context.WithCancel(c.ctx)
	c.mu.Lock()
	if c.sizes == nil {
		c.sizes = map[string]*pendingSize{}
	}
	pending := &pendingSize{cancel}
	if before := c.sizes[id]; before != nil {
		before.cancel()
	}
	c.sizes[id] = pending
	c.mu.Unlock()
	started := c.goes(func() {
		defer cancel()
		sleep(ctx, d)
		due := ctx.Err() == nil
		c.mu.Lock()
		if c.sizes[id] == pending {
			delete(c.sizes, id)
		}
		c.mu.Unlock()
		if !due {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, resizeTime)
		defer cancel()
		if err := c.applySize(ctx, id, containerID); err != nil {
			c.cfg.Log.Debug("cannot resize terminal", "id", id, "container", containerID, "error", err)
		}
	})
	if !started {
		cancel()
	}
}

// pendingSize is a size that a terminal gets a moment after its start.
type pendingSize struct{ cancel context.CancelFunc }

// sizeIsDue reports whether a terminal gets its size in a moment.
func (c *Console) sizeIsDue(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sizes[id] != nil
}

// settleSize gives a run that was started by whom ever the size that a client has set.
func (h *hub) settleSize(s observed.Snapshot) {
	run := s.Run
	if h.sizer == nil || !run.Running() || !run.TTY || h.sized.is(lifeOf(run)) {
		return
	}
	h.sized = lifeOf(run)
	h.c.sizeAfter(sizeDelay, h.id, run.ContainerID)
}
