package wait

import (
	"fmt"
	"strings"
	"time"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/observed/status"
)

// Gone is the goal of a deletion: there is no such container any more. No client asks for
// it by name.
const Gone api.Goal = "gone"

// Target is what a write waits for.
type Target struct {
	Goal api.Goal
	ID   string
	// Created tells the container of the write from a later one of its id.
	Created time.Time
	// Generation is that of the write, Install its installation request.
	Generation, Install int64
	// Began is when the wait began.
	Began time.Time
}

// TargetOf returns the target of a write that has left c, for a wait that begins now.
func TargetOf(goal api.Goal, c desired.Container) Target {
	return Target{Goal: goal, ID: c.InternalID, Created: c.CreatedAt, Generation: c.Generation, Install: c.Requests.Install, Began: time.Now()}
}

// Observation is a container as it is now.
type Observation struct {
	Container desired.Container
	Found     bool
	Status    status.Status
	EngineUp  bool
	// Cordoned is true while the operator has the node out of service.
	Cordoned bool
	Now      time.Time
}

// Outcome is what a Sight means for a Target. Reason and Message say why it is so; of a
// wait that goes on, what it waits for.
type Outcome struct {
	Done, Met bool
	Reason    status.Reason
	Message   string

	// again is when time alone may change the verdict; 0 for never.
	again time.Duration
}

func met(reason status.Reason, message string) Outcome {
	return Outcome{Done: true, Met: true, Reason: reason, Message: message}
}

func unreachable(reason status.Reason, message string) Outcome {
	return Outcome{Done: true, Reason: reason, Message: message}
}

func because(c status.Condition) Outcome { return unreachable(c.Reason, c.Message) }

// Evaluate returns the verdict on t when s is seen.
func (t Target) Evaluate(s Observation) Outcome {
	if !s.Found || !s.Container.CreatedAt.Equal(t.Created) {
		if t.Goal == Gone || t.Goal == api.UntilStopped {
			return met(status.ReasonDeleting, "the container is gone")
		}
		return unreachable(status.ReasonDeleting, "the container was deleted")
	}
	if v := t.reached(s); v.Done {
		return v
	}
	if v := t.failed(s); v.Done {
		return v
	}
	return t.pending(s)
}

// observed reports whether the controller has seen what was written, and needs no more steps
// for it.
func (t Target) observed(s Observation) bool { return s.Status.ObservedGeneration >= t.Generation }

// since reports whether a condition speaks of what was written.
func (t Target) since(c status.Condition) bool { return c.ObservedGeneration >= t.Generation }

// reached is a verdict when the goal holds. What the engine alone can show is believed while
// it is in sight.
func (t Target) reached(s Observation) Outcome {
	st := s.Status
	switch t.Goal {
	case api.UntilInstalled:
		if st.Install.Request >= t.Install && st.Install.Phase == status.InstallDone && st.InstallState != status.Failed {
			return met(status.ReasonInstalled, "")
		}
	case api.UntilRunning:
		if running := st.Get(status.ProcessRunning); t.up(s) && s.settles() <= 0 {
			return met(running.Reason, running.Message)
		}
	case api.UntilStopped:
		// A process that is down and that nothing starts is stopped, whatever else is still
		// to be done: an installation may take long.
		started := st.Get(status.ProcessStarted)
		ending := s.Container.EffectivePower() == desired.PowerStopped || s.Container.Deleting
		if s.EngineUp && ending && t.since(started) && started.Status == status.False && st.Starting == nil {
			return met(started.Reason, started.Message)
		}
	case api.UntilSynced:
		synced := st.Get(status.Synced)
		if s.EngineUp && t.observed(s) && t.since(synced) && synced.Status == status.True {
			return met(synced.Reason, synced.Message)
		}
	}
	return Outcome{}
}

// up reports whether the process runs as it was written to.
func (t Target) up(s Observation) bool {
	return s.EngineUp && t.observed(s) && s.Status.State == status.StateRunning
}

// settles returns how long a process that runs must last yet before it counts. One whose
// start pattern has matched has said so itself, and a record of an older version has no time.
func (s Observation) settles() time.Duration {
	if s.Container.StartPattern != "" || s.Status.RunSeen.IsZero() {
		return 0
	}
	return s.Status.RunSeen.Add(status.Settled).Sub(s.Now)
}

// failed is a verdict when nothing but another write, or somebody's hand, can bring the goal
// about. What is tried again by itself has not failed.
func (t Target) failed(s Observation) Outcome {
	later := s.Container.Generation > t.Generation
	switch t.Goal {
	case Gone:
		return Outcome{}
	case api.UntilStopped:
		return t.stopFailed(s, later)
	}
	synced := s.Status.Get(status.Synced)
	switch {
	case s.Container.Deleting:
		return unreachable(status.ReasonDeleting, "the container is being deleted")
	case later && t.Goal == api.UntilRunning && s.Container.EffectivePower() == desired.PowerStopped:
		return unreachable(api.ReasonOvertaken, "a later write stopped it")
	case s.Status.Install.Phase == status.InstallFailed && s.Status.Install.Request >= t.Install:
		return because(s.Status.Get(status.Installed))
	case t.Goal == api.UntilRunning && t.observed(s) && s.Status.Get(status.ProcessStarted).Status == status.True:
		return t.ended(s) // nothing keeps it down: what is out of sync beside it does not count
	}
	if v := t.blocked(s, synced); v.Done || t.Goal != api.UntilRunning {
		return v
	}
	if v := t.blocked(s, s.Status.Get(status.ProcessStarted)); v.Done {
		return v
	}
	return t.ended(s)
}

// ended is a verdict when the process stays down, or was up for too short a time to count on
// the next start.
func (t Target) ended(s Observation) Outcome {
	if v := t.rested(s); v.Done || s.Status.EarlyExit < t.Generation || s.Status.LastExit == nil {
		return v
	}
	if s.Status.Completed { // while its start is still under way
		return unreachable(status.ReasonExited, fmt.Sprintf("the process ended (exit code %d) and its restart policy is %s", s.Status.LastExit.Code, s.Container.Restart))
	}
	return unreachable(status.ReasonExited, fmt.Sprintf("the process ended within %s (exit code %d)", status.Settled, s.Status.LastExit.Code))
}

// rested is a verdict when the process has ended and its restart policy leaves it so.
func (t Target) rested(s Observation) Outcome {
	started := s.Status.Get(status.ProcessStarted)
	if !s.Status.Completed || !t.observed(s) || !t.since(started) || started.Status != status.False {
		return Outcome{}
	}
	return unreachable(started.Reason, fmt.Sprintf("the process ended (%s) and its restart policy is %s", started.Message, s.Container.Restart))
}

// stopFailed is failed for a process that is to end. Only what is paused is left running.
func (t Target) stopFailed(s Observation, later bool) Outcome {
	synced := s.Status.Get(status.Synced)
	switch {
	case s.Container.Deleting:
		return Outcome{}
	case later && s.Container.EffectivePower() == desired.PowerRunning:
		return unreachable(api.ReasonOvertaken, "a later write started it")
	case t.since(synced) && synced.Reason == status.ReasonPaused:
		return because(synced)
	}
	return Outcome{}
}

// pending says what a wait waits for.
func (t Target) pending(s Observation) Outcome {
	v := t.waitsFor(s)
	if left := t.patienceLeft(s); left > 0 && (v.again == 0 || left < v.again) {
		v.again = left
	}
	return v
}

func (t Target) waitsFor(s Observation) Outcome {
	synced, running := s.Status.Get(status.Synced), s.Status.Get(status.ProcessRunning)
	switch {
	case !s.EngineUp:
		return Outcome{Reason: status.ReasonEngineDown, Message: "the engine does not answer"}
	case t.Goal == api.UntilRunning && t.up(s):
		return Outcome{Reason: status.ReasonStarting, Message: "the process has been up for less than " + status.Settled.String(), again: s.settles()}
	case t.since(synced) && synced.Status == status.False:
		return Outcome{Reason: synced.Reason, Message: synced.Message}
	case t.Goal == api.UntilRunning && t.observed(s) && running.Status == status.False:
		return Outcome{Reason: running.Reason, Message: running.Message}
	}
	return Outcome{Reason: status.ReasonProgressing, Message: "it has not been dealt with yet"}
}

// String is v for people, as in "ImageUnavailable: not found".
func (v Outcome) String() string {
	return strings.TrimSuffix(string(v.Reason)+": "+v.Message, ": ")
}
