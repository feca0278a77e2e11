package console

import (
	"context"
	"fmt"
	"io"
	"time"

	"lightd/observed/streams"
)

// prepareTime bounds Prepare.
const prepareTime = 5 * time.Second

// Prepare is called right before container t of id is started. When its output is needed,
// Prepare returns once the output stream is open, so that the first byte is not
// missed; it takes at most 5 s. After an error output is followed from the moment the container is
// observed running, and a pattern is searched in the log.
func (c *Console) Prepare(ctx context.Context, id string, t streams.Target) error {
	h := c.get(id)
	if h == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, prepareTime)
	defer cancel()
	old, needed := h.beginPrepare(t)
	if !needed {
		return nil
	}
	// A stream that is still there belongs to a run that is over. What it holds comes
	// before the output of the run to come.
	if old != nil {
		timer := time.NewTimer(drainTime)
		select {
		case <-old.Done():
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		old.Cancel()
	}
	s := h.openPrepared(t)
	select {
	case <-s.Up():
	case <-s.Done():
	case <-ctx.Done():
	}
	return h.endPrepare(s)
}

// beginPrepare takes the present stream out of the way and returns it. Nothing is to be prepared where somebody else
// was observed to have started the container meanwhile: the present stream has the output of that run.
func (h *hub) beginPrepare(t streams.Target) (old *streams.Stream, needed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if streams.Find(h.c.cfg.Targets.Get(h.id), t.ContainerID).Running() {
		return nil, false
	}
	h.prepared = &prepared{Target: t, at: time.Now()}
	h.c.cfg.Tap.Preparing(h.id, t)
	if !h.needsLocked(t) {
		return nil, false
	}
	h.preparing = true
	if old = h.output.Detach(); old == nil {
		old, h.draining = h.draining, nil
	}
	h.output.ResetBackoff()
	return old, true
}

func (h *hub) openPrepared(t streams.Target) *streams.Stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.output.Open(streams.Run{Target: t})
	s.BeforeStart = true
	return s
}

func (h *hub) endPrepare(s *streams.Stream) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.preparing = false
	if h.output.Current() == s && s.IsOpen() {
		h.c.cfg.Tap.Following(h.id, &streams.Run{Target: s.Target, StartedAt: s.StartedAt}, true)
		h.reconcileLocked() // the need may be gone
		return nil
	}
	h.prepared = nil
	s.Cancel()
	h.reconcileLocked()
	select {
	case <-s.Done():
		if s.Err() != nil {
			return fmt.Errorf("attach to container %s before its start: %w", s.ContainerID, s.Err())
		}
		return fmt.Errorf("attach to container %s before its start: %w", s.ContainerID, io.ErrUnexpectedEOF)
	default:
		return fmt.Errorf("attach to container %s before its start: %w", s.ContainerID, context.DeadlineExceeded)
	}
}

// AwaitOpen returns once subscribers of id get what is printed from then on: when the output stream that they need is
// open, or cannot be opened now, in which case the log has what is printed meanwhile. It returns when ctx ends.
func (c *Console) AwaitOpen(ctx context.Context, id string) {
	h := c.get(id)
	if h == nil {
		return
	}
	h.Reconcile() // the observation may be news here
	h.mu.Lock()
	s := h.output.Current()
	h.mu.Unlock()
	if s == nil {
		return
	}
	select {
	case <-s.Up():
	case <-s.Done():
	case <-ctx.Done():
	}
}
