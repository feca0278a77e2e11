package console

import (
	"time"

	"lightd/observed"
	"lightd/observed/streams"
)

// drainTime is how long the stream of a run that has ended may take to deliver the rest of its output.
const drainTime = time.Second

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

// needsLocked reports whether a subscriber or the tap needs the output of t.
func (h *hub) needsLocked(t streams.Target) bool {
	return h.hasSubscribersLocked() || h.c.cfg.Tap.Needs(h.id, t)
}

func (h *hub) reconcileOutputLocked(s observed.Snapshot) {
	if h.preparing {
		return
	}
	h.dropStalePreparedLocked(s)
	cur := h.output.Current()
	want, ok := h.wantedLocked(s)
	switch {
	case cur == nil && ok && !s.EngineUp:
		return // the engine's return is an observation too
	case cur != nil && !ok && !s.Known && h.needsLocked(cur.Target):
		return // there is no reason to close it
	}
	if old := h.output.SetTarget(want, ok); old != nil {
		h.drainLocked(old)
	}
	h.finishRunLocked(s)
	if h.output.Current() == nil && !h.hasSubscribersLocked() {
		h.endRecordLocked()
	}
	h.reportFollowingLocked()
}

// reportFollowingLocked reports to the tap which run is read.
func (h *hub) reportFollowingLocked() {
	switch s := h.output.Current(); {
	case s == nil:
		h.c.cfg.Tap.Following(h.id, nil, false)
	case s.IsOpen():
		run := s.Run
		h.c.cfg.Tap.Following(h.id, &run, false)
	}
}

// dropStalePreparedLocked drops the prepared start when it was seen to have happened, or cannot happen.
func (h *hub) dropStalePreparedLocked(s observed.Snapshot) {
	p := h.prepared
	if p == nil || !s.Known {
		return
	}
	c := streams.Find(s, p.ContainerID)
	if c.Running() || c == nil && s.At.After(p.at) {
		h.prepared = nil
	}
}

// wantedLocked returns the run whose output is needed.
func (h *hub) wantedLocked(s observed.Snapshot) (streams.Run, bool) {
	if p := h.prepared; p != nil {
		return streams.Run{Target: p.Target}, h.needsLocked(p.Target)
	}
	for _, c := range []*observed.Container{s.Install, s.Run} {
		if c.Running() && h.needsLocked(streams.TargetOf(c)) {
			return streams.RunOf(c), true
		}
	}
	return streams.Run{}, false
}

// drainLocked lets an old stream deliver the rest of its output, if there are subscribers.
func (h *hub) drainLocked(old *streams.Stream) {
	if !old.IsOpen() || !h.hasSubscribersLocked() {
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
