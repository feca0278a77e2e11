package plan

import (
	"fmt"
	"time"

	"lightd/observed"
	"lightd/observed/journal"
	"lightd/observed/status"
)

func (r *planner) beginInstall() {
	spec := r.in.Spec
	if r.st.Install.Request > 0 {
		r.emit(journal.ReinstallStarted, "")
	}
	r.emit(journal.Started, "")
	r.st.Install = status.Install{
		Request: spec.Requests.Install, Phase: status.InstallPreparing,
	}
	r.st.FailedGeneration, r.st.FailedBy, r.st.ImagePulls = 0, "", nil
	r.set(status.Installed, status.False, status.ReasonInstalling, "")
}

func (r *planner) observeImage() {
	if r.in.Image.Pulling || r.in.InstallImage.Pulling {
		r.st.ImageGeneration = r.in.Spec.Generation
	}
	r.observePull(r.in.Spec.Image, r.in.Image)
	r.observePull(InstallImage(r.in.Spec, r.st), r.in.InstallImage)
	if r.st.Pulling == "" {
		return
	}
	switch r.st.Pulling {
	case r.in.Spec.Image:
		r.observePulled(r.in.Image)
	case InstallImage(r.in.Spec, r.st):
		r.observePulled(r.in.InstallImage)
	default:
		r.st.Pulling = ""
	}
}

func (r *planner) observePulled(image observed.Image) {
	pull, asked := r.st.ImagePulls[r.st.Pulling]
	if image.Present && (!asked || pull.Done) {
		r.emit(journal.ImagePulled, r.st.Pulling)
		r.st.Pulling = ""
	}
}

// observeInstall advances the installation by what can be seen of it.
func (r *planner) observeInstall() {
	in, seen := &r.st.Install, r.in.Seen
	switch in.Phase {
	case status.InstallPreparing: // nothing is made yet, and what comes is made from the spec
		want := r.in.Spec.Installation()
		in.Script, in.Separate = want.Script != "", want.Script != "" && want.Image != ""
		if in.Image = r.in.Spec.Image; in.Separate {
			in.Image = want.Image
		}
	case status.InstallCreating:
		first := seen.Run
		if in.Script {
			first = seen.Install
		}
		if first == nil || in.Script && (first.Install != in.Request || !r.ours(first, in.ContainerID)) || !in.Script && r.unknownRun() {
			return
		}
		if in.Script {
			r.st.CreationMark = ""
		}
		in.Phase, in.ContainerID = status.InstallCreated, first.ContainerID
		r.emit(journal.ContainerCreated, short(first.ContainerID))
	case status.InstallCreated:
		// The container that was created and never started is gone: that harms nothing.
		if in.Script && (seen.Install == nil || seen.Install.ContainerID != in.ContainerID) {
			in.Phase, in.ContainerID = status.InstallCreating, ""
		}
	case status.InstallScript:
		r.observeScript(seen.Install)
	case status.InstallScripted:
		if seen.Install == nil || seen.Install.ContainerID != in.ContainerID {
			r.failInstall(status.ReasonInstallInterrupted, "the install container vanished before what it did was kept")
		}
	}
	r.observeScriptOOM(seen.Install)
}

// observeScriptOOM reports once that the kernel killed a process of an install script. It comes
// after the end of the script is classified, as the engine may report it later than that end.
func (r *planner) observeScriptOOM(c *observed.Container) {
	in := &r.st.Install
	ended := in.Phase != status.InstallScript && c != nil && c.ContainerID == in.ContainerID && c.Phase == observed.Exited
	if !ended || !c.OOMKilled || in.OOMReported {
		return
	}
	in.OOMReported = true
	if killed(c.ExitCode) && r.st.Get(status.Installed).Reason == status.ReasonInstallInterrupted {
		r.set(status.Installed, status.False, status.ReasonInstallScriptFailed, oomScriptMessage)
	}
	r.emit(journal.OOMKilled, "the kernel killed a process of the install script for its memory limit")
}

// observeCopy records once that an installation could not be copied.
func (r *planner) observeCopy() {
	in, failed := &r.st.Install, r.in.Copy.SaveError
	if in.Snapshot == "" {
		failed = ""
	}
	if in.CopyError == failed {
		return
	}
	in.CopyError = failed
	if failed != "" {
		r.emit(journal.SnapshotNotCopied, failed)
	}
}

// observeScript classifies an install script by its container. StartedAt is the evidence
// that it ran; a script that ran is never run again for the same request.
func (r *planner) observeScript(c *observed.Container) {
	in := &r.st.Install
	r.observeLayer()
	r.observeDisk(c)
	switch {
	case c == nil || c.ContainerID != in.ContainerID:
		r.failInstall(status.ReasonInstallInterrupted, "the install container vanished while the script ran")
	case c.StartedAt.IsZero() && r.startLost():
		r.failInstall(status.ReasonInstallInterrupted, "the engine went away while the script was being started: it may have run")
	case c.Running() || c.StartedAt.IsZero() && c.Phase != observed.Removing && c.Phase != observed.Dead:
	case c.Phase == observed.Exited && (c.ExitCode != 0 || in.TimedOut || in.WroteTooMuch()) && !in.OutputSaved:
		// Its output is kept before its failure is recorded: clients read it when the event comes.
	case r.endsUnmeasured(c):
		// What it wrote last is measured before its success is recorded.
	case in.WroteTooMuch():
		r.failInstall(status.ReasonInstallScriptFailed, r.wroteTooMuch())
	case in.TimedOut:
		r.failInstall(status.ReasonInstallTimeout, fmt.Sprintf("the install script took longer than %s", r.installTimeout()))
	case c.Phase != observed.Exited:
		r.failInstall(status.ReasonInstallInterrupted, "the install container was removed while the script ran")
	case c.OOMKilled && c.ExitCode != 0:
		r.failInstall(status.ReasonInstallScriptFailed, oomScriptMessage)
	case c.ExitCode == 0:
		in.Phase = status.InstallScripted
		message := fmt.Sprintf("after %s", c.FinishedAt.Sub(c.StartedAt).Round(time.Millisecond))
		if c.OOMKilled {
			message += "; a process of it was killed for its memory limit, and the installation may lack what that was to do"
		}
		r.emit(journal.InstallScriptComplete, message)
	case in.MissingInterpreter != "":
		r.failInstall(status.ReasonInstallScriptFailed, fmt.Sprintf("the install script's interpreter %s is not in the image", in.MissingInterpreter))
	case killed(c.ExitCode):
		r.failInstall(status.ReasonInstallInterrupted, fmt.Sprintf("the install script was cut off (exit code %d)", c.ExitCode))
	default:
		r.failInstall(status.ReasonInstallScriptFailed, fmt.Sprintf("the install script ended with exit code %d", c.ExitCode))
	}
}

// startLost reports whether the engine may have started the script of a container that it shows
// as never started: one that is killed at that moment loses the record of it. A daemon that was
// killed with it does not know of any response.
func (r *planner) startLost() bool {
	in, seen := &r.st.Install, r.in.Seen
	return in.Unsure && seen.EngineLost.After(in.ScriptAt) || !in.NotStarted && seen.EngineStartedAfter.After(in.ScriptAt)
}

func (r *planner) failInstall(reason status.Reason, message string) {
	r.st.Install.Phase = status.InstallFailed
	r.emit(journal.Error, message)
	r.set(status.Installed, status.False, reason, message)
}
