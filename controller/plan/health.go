package plan

import (
	"strings"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// observeHealth keeps the condition Healthy, and reports its changes. What was recorded of a run stays while its
// checks have found nothing yet, as after a restart of the daemon.
func (r *planner) observeHealth() {
	run, have := r.in.Seen.Run, r.st.Get(status.Healthy)
	switch found := r.in.Health; {
	case r.in.Spec.Deleting, r.st.Stopping != nil && run.Running():
	case r.in.Spec.Health == nil:
		r.observeImageCheck()
	case !run.Running():
		r.set(status.Healthy, status.Unknown, status.ReasonNotRunning, "")
	case found.Known && found.Healthy:
		r.set(status.Healthy, status.True, status.ReasonProbePassed, "")
		if have.Status != status.True {
			r.emit(journal.Healthy, "")
		}
	case found.Known:
		r.set(status.Healthy, status.False, status.ReasonProbeFailed, found.Message)
		if have.Status != status.False {
			r.emit(journal.Unhealthy, found.Message)
		}
	case have.Reason == status.ReasonProbePassed, have.Reason == status.ReasonProbeFailed:
	case r.in.Spec.Health.Image && r.in.Image.Known && !hasCheck(r.in.Image):
		r.set(status.Healthy, status.Unknown, status.ReasonNotProbed, "the image has no HEALTHCHECK")
	default:
		r.set(status.Healthy, status.Unknown, status.ReasonProbing, "")
	}
}

// observeImageCheck shows the HEALTHCHECK of an image that the spec leaves alone.
func (r *planner) observeImageCheck() {
	image := r.in.Image
	switch {
	case hasCheck(image):
		r.set(status.Healthy, status.Unknown, status.ReasonNotProbed, "the image has a HEALTHCHECK that is not run ("+
			strings.Join(image.Healthcheck, " ")+"): health.image in the spec runs it")
	case image.Known || r.st.Get(status.Healthy).Reason != status.ReasonNotProbed:
		r.st.Remove(status.Healthy)
	}
}

// hasCheck reports whether an image has a HEALTHCHECK.
func hasCheck(image observed.Image) bool {
	return len(image.Healthcheck) > 0 && image.Healthcheck[0] != observed.NoHealthcheck()[0]
}

// unhealthy reports whether the process is to be restarted because its checks fail.
func (r *planner) unhealthy() bool {
	check, found := r.in.Spec.Health, r.in.Health
	return check != nil && check.OnFailure == desired.FailureRestart && r.in.Seen.Run.Running() && found.Known && !found.Healthy
}

// stopUnhealthy ends a process whose checks fail; that it is started again follows from its end.
func (r *planner) stopUnhealthy() next {
	n := r.stop("it is unhealthy: "+r.in.Health.Message, false)
	if n.step != nil {
		n.step.unhealthy = true
	}
	return n
}
