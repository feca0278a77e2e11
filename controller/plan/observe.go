package plan

import (
	"fmt"
	"time"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// Crash loops: the first restart is immediate, then 1 s doubling to 5 min; a run of
// 10 min clears the count. After kubelet's CrashLoopBackOff, with a faster start.
const (
	backoffFirst = time.Second
	backoffMost  = 5 * time.Minute
	backoffReset = 10 * time.Minute
)

// engineEnds is how long an engine that goes down takes to end its containers, at most: 15 s
// unless configured otherwise, and some more.
const engineEnds = 30 * time.Second

// observe folds the observation into the status. Each change of a condition brings
// its event with it, and a second fold of the same observation changes nothing.
func (r *planner) observe() {
	r.observeClock()
	r.observeEngine()
	r.observeRequests()
	r.observeImage()
	r.observeLimits()
	if !r.in.Spec.Deleting { // what goes with its container has not failed
		r.observeInstall()
	}
	r.observeCopy()
	r.observePause()
	r.observeIdentity()
	if run := r.in.Seen.Run; run != nil {
		r.observeProcess(run)
	}
	r.observeHealth()
	r.observeQuota()
	r.observeReady()
	r.st.State = r.state()
}

// observeClock finds times that an earlier daemon recorded by a clock that was set back since,
// which would keep a wait going until the clock has caught up. This daemon started after
// them, with the engine unreachable: counted from there, a wait lasts at most its full length.
func (r *planner) observeClock() {
	now, began := r.in.Now, r.in.Seen.EngineLost.Add(-time.Nanosecond)
	times := []*time.Time{&r.st.Install.ScriptAt, &r.st.Install.MeasuredAt, &r.st.RunSeen, &r.st.CrashingSince}
	if request := r.st.Stopping; request != nil {
		times = append(times, &request.At, &request.RungAt, &request.KilledAt)
	}
	if pause := r.st.Pause; pause != nil {
		times = append(times, &pause.Since)
	}
	for _, at := range times {
		if at.After(now) {
			*at = began
		}
	}
	if most := now.Add(Backoff(r.st.Crashes, 1)); r.st.NotBefore.After(most) {
		r.st.NotBefore = most
	}
	if saved := r.st.CrashesBeforeEngineLoss; saved != nil && saved.Since.After(now) {
		r.st.CrashesBeforeEngineLoss = nil
	}
}

// observeEngine takes back the crashes that the engine caused itself. While it shuts down it ends
// the containers one after the other, and reports them as if they had ended by themselves.
func (r *planner) observeEngine() {
	saved := r.st.CrashesBeforeEngineLoss
	if saved == nil {
		return
	}
	if age := r.in.Seen.EngineLost.Sub(saved.Since); age < 0 || age > engineEnds {
		return
	}
	r.st.Crashes, r.st.NotBefore, r.st.CrashesBeforeEngineLoss = saved.Crashes, time.Time{}, nil
	if exit := r.st.LastExit; exit != nil && (killed(exit.Code) || r.in.Spec.Restart == desired.RestartOnFailure) {
		r.st.Completed = false
	}
}

// observeRequests handles what needs no step.
func (r *planner) observeRequests() {
	spec := r.in.Spec
	if spec.Deleting && !r.st.Deleting {
		r.st.Deleting = true
		r.emit(journal.Deleting, "")
	}
	if spec.Suspended != r.st.Suspended {
		r.st.Suspended = spec.Suspended
		if spec.Suspended {
			r.emit(journal.Suspended, "")
		} else {
			r.emit(journal.Unsuspended, "")
		}
	}
	if spec.Requests.Start > r.st.StartHandled {
		r.st.StartHandled = spec.Requests.Start
		r.st.Backoff.Reset()
	}
	if spec.EffectivePower() == desired.PowerStopped {
		r.st.RestartHandled, r.st.Restarting = spec.Requests.Restart, nil
		r.st.Backoff.Reset()
	}
	if !spec.Deleting && !spec.Paused && r.in.Node.Cordon == nil && spec.Requests.Install > r.st.Install.Request {
		r.beginInstall()
	}
	if escape := r.st.MountEscape; escape != nil && escape.Generation != spec.Generation {
		r.st.MountEscape = nil
	}
	if failed := r.st.FailedGeneration; failed != 0 && (failed != spec.Generation || r.st.FailedBy == "" || r.imageReplaced() && r.in.Seen.Run == nil) {
		r.st.FailedGeneration, r.st.FailedBy = 0, ""
		if r.st.Install.Phase == status.InstallDone {
			r.set(status.Installed, status.True, status.ReasonInstalled, "")
		} else {
			r.set(status.Installed, status.False, status.ReasonInstalling, "")
		}
		if r.st.Install.Phase == status.InstallPreparing {
			r.emit(journal.Started, "") // it starts over
		}
	}
}

// abandonStart ends a start that was recorded, has not happened, and is wanted no more. It is
// for when no step runs: a running step may be that start.
func (r *planner) abandonStart() {
	run, wanted := r.in.Seen.Run, r.startsAllowed() && !r.in.Spec.Deleting
	if wanted || r.st.Starting == nil || run.Running() || !r.st.Starting.Is(status.RunOf(run)) {
		return
	}
	r.st.Starting = nil
	r.st.State = r.state()
	message := "it was stopped before it started"
	switch {
	case r.in.Spec.Deleting:
		message = "it was deleted before it started"
	case r.in.Node.Cordon != nil:
		message = "the node was cordoned before it started"
	}
	r.emit(journal.Exited, message)
}

// observeIdentity notices that the runtime container is another one, or none.
func (r *planner) observeIdentity() {
	id := ""
	if run := r.in.Seen.Run; run != nil && r.ours(run, r.st.ContainerID) {
		id = run.ContainerID
	}
	if id == r.st.ContainerID {
		return
	}
	if old := r.st.ContainerID; old != "" {
		if r.st.Run.ContainerID == old && !r.st.Ended.Is(r.st.Run) {
			r.processExited(r.st.Run, nil)
		}
		if r.st.Starting != nil {
			r.emit(journal.Exited, "its container was removed before its start was seen")
		}
		if r.st.Replacing == "" && !r.in.Spec.Deleting {
			r.emit(journal.ContainerLost, short(old)+" was removed by somebody else")
			r.revertEngineCrashes()
		}
		r.st.Stopping, r.st.Starting = nil, nil
	}
	if id != "" {
		r.st.Replacing, r.st.CreationMark, r.st.ImagePulls = "", "", nil
	}
	r.st.ContainerID = id
}

// revertEngineCrashes takes back the crash that a removal by force looks like while it is under way:
// the program did nothing wrong.
func (r *planner) revertEngineCrashes() {
	if exit := r.st.LastExit; exit != nil && killed(exit.Code) && r.st.Crashes > 0 {
		r.st.Crashes--
		r.st.NotBefore = time.Time{}
	}
}

// observeProcess follows the runs of the run container: each start is a new run.
func (r *planner) observeProcess(run *observed.Container) {
	now := status.RunOf(run)
	if now.StartedAt.IsZero() {
		return
	}
	if !r.st.Run.Is(now) {
		r.processStarted(now)
	}
	if !run.Running() {
		if !r.st.Ended.Is(now) {
			r.processExited(now, run)
			return
		}
		if run.OOMKilled {
			r.processOOMKilled()
		}
		if r.st.Completed && run.EndRequested && r.in.Spec.Restart == desired.RestartOnFailure { // that is reported after the end
			r.st.Completed = false
			r.st.Restarts++
		}
		return
	}
	if e := run.Enforced; e != nil && e.PIDsRefused > 0 && !r.st.PIDsLimitReached.Is(now) {
		r.st.PIDsLimitReached = now
		r.emit(journal.PIDsLimitReached, fmt.Sprintf("the kernel refused processes or threads beyond the limit of %d (%d so far)", run.Limits.PIDs, e.PIDsRefused))
	}
	if request := r.st.Stopping; request != nil && request.Run.Is(now) {
		return // what is to end does not become ready any more
	}
	if r.unknownRun() {
		return
	}
	pattern := r.in.Spec.StartPattern
	if !r.st.Matched.Is(now) && (pattern == "" || r.in.Matched) {
		r.st.Matched = now
		message := "the start pattern matched"
		if pattern == "" {
			message = ""
		}
		r.emit(journal.Running, message)
	}
}

// processStarted records a run that was not known.
func (r *planner) processStarted(now status.RunID) {
	if old := r.st.Run; old.ContainerID == now.ContainerID && !old.StartedAt.IsZero() && !r.st.Ended.Is(old) {
		r.processExited(old, nil)
	}
	if r.st.Starting == nil {
		r.emit(journal.Starting, "started by somebody else")
	}
	r.st.Run, r.st.Starting, r.st.Completed, r.st.RunSeen, r.st.Remains = now, nil, false, r.in.Now, nil
	if r.st.Get(status.Healthy).Type != "" { // what was found of an earlier run is nothing of this one
		r.set(status.Healthy, status.Unknown, status.ReasonProbing, "")
	}
	r.st.MountsUnverified = nil
	if r.in.VerifyMounts && !r.st.MountsVerified.Is(now) {
		r.st.MountsUnverified = &now
	}
	if r.st.Stopping != nil && !r.st.Stopping.Run.Is(now) {
		r.st.Stopping = nil
	}
	if r.st.Restarting != nil && !r.st.Restarting.Is(now) {
		r.st.RestartHandled, r.st.Restarting = r.st.RestartRequest, nil
	}
}

const (
	oomMessage       = "the kernel killed the process for its memory limit"
	oomScriptMessage = "the install script ran out of memory"
)

// processOOMKilled completes the record of the last exit: the engine may report later than the
// end that the kernel killed the process.
func (r *planner) processOOMKilled() {
	if r.st.LastExit == nil || r.st.LastExit.OOM {
		return
	}
	exit := *r.st.LastExit
	exit.OOM = true
	r.st.LastExit = &exit
	r.emit(journal.OOMKilled, oomMessage)
}

// processExited records the end of a run; c is nil when its end was not observed.
func (r *planner) processExited(ended status.RunID, c *observed.Container) {
	requested := r.st.Stopping != nil && r.st.Stopping.Run.Is(ended) || r.st.MountEscape != nil && r.st.MountEscape.Run.Is(ended)
	unhealthy := r.st.Stopping != nil && r.st.Stopping.Run.Is(ended) && r.st.Stopping.Unhealthy
	r.st.Ended, r.st.Stopping, r.st.MountsUnverified = ended, nil, nil
	if c == nil {
		r.emit(journal.Exited, "its end was not seen")
		return
	}
	exit := status.Exit{Code: c.ExitCode, OOM: c.OOMKilled, At: c.FinishedAt, Signal: signalName(c.ExitCode)}
	r.st.LastExit = &exit
	if exit.OOM {
		r.emit(journal.OOMKilled, oomMessage)
	}
	message := fmt.Sprintf("exit code %d", exit.Code)
	if exit.Signal != "" {
		message += " (" + exit.Signal + ")"
	}
	wanted := requested || r.in.EffectivePower() == desired.PowerStopped || r.in.Spec.Deleting
	r.emit(journal.Exited, message)
	r.events[len(r.events)-1].Failed = !wanted && exit.Code != 0
	r.st.EarlyExit = 0
	if !requested && !c.Unwatched && c.FinishedAt.Sub(c.StartedAt) < status.Settled {
		r.st.EarlyExit = r.st.StartGeneration
	}
	restarts := unhealthy && r.in.EffectivePower() == desired.PowerRunning && !r.in.Spec.Deleting
	if wanted && !restarts {
		r.st.Backoff.Reset()
		return
	}
	r.crash(c, restarts)
}

// crash decides what follows an end that was not requested, or that the failure of the health check was the
// reason of: such a process is started again, however it ended.
func (r *planner) crash(c *observed.Container, unhealthy bool) {
	switch saved := r.st.CrashesBeforeEngineLoss; {
	case c.Unwatched:
	case unhealthy && saved != nil: // by a stop from here: no engine that goes down is the cause
		r.st.CrashesBeforeEngineLoss = &status.CrashesBeforeEngineLoss{Since: saved.Since, Crashes: saved.Crashes + 1}
	case !unhealthy && (saved == nil || r.in.Now.Sub(saved.Since) > engineEnds):
		r.st.CrashesBeforeEngineLoss = &status.CrashesBeforeEngineLoss{Since: r.in.Now, Crashes: r.st.Crashes}
	}
	if !unhealthy && r.completes(c) {
		r.st.Completed = true
		return
	}
	r.st.Restarts++
	if c.Unwatched {
		return
	}
	if c.FinishedAt.Sub(c.StartedAt) >= backoffReset {
		r.st.Crashes = 0
	}
	if r.st.Crashes++; r.st.Crashes == 1 {
		r.st.CrashingSince = r.in.Now
	}
	delay := Backoff(r.st.Crashes, r.in.Jitter)
	if delay == 0 {
		return
	}
	r.st.NotBefore = r.in.Now.Add(delay)
	r.emit(journal.BackOff, fmt.Sprintf("%d ends in a row; next start at %s",
		r.st.Crashes, r.st.NotBefore.UTC().Format(time.RFC3339)))
}

// completes reports whether the restart policy leaves an ended process at rest. An end that nobody
// watched is most likely the doing of an engine or host that went down, by which a program that handles
// SIGTERM ends with exit code 0. That weighs more than the policy on-failure, and less than never.
func (r *planner) completes(c *observed.Container) bool {
	switch r.in.Spec.Restart {
	case desired.RestartNever:
		return !c.Unwatched || !killed(c.ExitCode)
	case desired.RestartOnFailure:
		return c.ExitCode == 0 && !c.Unwatched && !c.EndRequested
	}
	return false
}

// killed separates the exit codes that an engine or host going down leaves behind (SIGKILL,
// SIGTERM, and 255 for a container whose end the engine missed) from a program's own.
func killed(code int) bool { return code == 137 || code == 143 || code == 255 }

// Backoff returns how long to wait after the nth end in a row: nothing after the first,
// then 1 s doubling, each up to a tenth longer by jitter in [0,1), and never more than 5 min.
func Backoff(n int, jitter float64) time.Duration {
	if n <= 1 {
		return 0
	}
	d := backoffMost * 10 / 11
	if shift := n - 2; shift < 9 {
		d = min(backoffFirst<<shift, d)
	}
	return d + time.Duration(jitter*float64(d)/10)
}

// observeReady ends an installation whose container stands as it should.
func (r *planner) observeReady() {
	if r.st.Install.Phase != status.InstallEntrypoint || !r.in.EntrypointOK || !r.fits() || r.unknownRun() {
		return
	}
	r.st.Install.Phase = status.InstallDone
	r.emit(journal.Ready, "")
	r.set(status.Installed, status.True, status.ReasonInstalled, "")
}

// state returns the state of the process.
func (r *planner) state() status.State {
	run := r.in.Seen.Run
	switch {
	case run.Running() && r.st.Stopping != nil:
		return status.StateStopping
	case run.Running() && r.st.Matched.Is(status.RunOf(run)):
		return status.StateRunning
	case run.Running(), r.st.Starting != nil && r.in.EffectivePower() == desired.PowerRunning:
		return status.StateStarting
	case r.st.NotBefore.After(r.in.Now) && r.startsAllowed() && !r.st.Completed:
		return status.StateBackOff
	}
	return status.StateOffline
}

func short(id string) string { return fmt.Sprintf("%.12s", id) }

// signals are the names of the signals that programs usually die of (Linux numbers).
var signals = map[int]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS",
	8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
}

// signalName reads the shell's convention that 128+n is death by signal n.
func signalName(code int) string { return signals[code-128] }
