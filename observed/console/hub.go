package console

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"lightd/observed"
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
	holds     bool          // what the stream reads waits for what was missed before it
	ended     *ending       // of the last stream, until it is followed by something
	closing   chan struct{} // while the rest of an ended run is read; closed then
	output    link
	draining  *stream   // the last output stream that is no longer current
	prepared  *prepared // the start that is about to happen
	preparing bool      // Prepare opens the stream itself

	watch *watch
	typed typed

	figures  link
	watchers map[*StatsSubscription]struct{}
	last     *observed.Stats

	turn  chan struct{} // capacity 1: who holds it may write
	line  openLine
	stdin *stdin

	sizing sync.Mutex // held while the terminal is resized, before mu
	size   Size       // what sizer has set
	sizer  *Input     // nil: no client that is there
	sized  life       // which has that size
}

// prepared is a container that is about to be started.
type prepared struct {
	Target
	at time.Time
}

func newHub(c *Console, id string) *hub {
	h := &hub{
		c: c, id: id,
		subs:     make(map[*Subscription]struct{}),
		watchers: make(map[*StatsSubscription]struct{}),
		turn:     make(chan struct{}, 1),
		room:     make(chan struct{}, 1),
	}
	h.text.send = h.broadcast
	h.text.again = h.batchDue
	h.output = link{c: c, mu: &h.mu, serve: h.serveOutput, pauses: retryBackoff(), ended: h.outputEndedLocked, settle: h.settleAll}
	h.figures = link{c: c, mu: &h.mu, serve: h.serveStats, pauses: retryBackoff(), ended: func(*stream) {}, settle: h.settleAll}
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
	lingered := h.stay()
	release := h.kept
	h.kept = false
	h.dropWatch()
	h.dropStdin()
	h.prepared = nil
	h.last = nil
	h.settle()
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
	h.dropWatch()
	h.dropStdin()
	h.text.stop()
	_ = h.stay() // all uses have ended
	for s := range h.watchers {
		s.shut()
	}
	for _, l := range []*link{&h.output, &h.figures} {
		l.calm()
		if l.cur != nil {
			l.cur.cancel()
			l.cur = nil
		}
	}
}

// settleAll looks at the observation and opens and closes what follows from it.
func (h *hub) settleAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settle()
}

func (h *hub) settle() {
	if h.c.ctx.Err() != nil {
		return
	}
	s := h.c.cfg.Targets.Get(h.id)
	h.settleOutput(s)
	h.settleStats(s)
	h.settleStdin(s)
	h.settleSize(s)
}

// heard reports whether there are subscribers, or were a moment ago.
func (h *hub) heard() bool { return len(h.subs) > 0 || h.linger != nil }

// needs reports whether anybody wants the output of t.
func (h *hub) needs(t Target) bool {
	return h.heard() || h.watch.pending() && h.watch.target == t
}

func (h *hub) settleOutput(s observed.Snapshot) {
	if h.preparing {
		return
	}
	h.review(s)
	cur := h.output.cur
	want, ok := h.wanted(s)
	switch {
	case cur == nil && ok && !s.EngineUp:
		return // the engine's return is told
	case cur != nil && !ok && !s.Known && h.needs(cur.Target):
		return // nothing is known against it
	}
	if old := h.output.aim(want, ok); old != nil {
		h.drain(old)
	}
	h.closeRun(s)
	if h.output.cur == nil && !h.heard() {
		h.endRecord()
	}
	h.catchUp()
}

// review drops the prepared start when it was seen to have happened, or cannot happen.
func (h *hub) review(s observed.Snapshot) {
	p := h.prepared
	if p == nil || !s.Known {
		return
	}
	c := find(s, p.ContainerID)
	if c.Running() || c == nil && s.At.After(p.at) {
		h.prepared = nil
	}
}

func find(s observed.Snapshot, containerID string) *observed.Container {
	switch {
	case s.Run != nil && s.Run.ContainerID == containerID:
		return s.Run
	case s.Install != nil && s.Install.ContainerID == containerID:
		return s.Install
	}
	return nil
}

// wanted returns the run whose output is needed.
func (h *hub) wanted(s observed.Snapshot) (life, bool) {
	if p := h.prepared; p != nil {
		return life{Target: p.Target}, h.needs(p.Target)
	}
	for _, c := range []*observed.Container{s.Install, s.Run} {
		if c.Running() && h.needs(targetOf(c)) {
			return lifeOf(c), true
		}
	}
	return life{}, false
}

func targetOf(c *observed.Container) Target {
	return Target{ContainerID: c.ContainerID, TTY: c.TTY}
}

func lifeOf(c *observed.Container) life {
	return life{Target: targetOf(c), startedAt: c.StartedAt}
}

// drain lets an old stream hand out what is left of it, if anybody is interested.
func (h *hub) drain(old *stream) {
	if !old.isOpen() || !h.heard() {
		old.cancel()
		return
	}
	h.draining = old
	h.c.goes(func() {
		timer := time.NewTimer(drainTime)
		defer timer.Stop()
		select {
		case <-old.done:
		case <-timer.C:
			old.cancel()
			<-old.done
		}
		h.settleAll() // the rest of its run may be in the log
	})
}

// Prepare is called right before container t of id is started. When somebody needs its
// output, Prepare returns once the output stream is open, so that the first byte is not
// missed; it takes at most 5 s. An error is worth a log line and no more: output is then
// followed from the moment the container is seen up, and a pattern is looked for in the log.
func (c *Console) Prepare(ctx context.Context, id string, t Target) error {
	h := c.known(id)
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
		case <-old.done:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		old.cancel()
	}
	s := h.openPrepared(t)
	select {
	case <-s.up:
	case <-s.done:
	case <-ctx.Done():
	}
	return h.endPrepare(s)
}

// beginPrepare takes the present stream out of the way and returns it.
func (h *hub) beginPrepare(t Target) (old *stream, needed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.prepared = &prepared{Target: t, at: time.Now()}
	h.watch.restart(t)
	if !h.needs(t) {
		return nil, false
	}
	h.preparing = true
	if old = h.output.cur; old != nil {
		h.output.cur = nil
	} else {
		old = h.draining
	}
	h.draining = nil
	h.output.calm()
	return old, true
}

func (h *hub) openPrepared(t Target) *stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.output.open(life{Target: t})
	s.whole = true
	return s
}

func (h *hub) endPrepare(s *stream) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.preparing = false
	if h.output.cur == s && s.isOpen() {
		h.watch.covered(s.Target)
		h.settle() // the need may be gone
		return nil
	}
	h.prepared = nil
	s.cancel()
	h.settle()
	select {
	case <-s.done:
		if s.err != nil {
			return fmt.Errorf("attach to container %s before its start: %w", s.ContainerID, s.err)
		}
		return fmt.Errorf("attach to container %s before its start: %w", s.ContainerID, io.ErrUnexpectedEOF)
	default:
		return fmt.Errorf("attach to container %s before its start: %w", s.ContainerID, context.DeadlineExceeded)
	}
}

// outputEndedLocked is called with the lock held when the current output stream is over.
func (h *hub) outputEndedLocked(s *stream) {
	if p := h.prepared; p != nil && p.Target == s.Target && !h.preparing {
		h.prepared = nil
	}
	h.watch.lost(s.Target)
	if s.err != nil && s.ctx.Err() == nil {
		h.c.cfg.Log.Debug("output stream ended", "container", h.id, "docker_id", s.ContainerID, "error", s.err)
	}
}
