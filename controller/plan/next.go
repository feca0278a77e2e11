package plan

import (
	"fmt"
	"slices"
	"time"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/drift"
	"lightd/observed/status"
)

// Slow retries of what only an external change can fix.
const (
	BlockedRetry  = 15 * time.Second // a busy port, a name in use; the longest delay
	pullRetry     = 30 * time.Second // an image that cannot be had
	pullRetryMost = 5 * time.Minute  // one that its registry refuses, after several times
	killRetry     = 10 * time.Second // a SIGKILL that did not end the process
	hostFresh     = 30 * time.Second // how long a check of the host stays valid
	settleSoon    = time.Second      // a removal under way in Docker
)

// remainsRefused is after how many refused starts the remains of an earlier run are taken to stay.
const remainsRefused = 3

// BlockedDelay returns the delay after a number of failures in a row of one external cause: it doubles from a
// second up to most.
func BlockedDelay(failures int, most time.Duration) time.Duration {
	return min(time.Second<<min(max(failures-1, 0), 20), most)
}

// next is a step, or the reason why there is none.
type next struct {
	step *Step
	// wait, when not empty, is what the spec waits for. Of a step that repeats a failed one it is
	// why that failed, which stays so until this one ends.
	wait    status.Reason
	message string
	after   time.Duration
	// retrying is true while what has failed is being tried again: wait is why it failed the last time.
	retrying bool
	// attempt is when what is waited for is tried again.
	attempt Attempt
	// pending is the step that follows by itself once the wait is over; empty where that depends.
	pending Kind
	// upToDate is true when the present generation needs nothing more.
	upToDate bool
}

func step(k Kind, reason string) next { return next{step: &Step{Kind: k, Reason: reason}} }

func (n next) on(c *observed.Container) next {
	n.step.Target = c.ContainerID
	return n
}

func (n next) from(image string) next {
	n.step.Image = image
	return n
}

// repeats marks a step that is tried again after failures at a pace of its own.
func (n next) repeats(failures int) next {
	n.step.Repeats = failures > 0
	return n
}

func waitFor(reason status.Reason, message string, after time.Duration) next {
	return next{wait: reason, message: message, after: after}
}

// then names the step that follows the wait.
func (n next) then(k Kind) next {
	n.pending = k
	return n
}

// next chooses the step; see the package comment for what wins over what.
func (r *planner) next() next {
	switch {
	case r.in.Spec.Deleting:
		return r.nextDelete()
	case r.in.Spec.Paused:
		return r.nextPaused()
	case r.in.Node.Cordon != nil:
		return r.nextCordoned()
	}
	return r.nextActive()
}

// nextPaused touches nothing, and reports what it would do.
func (r *planner) nextPaused() next {
	if r.in.Spec.Requests.Install > r.st.Install.Request {
		return next{wait: status.ReasonPaused, message: "paused; an installation that was asked for would begin", upToDate: true}
	}
	n := r.nextActive()
	if n.step == nil && n.wait == "" {
		return n
	}
	message := "paused; it waits: " + n.message
	if n.step != nil {
		message = fmt.Sprintf("paused; it would take the step %s: %s", n.step.Kind, n.step.Reason)
	}
	return next{wait: status.ReasonPaused, message: message, upToDate: true}
}

// nextActive gives ports back before it waits: whatever it waits for may never come.
func (r *planner) nextActive() next {
	n := r.nextOfPhase()
	if n.step != nil {
		return n
	}
	if free, ok := r.release(); ok {
		return free
	}
	return n
}

// nextOfPhase stops what is to be stopped before all else, which may have to wait for an
// image or a port.
func (r *planner) nextOfPhase() next {
	if r.in.Seen.Run.Running() && r.in.EffectivePower() == desired.PowerStopped {
		return r.stop(r.stoppedReason(), r.in.Spec.Kill)
	}
	switch {
	case r.st.FailedGeneration == r.in.Spec.Generation:
		return r.nextRefused()
	case r.st.Install.Phase != status.InstallDone:
		return r.nextInstall()
	}
	return r.nextSteady()
}

// nextRefused leaves all as it is, but for a container whose script was not to be started, and
// for one that differs from its spec: that may be why.
func (r *planner) nextRefused() next {
	if r.in.Seen.Install != nil {
		return r.removeInstall("the engine refuses to start the script")
	}
	if reason := r.replaceRefused(); reason != "" {
		return r.replace(reason)
	}
	if r.imageReplaced() && r.in.Seen.Run != nil {
		return r.replace("the tag " + r.in.Spec.Image + " is another image now")
	}
	c := r.st.Get(status.Installed)
	if !c.Reason.GivenUp() {
		c = r.st.Get(status.Synced)
	}
	if !c.Reason.GivenUp() {
		c.Reason = status.ReasonRefused
	}
	return next{wait: c.Reason, message: c.Message, upToDate: true}
}

func (r *planner) nextDelete() next {
	seen := r.in.Seen
	if c := seen.Install; c != nil {
		if c.Phase == observed.Removing {
			return waitFor(status.ReasonDeleting, "the install container is being removed", settleSoon)
		}
		return step(RemoveInstallContainer, "the container is being deleted").on(c)
	}
	if c := seen.Run; c != nil {
		return r.remove("the container is being deleted")
	}
	return step(Finalize, "the container is being deleted")
}

// remove stops the runtime container if need be, and removes it.
func (r *planner) remove(reason string) next {
	c := r.in.Seen.Run
	switch {
	case c.Phase == observed.Removing:
		return waitFor(status.ReasonProgressing, "the container is being removed", settleSoon)
	case c.Running():
		return r.stop(reason, r.in.Spec.Kill && r.in.EffectivePower() == desired.PowerStopped)
	}
	return step(RemoveContainer, reason).on(c)
}

// nextSteady keeps an installed container as its spec describes it.
func (r *planner) nextSteady() next {
	in, run := r.in, r.in.Seen.Run
	if request := r.st.Stopping; request != nil && run.Running() && request.Run.Is(status.RunOf(run)) {
		return r.stop(request.Reason, in.Spec.Kill && in.EffectivePower() == desired.PowerStopped)
	}
	if run == nil {
		return r.create("the container does not exist")
	}
	if r.unknownRun() {
		return r.replace(unknownMessage)
	}
	if unverified := r.st.MountsUnverified; unverified != nil && run.Running() && unverified.Is(status.RunOf(run)) {
		return step(VerifyMounts, "its mounts were not compared with the host since it was started").on(run)
	}
	if r.snapshotUntagged() && in.RunImage.Present {
		return step(RestoreSnapshot, "somebody took the name of the image that keeps the installation").on(run).from(r.image())
	}
	if len(r.fixedBy(RenameContainer)) > 0 {
		if other := in.Seen.RunNameTaken; other != nil {
			return r.nameTaken(observed.RunName(in.Spec.InternalID), other)
		}
		return step(RenameContainer, "somebody named it "+run.Name).on(run)
	}
	if reason := r.recreate(); reason != "" {
		return r.replace(reason)
	}
	if n, ok := r.release(); ok {
		return n
	}
	if differ := r.fixedBy(UpdateLimits); len(differ) > 0 {
		return r.updateLimits(differ)
	}
	if where := r.misplaced(); where != "" {
		if n := r.power(); n.step != nil && n.step.Kind != StartContainer {
			return n
		}
		return next{wait: status.ReasonMountUnavailable, upToDate: true, after: BlockedRetry, message: where}
	}
	if !in.EntrypointOK {
		return step(WriteEntrypoint, "entrypoint.sh is not as the spec wants it")
	}
	n := r.power()
	if n.step != nil || n.wait != "" {
		return n
	}
	if other := r.nextSnapshot(); other.step != nil || other.wait != "" {
		return other.noLaterThan(n)
	}
	if other := r.nextPublished(); other.wait != "" {
		return other.noLaterThan(n)
	}
	if other := r.nextEnforced(); other.wait != "" {
		return other.noLaterThan(n)
	}
	return n
}

// create makes the runtime container once all that it needs is there.
func (r *planner) create(reason string) next {
	if other := r.in.Seen.RunNameTaken; other != nil {
		return r.nameTaken(observed.RunName(r.in.Spec.InternalID), other)
	}
	if n, ok := r.needImage(); !ok {
		return n
	}
	if !r.in.EntrypointOK && r.st.Install.Phase == status.InstallDone {
		return step(WriteEntrypoint, "entrypoint.sh is not as the spec wants it")
	}
	return step(CreateContainer, reason).from(r.image())
}

// nameTaken waits for a name. What another Lightd made is not taken over: its daemon may
// only be down, and its volumes are in a directory that is not ours.
func (r *planner) nameTaken(name string, other *observed.Foreign) next {
	message := fmt.Sprintf("the name %s is held by container %.12s, which is not ours", name, other.ContainerID)
	if other.Instance != "" {
		message = fmt.Sprintf("the name %s is held by container %.12s of another Lightd instance, %s: "+
			"either that instance's data directory is the one to run, or remove the container and this one is made",
			name, other.ContainerID, other.Instance)
	}
	n := waitFor(status.ReasonNameTaken, message, BlockedRetry).then(CreateContainer)
	if name == observed.InstallName(r.in.Spec.InternalID) {
		n.pending = CreateInstallContainer
	}
	return n
}

// unknownMessage is why a container that has the labels of ours is removed.
const unknownMessage = "somebody else created it with the labels of this container"

// recreate returns why Docker cannot change the container in place; empty when it can.
func (r *planner) recreate() string {
	run, spec := r.in.Seen.Run, r.in.Spec
	differ := r.fixedBy(CreateContainer)
	has := func(path string) bool {
		return slices.ContainsFunc(differ, func(f Field) bool { return f.Path == path })
	}
	switch {
	case run.Phase == observed.Dead:
		return "Docker could not remove the container"
	case r.hasRemains():
		return "the engine has remains of an earlier run of it, and does not start it"
	case len(differ) == 0:
		return ""
	case !r.fits():
		return changedReason(differ)
	case has(drift.Image):
		return "the tag " + spec.Image + " is another image now"
	case has(drift.Networks):
		return "it was disconnected from its network"
	case has("mount." + blueprint.Home), has("mount." + blueprint.Data):
		return "its directories are elsewhere now"
	case has(drift.OOMDisable):
		return "whether the kernel kills it for memory is fixed when it is created"
	case slices.ContainsFunc(limitPaths, has):
		return "a limit was taken away, and Docker can only change limits"
	}
	return "Docker shows otherwise than it should be made: " + pathsOf(differ)
}

// hasRemains reports whether the engine has refused to start the container for remains of an earlier run, so often that
// they do not go away, and no other container was put in its place for that.
func (r *planner) hasRemains() bool {
	remains, run := r.st.Remains, r.in.Seen.Run
	return remains != nil && !remains.Recreated && remains.Refused >= remainsRefused && !run.Running() &&
		remains.ContainerID == run.ContainerID && r.in.EffectivePower() == desired.PowerRunning
}

// replace checks all that can fail before the old container goes.
func (r *planner) replace(reason string) next {
	if n, ok := r.needImage(); !ok {
		return n
	}
	hash, check := r.in.Spec.Hash(r.image()), r.in.Host
	age, delay := r.in.Now.Sub(check.At), BlockedDelay(check.Failures, BlockedRetry)
	switch {
	case check.Hash == hash && check.Reason != "" && age < delay:
		n := waitFor(check.Reason, check.Message, delay-age).then(CheckHost)
		n.attempt = Attempt{check.At.Add(delay), check.Failures + 1}
		return n
	case check.Hash != hash:
		return step(CheckHost, reason)
	case check.Reason != "" || age > hostFresh:
		return step(CheckHost, reason).repeats(check.Failures)
	}
	return r.remove(reason)
}

// replaceRefused returns why a container that the engine refuses to start is recreated: what it
// differs in may be what is refused. Once a generation is enough.
func (r *planner) replaceRefused() string {
	run := r.in.Seen.Run
	if run == nil || run.Running() || r.st.Install.Phase != status.InstallDone || r.st.ReplacedGeneration == r.in.Spec.Generation {
		return ""
	}
	var differ []Field
	for _, f := range r.fields() {
		if f.Kind != drift.MovedTag && !f.futile {
			differ = append(differ, f)
		}
	}
	if len(differ) == 0 {
		return ""
	}
	return "the engine refuses to start it, and it differs from its spec in " + pathsOf(differ)
}

// escaped waits where a mount led elsewhere when the container was last started.
func (r *planner) escaped() (next, bool) {
	escape := r.st.MountEscape
	if escape == nil {
		return next{}, false
	}
	left := escape.NotBefore.Sub(r.in.Now)
	if left <= 0 {
		return next{}, false
	}
	n := waitFor(status.ReasonMountEscaped, fmt.Sprintf("%s was not mounted from %s but from %s, and the process was killed; next start at %s",
		escape.Target, escape.Source, escape.Found, escape.NotBefore.UTC().Format(time.RFC3339)), left)
	n.upToDate = true
	return n, true
}

// stoppedReason is why the process is not to run.
func (r *planner) stoppedReason() string {
	if r.in.Spec.Suspended {
		return "the container is suspended"
	}
	if r.in.stoppedByQuota() {
		return "its volume is over its quota"
	}
	if r.in.Spec.Power == desired.PowerRunning {
		return "the node is drained"
	}
	return "power is stopped"
}

// power brings the process to the power state of the spec.
func (r *planner) power() next {
	spec, run := r.in.Spec, r.in.Seen.Run
	restart := spec.Requests.Restart > r.st.RestartHandled
	switch {
	case run.Running() && r.in.EffectivePower() == desired.PowerStopped:
		return r.stop(r.stoppedReason(), spec.Kill)
	case run.Running() && restart:
		return r.stop("a restart was asked for", false)
	case run.Phase == observed.Paused:
		return r.unpause(run, "the process is frozen")
	case r.unhealthy():
		return r.stopUnhealthy()
	case run.Running(), r.in.EffectivePower() == desired.PowerStopped:
		return next{upToDate: true}
	case run.Phase == observed.Removing:
		return waitFor(status.ReasonProgressing, "the container is being removed", settleSoon)
	}
	if n, waits := r.escaped(); waits {
		return n
	}
	switch {
	case restart:
		return step(StartContainer, "a restart was asked for").on(run)
	case r.st.Completed:
		return next{upToDate: true}
	}
	if left := r.st.NotBefore.Sub(r.in.Now); left > 0 {
		n := waitFor(status.ReasonBackOff, fmt.Sprintf("the process ended %d times in a row; next start at %s",
			r.st.Crashes, r.st.NotBefore.UTC().Format(time.RFC3339)), left)
		n.attempt = Attempt{r.st.NotBefore, r.st.Crashes + 1}
		n.upToDate = true
		return n
	}
	return step(StartContainer, "power is running").on(run)
}
