package plan

import (
	"fmt"
	"strings"
	"time"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// maxSignalShare bounds what the signal gets of the timeout of a stop that begins with a
// command: a quarter, and no more than this.
const maxSignalShare = 5 * time.Second

// signalShare returns how long before the end of the timeout a signal follows a command that
// did not end the process.
func signalShare(timeout time.Duration) time.Duration { return min(timeout/4, maxSignalShare) }

// stop ends the process by a command, a signal and SIGKILL, of which each gets its share of
// the timeout. A kill goes to SIGKILL at once. A daemon that finds a stop under way continues
// from the recorded rung.
func (r *planner) stop(reason string, kill bool) next {
	c, request := r.in.Seen.Run, r.st.Stopping
	if c.Phase == observed.Paused {
		return step(UnpauseContainer, "a frozen process cannot end: "+reason).on(c)
	}
	if request == nil || !request.Run.Is(status.RunOf(c)) {
		if kill {
			return step(KillContainer, reason).on(c).by(status.StopByKill, "")
		}
		return r.rung(r.firstRung(), reason)
	}
	switch {
	case request.Killed && request.KilledAt.IsZero():
		return step(KillContainer, request.Reason).on(c).by(status.StopByKill, "")
	case request.Killed:
		if left := request.KilledAt.Add(killRetry).Sub(r.in.Now); left > 0 {
			return waitFor(status.ReasonProgressing, "waiting for the process to die", left)
		}
		return step(KillContainer, "the process outlived SIGKILL").on(c).by(status.StopByKill, "")
	case kill:
		return step(KillContainer, reason).on(c).by(status.StopByKill, "")
	}
	return r.escalate(*request)
}

// escalate carries a stop on whose process has neither ended nor been killed.
func (r *planner) escalate(request status.StopRequest) next {
	if r.in.Spec.Grace != nil && r.in.Spec.Power == desired.PowerStopped {
		request.Timeout = r.in.Spec.StopTimeout() // a later stop has another time
	}
	rung, since := request.Rung, request.RungAt
	if rung == "" { // recorded by a version that knew one rung before SIGKILL
		rung, since = r.firstRung(), request.At
	}
	if rung == status.StopByCommand {
		left := request.At.Add(request.Timeout - signalShare(request.Timeout)).Sub(r.in.Now)
		switch {
		case request.Unread, !request.Sent && r.in.Spec.Stop.Command == "":
			return r.rung(status.StopBySignal, r.stopSignal()+" as the stop command was not read")
		case left <= 0:
			return r.rung(status.StopBySignal, fmt.Sprintf("%s after %s without an end", r.stopSignal(), request.Timeout-signalShare(request.Timeout)))
		case !request.Sent:
			return r.rung(rung, request.Reason)
		}
		return waitFor(status.ReasonProgressing, "waiting for the process to end", left)
	}
	// A signal that comes late, because the daemon was down, has its share all the same.
	end := request.At.Add(request.Timeout)
	if late := since.Add(signalShare(request.Timeout)); late.After(end) {
		end = late
	}
	switch left := end.Sub(r.in.Now); {
	case left <= 0:
		return step(KillContainer, fmt.Sprintf("SIGKILL after %s without an end", request.Timeout)).on(r.in.Seen.Run).by(status.StopByKill, "")
	case !request.Sent:
		return r.rung(rung, request.Reason)
	default:
		return waitFor(status.ReasonProgressing, "waiting for the process to end", left)
	}
}

// firstRung is what a stop begins with. A command in the notation of a signal is none where
// the signal would only be sent twice.
func (r *planner) firstRung() status.StopRung {
	stop := r.in.Spec.Stop
	signal, _ := stop.CommandSignal()
	if stop.Command == "" || signal == r.stopSignal() {
		return status.StopBySignal
	}
	return status.StopByCommand
}

// rung is the step that executes one rung of a stop.
func (r *planner) rung(rung status.StopRung, reason string) next {
	signal := r.stopSignal()
	if rung == status.StopByCommand {
		signal, _ = r.in.Spec.Stop.CommandSignal()
	}
	return step(StopContainer, reason).on(r.in.Seen.Run).by(rung, signal)
}

// by sets which rung of a stop a step is.
func (n next) by(rung status.StopRung, signal string) next {
	n.step.rung, n.step.signal = rung, signal
	return n
}

// stopSignal is the signal that ends the process: that of the spec, else the image's,
// else SIGTERM. Where the image is not known, the container shows what it was created with.
func (r *planner) stopSignal() string {
	run := r.in.Seen.Run
	from := run.StopSignal
	if image := r.sourceImage(run); image.Present {
		from = image.StopSignal
	}
	if _, ok := desired.SignalNumber(from); !ok {
		from = ""
	}
	switch {
	case r.in.Spec.Stop.Signal != "":
		return r.in.Spec.Stop.Signal
	case from != "":
		return desired.NormalSignal(from)
	}
	return desired.DefaultStopSignal
}

// recordStop records the rung of a stop, and emits the event of each once.
func (r *planner) recordStop(s Step) {
	now, run := r.in.Now, status.RunOf(r.in.Seen.Run)
	request := r.st.Stopping
	first := request == nil || !request.Run.Is(run)
	if first {
		request = &status.StopRequest{Run: run, At: now, Timeout: r.in.Spec.StopTimeout(), Reason: s.Reason}
		r.st.Stopping = request
	}
	if request.Rung != s.rung && !(request.Killed && s.Kind == KillContainer) {
		adopted := !first && request.Rung == "" && s.Kind == StopContainer && s.rung == r.firstRung()
		request.Rung, request.RungAt, request.Signal, request.Sent = s.rung, now, s.signal, false
		if adopted {
			request.RungAt = request.At // its event is in the journal already
		} else {
			r.emit(journal.Stopping, rungMessage(s, first))
		}
	}
	request.Killed = request.Killed || s.Kind == KillContainer
	request.Unhealthy = request.Unhealthy || s.unhealthy
	if r.restartWanted() && r.st.Restarting == nil {
		r.st.Restarting = &run
	}
	r.mergeRestarts()
}

// rungMessage names what is done to end the process, and why.
func rungMessage(s Step, first bool) string {
	means := s.signal
	switch {
	case s.rung == status.StopByKill:
		means = "SIGKILL"
	case means == "":
		means = "stop command"
	}
	if !first && strings.HasPrefix(s.Reason, means) {
		return s.Reason // "SIGTERM after 7.5s without an end"
	}
	return s.Reason + " (" + means + ")"
}
