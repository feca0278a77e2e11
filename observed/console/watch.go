package console

import (
	"context"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// quiet is how long an open line must not have grown before it is matched.
	quiet = 50 * time.Millisecond
	// patience is after how long an open line that keeps growing is matched.
	patience = 500 * time.Millisecond
	// logSlack is how long before StartedAt a run may have written its first lines.
	logSlack = 2 * time.Second
	// overdue is how long after a start the log is looked into as well.
	overdue = 10 * time.Second
	// logDelay is how long Docker may take until what it sent to an attached stream is
	// in its log too.
	logDelay = time.Second
)

// watch is the expectation of a pattern in one run. Its methods may be called on nil, and
// are called with the hub's lock held.
type watch struct {
	hub     *hub
	target  Target
	pattern string
	re      *expression
	run     Run // StartedAt is zero until bound
	matched bool

	live  matcher
	timer *time.Timer // matches the open line
	seen  time.Time   // when the open line was last matched, or began

	// gap is true when lines of the run may have passed unread, and gaps counts how
	// often that happened; reading is true while the log is read for them.
	gap     bool
	gaps    int
	reading bool
	// late looks into the log when a match is overdue, though no gap is known.
	late *time.Timer

	ctx    context.Context
	cancel context.CancelFunc
}

func (w *watch) pending() bool { return w != nil && !w.matched }

func (w *watch) bound() bool { return !w.run.StartedAt.IsZero() }

// restart begins anew before a start of t.
func (w *watch) restart(t Target) {
	if w == nil || w.target != t || w.bound() {
		return
	}
	w.matched = false
	w.reset()
}

func (w *watch) reset() {
	w.live = w.hub.matcher(w)
	w.gap = true
	w.gaps++
}

// covered says that a stream is open from before the start on.
func (w *watch) covered(t Target) {
	if w != nil && w.target == t && !w.bound() {
		w.gap = false
	}
}

// bind says which run the start was that is waited for. Somebody else may have been first:
// then the stream was opened after it, which the clocks of two machines cannot tell.
func (w *watch) bind(run Run) {
	w.run = run
	if !w.gap {
		w.late = time.AfterFunc(overdue, func() { w.hub.lookBack(w) })
	}
}

// lost says that a stream of t ended.
func (w *watch) lost(t Target) {
	if w.pending() && w.target == t {
		w.reset()
	}
}

// follows reports whether output of l is of the run that w waits for.
func (w *watch) follows(l life) bool {
	return w.pending() && w.target == l.Target &&
		(!w.bound() || l.startedAt.IsZero() || l.startedAt.Equal(w.run.StartedAt))
}

// feed adds live output and reports whether it matches.
func (w *watch) feed(l life, source int, p []byte, now time.Time) bool {
	if !w.follows(l) {
		return false
	}
	w.hub.typed.Expire(now)
	return w.live.feed(source, p)
}

// peek sees to it that an open line is matched: when it is quiet, or has waited long.
func (w *watch) peek(now time.Time) {
	if !w.pending() || !w.live.open() {
		if w != nil {
			w.seen = time.Time{}
		}
		return
	}
	if w.seen.IsZero() {
		w.seen = now
	}
	wait := quiet
	if now.Sub(w.seen) >= patience {
		wait = 0
	}
	if w.timer == nil {
		w.timer = time.AfterFunc(wait, func() { w.hub.peekDue(w) })
	} else {
		w.timer.Reset(wait)
	}
}

// stop ends what w has running.
func (w *watch) stop() {
	if w == nil {
		return
	}
	w.cancel()
	for _, timer := range []*time.Timer{w.timer, w.late} {
		if timer != nil {
			timer.Stop()
		}
	}
	w.live = matcher{re: w.re}
}

// matcher returns a matcher for the live output that w follows.
func (h *hub) matcher(w *watch) matcher { return newMatcher(w.re, w.target, &h.typed.Typed) }

// lookBack has the log read for what may have been printed before the stream was open.
func (h *hub) lookBack(w *watch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watch == w && w.pending() {
		w.gap = true
		w.gaps++
		h.catchUp()
	}
}

func (h *hub) peekDue(w *watch) {
	h.mu.Lock()
	matched := h.watch == w && w.pending() && w.live.matchOpen()
	w.seen = time.Time{}
	if matched {
		h.matched()
	}
	h.mu.Unlock()
	if matched {
		h.c.cfg.Changed(h.id)
	}
}

// matched keeps the match as an observation. The caller has the lock, and calls Changed
// after it has let it go.
func (h *hub) matched() {
	h.watch.matched = true
	h.watch.stop()
	// Who is told of the match may ask for the line, which the log may not have yet.
	if !h.heard() && h.output.cur != nil {
		h.c.retain(h)
		h.stayFor(logDelay)
	}
	h.settle()
}

func (h *hub) dropWatch() {
	h.watch.stop()
	h.watch = nil
}

// Expect says that pattern (RE2) is to be looked for in the output of one run of t. It is
// idempotent. With a zero StartedAt it comes before Prepare and the start; the first call
// with the StartedAt of that start binds it. An empty pattern expects nothing.
func (c *Console) Expect(id string, t Target, run Run, pattern string) error {
	if pattern == "" {
		if h := c.known(id); h != nil {
			h.unexpect()
		}
		return nil
	}
	re, err := c.patterns.compile(pattern)
	if err != nil {
		return err
	}
	h := c.hub(id)
	if !h.expect(t, run, pattern, re) {
		c.release(h)
	}
	return nil
}

func (h *hub) unexpect() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dropWatch()
	h.settle()
}

// expect reports whether the hub keeps the caller's use of it.
func (h *hub) expect(t Target, run Run, pattern string, re *expression) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.watch
	switch same := w != nil && w.target == t && w.pattern == pattern; {
	case same && w.run.StartedAt.Equal(run.StartedAt):
		return false
	case same && !w.bound():
		w.bind(run)
	default:
		h.dropWatch()
		w = &watch{
			hub: h, target: t, pattern: pattern, re: re, run: run,
			gap: true, live: newMatcher(re, t, &h.typed.Typed),
		}
		w.ctx, w.cancel = context.WithCancel(h.c.ctx)
		h.watch = w
	}
	h.settle()
	return h.keep()
}

// Matched reports whether the expected pattern was seen in that run.
func (c *Console) Matched(id, containerID string, startedAt time.Time) bool {
	h := c.known(id)
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.watch
	return w != nil && w.matched && w.bound() &&
		w.target.ContainerID == containerID && w.run.StartedAt.Equal(startedAt)
}

// catchUp reads the log for lines that no stream of ours has seen, once the stream for the
// later ones is open.
func (h *hub) catchUp() {
	w, s := h.watch, h.output.cur
	if !w.pending() || !w.bound() || !w.gap || w.reading || s == nil || !s.isOpen() || !w.follows(s.life) {
		return
	}
	gaps := w.gaps
	w.reading = h.c.goes(func() { h.readLog(w, gaps) })
}

// beginOf returns where the output of a run begins in the log, by the engine's clock. Where
// that was set back since the run before, some of that one's output comes with it: a pattern
// matched too early is less harm than a line that is never found.
func beginOf(r Run) time.Time {
	if r.Since.IsZero() || r.Since.After(r.StartedAt) {
		return r.StartedAt.Add(-logSlack)
	}
	return r.Since
}

// readLog matches the log of the run that w expects. The second look is for lines that
// went to attached streams before ours was there, and into the log after the first look.
func (h *hub) readLog(w *watch, gaps int) {
	since := beginOf(w.run)
	found, err := false, error(nil)
	backoff := retryBackoff()
	for look := 0; look < 2 && !found && w.ctx.Err() == nil; {
		began := time.Now()
		pause := logDelay
		if found, err = h.matchLog(w, since); err == nil {
			look++
			backoff = retryBackoff()
			since = later(since, began.Add(-logDelay))
		} else {
			h.c.cfg.Log.Warn("cannot read log for start pattern", "id", h.id, "container", w.target.ContainerID, "error", err)
			if !h.expects(w) {
				break
			}
			pause = backoff.Step()
		}
		if !found {
			sleep(w.ctx, pause)
		}
	}
	h.endCatchUp(w, gaps, found)
}

// endCatchUp takes note of what the log said.
func (h *hub) endCatchUp(w *watch, gaps int, found bool) {
	h.mu.Lock()
	w.reading = false
	current := h.watch == w && w.pending()
	if current && found {
		h.matched()
	} else if current && w.gaps == gaps {
		w.gap = false
	} else if current {
		h.catchUp()
	}
	h.mu.Unlock()
	if current && found {
		h.c.cfg.Changed(h.id)
	}
}

// expects reports whether the run of w still lasts and is not matched.
func (h *hub) expects(w *watch) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.watch == w && w.pending() && h.output.cur != nil && w.follows(h.output.cur.life)
}

// matchLog matches the lines of the log from a time on, those behind a damaged place too.
func (h *hub) matchLog(w *watch, since time.Time) (bool, error) {
	h.mu.Lock()
	m := newMatcher(w.re, w.target, h.typed.Again())
	h.mu.Unlock()
	found := false
	log := logReader{target: w.target, source: h.c.cfg.Streams}
	_, err := log.read(w.ctx, Range{Since: since}, func(e entry) bool {
		found = m.feed(e.out+1, e.text)
		return !found
	})
	if err != nil {
		return found, err
	}
	return found || m.matchOpen(), nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// backoffFrom returns pauses that double from first to last.
func backoffFrom(first, last time.Duration) wait.Backoff {
	return wait.Backoff{Duration: first, Cap: last, Factor: 2, Steps: math.MaxInt}
}
