package startpattern

import (
	"bytes"
	"context"
	"time"

	"lightd/observed/replay"
	"lightd/observed/streams"
)

const (
	// quiet is how long an open line must not have grown before it is matched.
	quiet = 50 * time.Millisecond
	// maxWait is after how long an open line that keeps growing is matched.
	maxWait = 500 * time.Millisecond
	// overdue is how long after a start the log is read as well.
	overdue = 10 * time.Second
	// logDelay is how long Docker may take until what it sent to an attached stream is
	// in its log too.
	logDelay = time.Second
)

// Run names one run of a container, and where its output begins.
type Run struct {
	// StartedAt is zero before the start; the expectation is then bound to the run
	// when a later call brings its time.
	StartedAt time.Time
	// Since is where the output of this run begins in the log: the end of the run
	// before it. When zero, or after StartedAt, shortly before StartedAt.
	Since time.Time
}

// probe is the expectation of a pattern in one run. It is under the lock of its registry, which the
// caller of a method has; pending may be called on nil.
type probe struct {
	r       *Registry
	id      string
	target  streams.Target
	pattern string
	re      *expression
	run     Run    // StartedAt is zero until bound
	typed   *typed // at its terminal
	matched bool
	// announced is true once the match was reported.
	announced bool
	// following is the run whose output is read; nil while none of the target is.
	following *streams.Run

	live  *liveOutput
	timer *time.Timer // matches the open line
	since time.Time   // when the open line was last matched, or began

	// gap is true when lines of the run may have been missed, and gaps counts how
	// often that happened; reading is true while the log is read for them.
	gap     bool
	gaps    int
	reading bool
	// late reads the log when a match is overdue, though no gap is known.
	late *time.Timer

	ctx    context.Context
	cancel context.CancelFunc
}

// newProbeLocked returns a probe that has not matched.
func newProbeLocked(r *Registry, id string, t streams.Target, run Run, pattern string, re *expression) *probe {
	p := &probe{r: r, id: id, target: t, pattern: pattern, re: re, run: run, typed: r.typedLocked(id), gap: true}
	p.ctx, p.cancel = context.WithCancel(r.group.Context())
	p.live = p.newLive()
	return p
}

func (p *probe) pending() bool { return p != nil && !p.matched }

func (p *probe) bound() bool { return !p.run.StartedAt.IsZero() }

// isCurrentLocked reports whether p still waits for a match.
func (p *probe) isCurrentLocked() bool { return p.r.probes[p.id] == p && !p.matched }

// resetLocked starts the live output over: lines of it may have been missed.
func (p *probe) resetLocked() {
	if p.ctx.Err() != nil { // it has matched before, and does not count
		p.ctx, p.cancel = context.WithCancel(p.r.group.Context())
	}
	p.live = p.newLive()
	p.gap = true
	p.gaps++
}

// newLive returns live output of which nothing has come.
func (p *probe) newLive() *liveOutput {
	m := newMatcher(p.re, p.target, &p.typed.Typed)
	m.done = p.ctx.Done()
	return &liveOutput{p: p, ctx: p.ctx, matcher: m, budget: budget{costly: p.r.costly}}
}

// bindLocked sets the run that the start began. Where another client has started the container first,
// the stream was opened after the start; the clocks of two machines do not show that.
func (p *probe) bindLocked(run Run) {
	p.run = run
	if !p.gap {
		p.late = time.AfterFunc(overdue, p.readLate)
	}
}

// follows reports whether output of run is of the one that p waits for.
func (p *probe) follows(run streams.Run) bool {
	return p.pending() && p.target == run.Target &&
		(!p.bound() || run.StartedAt.IsZero() || run.StartedAt.Equal(p.run.StartedAt))
}

// followLocked sets the run whose output is read now.
func (p *probe) followLocked(run *streams.Run, fromStart bool) {
	if run == nil || run.Target != p.target {
		if p.following != nil && p.pending() {
			p.resetLocked()
		}
		p.following = nil
		return
	}
	p.following = run
	if fromStart && !p.bound() {
		p.gap = false
	}
	p.fillGapLocked()
}

// feedLocked adds live output, to be matched without the lock.
func (p *probe) feedLocked(run streams.Run, source int, text []byte, now time.Time) {
	if !p.follows(run) {
		return
	}
	p.live.addLocked(liveText{source, bytes.Clone(text), now})
}

// scheduleOpenLineLocked has the open line matched when it is quiet, or has waited long. The
// goroutine that the matcher of the live output belongs to calls it.
func (p *probe) scheduleOpenLineLocked(now time.Time) {
	if !p.live.matcher.open() {
		p.since = time.Time{}
		return
	}
	if p.since.IsZero() {
		p.since = now
	}
	wait := quiet
	if now.Sub(p.since) >= maxWait {
		wait = 0
	}
	if p.timer == nil {
		p.timer = time.AfterFunc(wait, p.matchOpenLine)
	} else {
		p.timer.Reset(wait)
	}
}

func (p *probe) matchOpenLine() {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.isCurrentLocked() {
		p.live.addLocked(liveText{at: time.Now()})
	}
	p.since = time.Time{}
}

// readLate reads the log for what may have been printed before the stream was open.
func (p *probe) readLate() {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.isCurrentLocked() {
		p.gap = true
		p.gaps++
		p.fillGapLocked()
	}
}

// stopLocked ends what p has running.
func (p *probe) stopLocked() {
	p.cancel()
	for _, timer := range []*time.Timer{p.timer, p.late} {
		if timer != nil {
			timer.Stop()
		}
	}
}

// matchedLocked records the match, and announces it without the lock.
func (p *probe) matchedLocked() {
	p.matched = true
	p.stopLocked()
	p.r.group.Go(p.announce)
}

// announce reports the match. A client that gets the report may request the line, which the log may not
// have yet, so the output is read a little longer.
func (p *probe) announce() {
	p.r.output.Linger(p.id, logDelay)
	p.r.mu.Lock()
	p.announced = true
	p.r.mu.Unlock()
	p.r.output.Linger(p.id, 0)
	p.r.cfg.Changed(p.id)
}

// fillGapLocked reads the log for the lines that were missed, once the stream for the later ones is open.
func (p *probe) fillGapLocked() {
	if !p.pending() || !p.bound() || !p.gap || p.reading || p.following == nil || !p.follows(*p.following) {
		return
	}
	gaps, ctx := p.gaps, p.ctx
	p.reading = p.r.group.Go(func() { p.readLog(ctx, gaps) })
}

// readLog matches the log of the run that p expects. It is read twice, for lines that went to
// attached streams before ours was there, and into the log after it was read first.
func (p *probe) readLog(ctx context.Context, gaps int) {
	since := replay.BeginOf(p.run.StartedAt, p.run.Since)
	found, err := false, error(nil)
	backoff := streams.RetryBackoff()
	for reads := 0; reads < 2 && !found && ctx.Err() == nil; {
		began := time.Now()
		pause := logDelay
		if found, err = p.matchLog(ctx, since); err == nil {
			reads++
			backoff = streams.RetryBackoff()
			if from := began.Add(-logDelay); from.After(since) {
				since = from
			}
		} else {
			p.r.cfg.Log.Warn("cannot read log for start pattern", "container", p.id, "docker_id", p.target.ContainerID, "error", err)
			if !p.isFollowing() {
				break
			}
			pause = backoff.Step()
		}
		if !found {
			streams.Sleep(ctx, pause)
		}
	}
	p.endReadLog(gaps, found)
}

// endReadLog records what the log contained.
func (p *probe) endReadLog(gaps int, found bool) {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	p.reading = false
	switch {
	case !p.isCurrentLocked():
	case found:
		p.matchedLocked()
	case p.gaps == gaps:
		p.gap = false
	default:
		p.fillGapLocked()
	}
}

// isFollowing reports whether the run of p still lasts, as far as is known, and has not matched.
func (p *probe) isFollowing() bool {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	return p.isCurrentLocked() && p.following != nil && p.follows(*p.following)
}

// matchLog matches the lines of the log from a time on, those behind a damaged place too.
func (p *probe) matchLog(ctx context.Context, since time.Time) (bool, error) {
	p.r.mu.Lock()
	m := newMatcher(p.re, p.target, p.typed.Again())
	limit := budget{costly: p.r.costly}
	m.done = ctx.Done()
	p.r.mu.Unlock()
	found := false
	log := replay.LogReader{Target: p.target, Source: p.r.cfg.Source}
	_, err := log.Read(ctx, streams.Range{Since: since}, func(e replay.Entry) bool {
		found = limit.feed(ctx, &m, e.Output()+1, e.Text())
		return !found
	})
	if err != nil {
		return found, err
	}
	return found || m.matchOpen(), nil
}
