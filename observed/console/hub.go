package console

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"lightd/observed"
	"lightd/observed/streams"
)

const (
	// prepareTime bounds Prepare.
	prepareTime = 5 * time.Second
	// drainTime is how long the stream of a run that is over may take to hand out the
	// rest of its output.
	drainTime = time.Second
	// lingerTime is how long output is still followed after its last subscriber has left, who
	// may be on the way back.
	lingerTime = 10 * time.Second
)

// hub holds what is open for one id.
type hub struct {
	c     *Console
	id    string
	users int // under the console's lock

	mu   sync.Mutex
	kept bool // holds a use of its own, until Forget

	subs      map[*Subscription]struct{}
	room      chan struct{} // capacity 1: the queue of a subscription is no longer full
	text      batcher
	ring      ring
	recorded  time.Time     // since when text is followed; zero: it is not
	linger    *time.Timer   // runs after the last subscriber has left
	replaying bool          // what the stream reads waits for what was missed before it
	ended     *ending       // of the last stream, until it is followed by something
	closing   chan struct{} // while the rest of an ended run is read; closed then
	output    *streams.Reconnector
	draining  *streams.Stream // the last output stream that is no longer current
	prepared  *prepared       // the start that is about to happen
	preparing bool            // Prepare opens the stream itself
}

// prepared is a container that is about to be started.
type prepared struct {
	streams.Target
	at time.Time
}

func newHub(c *Console, id string) *hub {
	h := &hub{
		c: c, id: id,
		subs: make(map[*Subscription]struct{}),
		room: make(chan struct{}, 1),
	}
	h.text.to = h
	h.output = streams.NewReconnector(c.group, &h.mu, h)
	return h
}

// keep holds the hub until Forget. The caller has the lock and a use of the hub; it
// reports whether that use was taken over, and must not be released.
func (h *hub) keep() bool {
	if h.kept {
		return false
	}
	h.kept = true
	return true
}

// forget drops everything but the subscriptions.
func (h *hub) forget() {
	h.mu.Lock()
	lingered := h.endLinger()
	release := h.kept
	h.kept = false
	h.prepared = nil
	h.reconcileLocked()
	h.mu.Unlock()
	for _, use := range []bool{release, lingered} {
		if use {
			h.c.release(h)
		}
	}
}

// stop ends the timers and streams of a hub that nobody uses any more.
func (h *hub) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text.stop()
	_ = h.endLinger() // all uses have ended
	h.output.Stop()
}

// Reconcile opens and closes the stream as the observation demands.
func (h *hub) Reconcile() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reconcileLocked()
}

func (h *hub) reconcileLocked() {
	if h.c.group.Context().Err() != nil {
		return
	}
	h.reconcileOutputLocked(h.c.cfg.Targets.Get(h.id))
}

// hasSubscribers reports whether there are subscribers, or were a moment ago.
func (h *hub) hasSubscribers() bool { return len(h.subs) > 0 || h.linger != nil }

// needs reports whether anybody wants the output of t.
func (h *hub) needs(t streams.Target) bool {
	return h.hasSubscribers() || h.c.cfg.Tap.Needs(h.id, t)
}

func (h *hub) reconcileOutputLocked(s observed.Snapshot) {
	if h.preparing {
		return
	}
	h.dropStalePrepared(s)
	cur := h.output.Current()
	want, ok := h.wanted(s)
	switch {
	case cur == nil && ok && !s.EngineUp:
		return // the engine's return is an observation too
	case cur != nil && !ok && !s.Known && h.needs(cur.Target):
		return // nothing is known against it
	}
	if old := h.output.SetTarget(want, ok); old != nil {
		h.drain(old)
	}
	h.finishRun(s)
	if h.output.Current() == nil && !h.hasSubscribers() {
		h.endRecord()
	}
	h.reportFollowing()
}

// reportFollowing reports to the tap which run is read.
func (h *hub) reportFollowing() {
	switch s := h.output.Current(); {
	case s == nil:
		h.c.cfg.Tap.Following(h.id, nil, false)
	case s.IsOpen():
		run := s.Run
		h.c.cfg.Tap.Following(h.id, &run, false)
	}
}

// dropStalePrepared drops the prepared start when it was seen to have happened, or cannot happen.
func (h *hub) dropStalePrepared(s observed.Snapshot) {
	p := h.prepared
	if p == nil || !s.Known {
		return
	}
	c := streams.Find(s, p.ContainerID)
	if c.Running() || c == nil && s.At.After(p.at) {
		h.prepared = nil
	}
}

// wanted returns the run whose output is needed.
func (h *hub) wanted(s observed.Snapshot) (streams.Run, bool) {
	if p := h.prepared; p != nil {
		return streams.Run{Target: p.Target}, h.needs(p.Target)
	}
	for _, c := range []*observed.Container{s.Install, s.Run} {
		if c.Running() && h.needs(streams.TargetOf(c)) {
			return streams.RunOf(c), true
		}
	}
	return streams.Run{}, false
}

// drain lets an old stream hand out what is left of it, if anybody is interested.
func (h *hub) drain(old *streams.Stream) {
	if !old.IsOpen() || !h.hasSubscribers() {
		old.Cancel()
		return
	}
	h.draining = old
	h.c.group.Go(func() {
		timer := time.NewTimer(drainTime)
		defer timer.Stop()
		select {
		case <-old.Done():
		case <-timer.C:
			old.Cancel()
			<-old.Done()
		}
		h.Reconcile() // the rest of its run may be in the log
	})
}

// Prepare is called right before container t of id is started. When somebody needs its
// output, Prepare returns once the output stream is open, so that the first byte is not
// missed; it takes at most 5 s. An error is worth a log line and no more: output is then
// followed from the moment the container is seen up, and a pattern is looked for in the log.
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

// beginPrepare takes the present stream out of the way and returns it.
func (h *hub) beginPrepare(t streams.Target) (old *streams.Stream, needed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.prepared = &prepared{Target: t, at: time.Now()}
	h.c.cfg.Tap.Preparing(h.id, t)
	if !h.needs(t) {
		return nil, false
	}
	h.preparing = true
	if old = h.output.Detach(); old == nil {
		old = h.draining
	}
	h.draining = nil
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

// StreamEndedLocked implements streams.Handler.
func (h *hub) StreamEndedLocked(s *streams.Stream) {
	if p := h.prepared; p != nil && p.Target == s.Target && !h.preparing {
		h.prepared = nil
	}
	h.c.cfg.Tap.Following(h.id, nil, false)
	if s.Err() != nil && s.Context().Err() == nil {
		h.c.cfg.Log.Debug("output stream ended", "container", h.id, "docker_id", s.ContainerID, "error", s.Err())
	}
}
