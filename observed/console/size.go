package console

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lightd/observed"
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

// defaultSize is what a terminal has until a client sets another; Docker leaves it at 0 by 0.
var defaultSize = Size{Cols: 80, Rows: 24}

// resizeTime bounds a resize that nobody waits for.
const resizeTime = 5 * time.Second

// Resize makes the terminal of the runtime container so large, now, and again after each start
// while in is open. Of several clients the last one counts.
func (in *Input) Resize(ctx context.Context, s Size) error {
	h := in.hub
	run := h.c.cfg.Targets.Get(h.id).Run
	if run != nil && !run.TTY {
		return fmt.Errorf("resize terminal of %q: %w", h.id, ErrNoTerminal)
	}
	h.mu.Lock()
	h.size, h.sizer = s, in
	if run.Up() {
		h.sized = lifeOf(run)
	}
	h.mu.Unlock()
	if !run.Up() {
		return nil
	}
	if err := h.applySize(ctx, run.ContainerID); err != nil && h.c.cfg.Targets.Get(h.id).Run.Up() {
		return fmt.Errorf("resize terminal of %q: %w", h.id, err)
	}
	return nil
}

// applySize makes the terminal as large as was asked for last.
func (h *hub) applySize(ctx context.Context, containerID string) error {
	h.sizing.Lock()
	defer h.sizing.Unlock()
	h.mu.Lock()
	size := h.size
	h.mu.Unlock()
	return h.c.resize(ctx, containerID, size)
}

func (c *Console) resize(ctx context.Context, containerID string, s Size) error {
	if c.cfg.Resize == nil {
		return nil
	}
	return c.cfg.Resize(ctx, containerID, s)
}

// Started is called right after container t of id was started: its terminal gets a size. It
// does not wait for that.
func (c *Console) Started(id string, t Target) {
	if !t.TTY {
		return
	}
	apply := func(ctx context.Context, containerID string) error { return c.resize(ctx, containerID, defaultSize) }
	if h := c.known(id); h != nil {
		h.mu.Lock()
		if h.sizer != nil {
			apply = h.applySize
		}
		h.mu.Unlock()
	}
	c.sizeLater(id, t, apply)
}

// sizeLater calls apply in the background. A process that has ended already needs no size.
func (c *Console) sizeLater(id string, t Target, apply func(context.Context, string) error) {
	c.goes(func() {
		ctx, cancel := context.WithTimeout(c.ctx, resizeTime)
		defer cancel()
		if err := apply(ctx, t.ContainerID); err != nil {
			c.cfg.Log.Debug("cannot resize terminal", "id", id, "container", t.ContainerID, "error", err)
		}
	})
}

// settleSize gives a run that was started by whom ever the size that a client has set.
func (h *hub) settleSize(s observed.Snapshot) {
	run := s.Run
	if h.sizer == nil || !run.Up() || !run.TTY || h.sized.is(lifeOf(run)) {
		return
	}
	h.sized = lifeOf(run)
	h.c.sizeLater(h.id, targetOf(run), h.applySize)
}
