package plan

import (
	"cmp"
	"fmt"
	"time"

	"lightd/observed"
	"lightd/observed/status"
)

// nextInstall takes the next step of the installation under way.
func (r *planner) nextInstall() next {
	switch r.st.Install.Phase {
	case status.InstallPreparing:
		return r.nextPrepare()
	case status.InstallCreating:
		return r.nextFirst()
	case status.InstallCreated:
		if r.st.Install.Script {
			return step(StartInstallScript, "the installation has a script").on(r.in.Seen.Install)
		}
		return step(WriteEntrypoint, "the container was created")
	case status.InstallScript:
		return r.nextScript()
	case status.InstallScripted:
		return step(KeepInstallation, "the install script ended well").on(r.in.Seen.Install)
	case status.InstallKept:
		if c := r.in.Seen.Install; c != nil {
			return r.removeInstall("what the script did is kept")
		}
		return step(WriteEntrypoint, "the installation is kept")
	case status.InstallEntrypoint:
		return r.nextEntrypoint()
	}
	return r.nextInstallFailed()
}

// nextPrepare gets the image and removes the old containers before the first effect.
func (r *planner) nextPrepare() next {
	seen, id := r.in.Seen, r.in.Spec.InternalID
	if seen.Install != nil {
		return r.removeInstall("it is left over from an earlier installation")
	}
	if seen.InstallNameTaken != nil && r.st.Install.Script {
		return r.nameTaken(observed.InstallName(id), seen.InstallNameTaken)
	}
	if seen.RunNameTaken != nil {
		return r.nameTaken(observed.RunName(id), seen.RunNameTaken)
	}
	if n, ok := r.needImage(); !ok {
		return n
	}
	if n, ok := r.needInstallImage(); !ok {
		return n
	}
	if seen.Run != nil {
		return r.remove("a new installation begins")
	}
	return r.nextFirst()
}

// nextFirst creates the first container of the installation.
func (r *planner) nextFirst() next {
	if !r.st.Install.Script {
		if r.in.Seen.Run != nil {
			return r.remove(unknownMessage)
		}
		return r.create("the installation needs a container")
	}
	if other := r.in.Seen.InstallNameTaken; other != nil {
		return r.nameTaken(observed.InstallName(r.in.Spec.InternalID), other)
	}
	if n, ok := r.needInstallImage(); !ok {
		return n
	}
	if r.in.Seen.Install != nil {
		return r.removeInstall("it does not belong to this installation")
	}
	return step(CreateInstallContainer, "the install script needs a container").from(r.st.Install.Image)
}

func (r *planner) removeInstall(reason string) next {
	c := r.in.Seen.Install
	if c.Phase == observed.Removing {
		return waitFor(status.ReasonProgressing, "the install container is being removed", settleSoon).then(RemoveInstallContainer)
	}
	return step(RemoveInstallContainer, reason).on(c)
}

func (r *planner) nextScript() next {
	c := r.in.Seen.Install
	if r.endsUnmeasured(c) {
		return step(MeasureInstallation, "the install script ended well").on(c)
	}
	if !c.Running() && !c.StartedAt.IsZero() {
		return step(SaveInstallOutput, "the install script failed").on(c)
	}
	if !c.Running() {
		return step(StartInstallScript, "the start of the script was recorded and did not happen").on(c)
	}
	left := r.st.Install.ScriptAt.Add(r.installTimeout()).Sub(r.in.Now)
	inTime := left > 0 && !r.st.Install.TimedOut && !r.st.Install.WroteTooMuch()
	switch {
	case c.Phase == observed.Paused && inTime:
		n := r.unpause(c, "the install script is frozen")
		if n.step == nil {
			n.wait, n.upToDate, n.after = status.ReasonProgressing, false, min(n.after, left)
		}
		return n
	case c.Phase == observed.Paused:
		return step(UnpauseContainer, "the install script is frozen").on(c)
	case inTime:
		return r.measure(c, waitFor(status.ReasonProgressing, "the install script runs", left).then(KeepInstallation))
	case r.st.Install.WroteTooMuch():
		return step(KillInstallScript, r.wroteTooMuch()).on(c)
	}
	return step(KillInstallScript, fmt.Sprintf("the install script took longer than %s", r.installTimeout())).on(c)
}

// installTimeout bounds the script: by the spec, which may change that while the script runs, else by the operator.
func (r *planner) installTimeout() time.Duration {
	return cmp.Or(time.Duration(r.in.Spec.Installation().Timeout), r.in.InstallTimeout)
}

func (r *planner) nextEntrypoint() next {
	if !r.in.EntrypointOK {
		return step(WriteEntrypoint, "entrypoint.sh is not as the spec wants it")
	}
	if r.in.Seen.Run == nil {
		return r.create("the installation is complete")
	}
	return r.replace("the spec changed during the installation")
}

func (r *planner) nextInstallFailed() next {
	if c := r.in.Seen.Install; c != nil {
		return r.removeInstall("the installation failed")
	}
	return next{wait: status.ReasonInstallFailed, message: r.st.Get(status.Installed).Message, upToDate: true}
}
