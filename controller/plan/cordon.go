package plan

import (
	"time"

	"lightd/desired"
	"lightd/observed/status"
)

// Node is the state of the node that a decision rests on. The zero value is a node in service.
type Node struct {
	// Cordon is nil while nothing new is held back.
	Cordon *desired.Cordon
	// DrainTurn is true while the node is drained and the process may be stopped now: only some are at once.
	DrainTurn bool
}

// startsAllowed reports whether the process is to be started when it does not run.
func (r *planner) startsAllowed() bool {
	return r.in.Node.Cordon == nil && r.in.EffectivePower() == desired.PowerRunning
}

// drained reports whether the process is to be stopped because the node is drained.
func (in Input) drained() bool { return in.Node.DrainTurn && in.Seen.Run.Running() }

// heldStart reports whether the cordon is what keeps the process from being started.
func (r *planner) heldStart() bool {
	return r.in.Node.Cordon != nil && r.in.EffectivePower() == desired.PowerRunning && r.st.Install.Phase == status.InstallDone && !r.st.Completed
}

// nextCordoned takes the steps that end something, and reports what waits for the end of the cordon. An install script
// that runs keeps its bounds, whatever is requested meanwhile: nothing else would end it.
func (r *planner) nextCordoned() next {
	run, power := r.in.Seen.Run, r.in.EffectivePower()
	ends := run.Running() && (power == desired.PowerStopped || r.st.Stopping != nil && r.st.Stopping.Run.Is(status.RunOf(run)))
	n := r.nextActive()
	waits := n.wait != "" && n.wait != status.ReasonProgressing && (n.attempt != Attempt{} || n.pending != "")
	switch {
	case n.step != nil && (n.step.Kind.Traits().Cordoned || ends && n.step.ends(run.ContainerID) || r.thaws(n.step)):
		return n
	case !ends && r.in.Spec.Requests.Install > r.st.Install.Request && (n.step != nil || !r.in.Seen.Install.Running()):
		return r.held("an installation that was requested begins after that")
	case n.step != nil:
		return r.held("the step " + string(n.step.Kind) + " is taken after that: " + n.step.Reason)
	case waits:
		return r.held(n.message)
	}
	if n.step == nil && n.wait == "" && run.Running() && r.in.Node.Cordon.Drain {
		return r.held("the process is stopped when its turn comes")
	}
	return n
}

// ends reports whether s is part of the stop of a container.
func (s Step) ends(container string) bool {
	return s.Target == container && (s.Kind == StopContainer || s.Kind == KillContainer || s.Kind == UnpauseContainer)
}

// thaws reports whether s has the install script go on that was frozen, or lets it be killed.
func (r *planner) thaws(s *Step) bool {
	return s.Kind == UnpauseContainer && r.in.Seen.Install != nil && s.Target == r.in.Seen.Install.ContainerID
}

// held is what waits for the end of the cordon. The generation is not up to date: what it wants may be among it.
func (r *planner) held(what string) next {
	c := r.in.Node.Cordon
	reason, text := status.ReasonNodeCordoned, "the node is cordoned since "
	if c.Drain {
		reason, text = status.ReasonNodeDrained, "the node is drained since "
	}
	text += c.Since.UTC().Format(time.RFC3339)
	if c.Reason != "" {
		text += " (" + c.Reason + ")"
	}
	return next{wait: reason, message: text + "; " + what}
}
