package plan

import (
	"time"

	"lightd/observed"
	"lightd/observed/status"
)

// PauseGrace is how long a pause from outside of Lightd stays untouched: backup tools and "docker
// commit" pause a container for seconds.
const PauseGrace = time.Minute

// observePause records when a pause was first observed, so that a restart of the daemon does not
// start the grace period over.
func (r *planner) observePause() {
	c := r.in.Seen.Run
	if r.st.Install.Phase == status.InstallScript {
		c = r.in.Seen.Install
	}
	switch {
	case c == nil || c.Phase != observed.Paused:
		r.st.Pause = nil
	case r.st.Pause == nil || !r.st.Pause.Run.Is(status.RunOf(c)):
		r.st.Pause = &status.Pause{Run: status.RunOf(c), Since: r.in.Now}
	}
}

// unpause ends the pause of c once it has lasted for PauseGrace. Until then nothing stands in the
// way of the spec, and the end of the pause is the next attempt.
func (r *planner) unpause(c *observed.Container, reason string) next {
	if pause := r.st.Pause; pause != nil && pause.Run.Is(status.RunOf(c)) {
		at := pause.Since.Add(PauseGrace)
		if left := at.Sub(r.in.Now); left > 0 {
			return next{message: reason, after: left, attempt: Attempt{At: at, Number: 1}, upToDate: true}
		}
	}
	return step(UnpauseContainer, reason).on(c)
}

// noLaterThan returns n with the next reconcile at the time of other, if that comes first.
func (n next) noLaterThan(other next) next {
	if n.after == 0 || other.after > 0 && other.after < n.after {
		n.after = other.after
	}
	return n
}
