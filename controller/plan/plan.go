package plan

import (
	"slices"
	"time"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// Step is one effect and the reason for it. Target is the Docker id of the container
// that it acts on, Image the reference that it pulls or creates from.
type Step struct {
	Kind   Kind   `json:"step"`
	Reason string `json:"reason"`
	Target string `json:"-"`
	Image  string `json:"-"`
	// Repeats is true when a step that has a pace of its own has failed before, for the same cause, or
	// is one of many measurements.
	Repeats bool `json:"-"`

	// rung and signal are those of a stop, which its record carries to where it is executed.
	rung   status.StopRung
	signal string
	// unhealthy is true of a stop because the health check failed.
	unhealthy bool
}

// HostCheck is the result of the last check of what a recreation needs of the host.
type HostCheck struct {
	// Hash is the spec hash that it was made for; empty when none was made.
	Hash string
	At   time.Time
	// Reason is empty when nothing stands in the way.
	Reason  status.Reason
	Message string
	// Failures counts the checks in a row that found the same reason for the same spec.
	Failures int
}

// After returns h with its count of failures, which continues that of the check before it.
func (h HostCheck) After(before HostCheck) HostCheck {
	if h.Failures = 0; h.Reason == "" {
		return h
	}
	if h.Failures = 1; before.Hash == h.Hash && before.Reason == h.Reason {
		h.Failures += before.Failures
	}
	return h
}

// Attempt is when what has failed, or waits for an external change, is retried. The zero value is
// none.
type Attempt struct {
	At time.Time `json:"next_attempt_at,omitzero"`
	// Number counts the tries in a row, that one included.
	Number int `json:"attempt,omitempty"`
}

// ReplacedMount is a directory of ours that a process has mounted, though another file is at its
// path by now.
type ReplacedMount struct {
	// Run is the run that has it.
	Run status.RunID
	observed.Mount
	// Found describes what is at the path.
	Found string
}

// Input is all that a decision rests on.
type Input struct {
	Spec   desired.Container
	Status status.Status
	Seen   observed.Snapshot
	// Image is what is known of the spec's image, Snapshot of the installation's own, and InstallImage of
	// the one that InstallImage names.
	Image, Snapshot, InstallImage observed.Image
	// Copy is what is known of the copy of Snapshot in the data directory.
	Copy observed.SnapshotCopy
	// RunImage is what is known of the very image that the runtime container was made
	// from. It need only be there when Snapshot is missing.
	RunImage observed.Image
	// EntrypointOK is true when entrypoint.sh is as the spec wants it.
	EntrypointOK bool
	// HostPaths is what the host has for the container.
	HostPaths blueprint.HostPaths
	// Matched is true when the start pattern has matched in the run that Seen shows.
	Matched bool
	// PatternError is why the start pattern is matched with nothing; empty while it is.
	PatternError string
	// Quota is what is known of the quota of the volume.
	Quota observed.VolumeQuota
	// Health is what the checks of the run that Seen shows have found.
	Health observed.Health
	Host   HostCheck
	// VerifyMounts is true when what is mounted in a process can be inspected from here.
	VerifyMounts bool
	// Replaced are the mounts of our own directories that are not at their paths any more.
	Replaced []ReplacedMount
	Now      time.Time
	// InstallTimeout bounds an install script.
	InstallTimeout time.Duration
	// MaxInstallation bounds the bytes that an install script writes outside of its mounts; 0 is no
	// bound.
	MaxInstallation int64
	// Disk is the engine's, of a container whose install script runs.
	Disk Disk
	// Jitter, in [0,1), spreads backoffs.
	Jitter float64
	// CreationMark is random, for a creation that is decided on.
	CreationMark string
	// Underway is true while a step runs: the observation is then older than the step's effect.
	Underway bool
	// PriorEvents are events of the last step, which come before those of this decision.
	PriorEvents []journal.Event
	// Node is the state of the node.
	Node Node
	// Held are the steps that have failed, with when each may be tried again. They change no
	// decision: Simulate names them.
	Held map[Kind]Attempt
}

// Decision is the answer: what to record, in one transaction, and then what to do.
type Decision struct {
	Status status.Status
	Events []journal.Event
	// Step is nil when there is nothing to do now.
	Step *Step
	// Concurrent is true for a step that may start while the decision is being recorded: the start
	// of a program whose end this very decision records. It may happen twice without harm, as its
	// evidence is the start time that the engine shows.
	Concurrent bool
	// After is when to reconcile again though nothing happens; 0 for never.
	After time.Duration
	// Attempt is when what stands in the way is tried again.
	Attempt Attempt
}

// Decide returns what to record and to do next. It does not change its input.
func Decide(in Input) Decision {
	r := newPlanner(in)
	if !in.Seen.Known || !in.Seen.EngineUp {
		return Decision{Status: r.st, Events: r.events}
	}
	r.observe()
	r.abandonStart()
	r.noteDrift()
	r.forgetReported()
	n := r.next()
	if n.step != nil {
		r.recordIntent(*n.step)
	}
	r.setConditions(n)
	restarts := n.step != nil && n.step.Kind == StartContainer && r.st.Restarting == nil && !r.st.Ended.Is(in.Status.Ended)
	return Decision{Status: r.st, Events: r.events, Step: n.step, Concurrent: restarts, After: n.after, Attempt: n.attempt}
}

// Observe is Decide while a step runs: the observation is recorded and no step is chosen. It never
// advances ObservedGeneration: the running step may still change the observation, so a stop that
// finds nothing to do must not undo a start under way.
func Observe(in Input) Decision {
	r := newPlanner(in)
	if !in.Seen.Known || !in.Seen.EngineUp {
		return Decision{Status: r.st, Events: r.events}
	}
	r.observe()
	r.noteDrift()
	r.forgetReported()
	n := r.next()
	if n.upToDate && n.wait == "" || r.in.Underway && !r.in.Spec.Deleting {
		r.setProcess() // the message of a step stays until it has ended
	} else {
		n.upToDate = false
		r.setConditions(n)
	}
	return Decision{Status: r.st, Events: r.events}
}

// planner is a decision in the making.
type planner struct {
	in     Input
	st     status.Status
	events []journal.Event
	// differing are the fields that do, once compared.
	differing []Field
	compared  bool
}

func newPlanner(in Input) *planner {
	r := &planner{in: in, st: in.Status.Clone(), events: slices.Clone(in.PriorEvents)}
	if r.st.InternalID == "" {
		r.st.InternalID = in.Spec.InternalID
		r.st.InstallState = status.Installing
		r.st.State = status.StateOffline
	}
	return r
}

func (r *planner) emit(t journal.Type, message string) {
	r.events = append(r.events, journal.Event{
		InternalID: r.in.Spec.InternalID, Type: t, Generation: r.in.Spec.Generation, Message: message,
	})
}

// set reports whether the condition changed.
func (r *planner) set(t status.ConditionType, truth status.ConditionStatus, reason status.Reason, message string) bool {
	return r.st.Set(status.Condition{
		Type: t, Status: truth, Reason: reason, Message: message, ObservedGeneration: r.in.Spec.Generation,
	}, r.in.Now)
}

// image returns the reference that the runtime container is made from.
func (r *planner) image() string { return r.st.Install.RunImage(r.in.Spec.Image) }

// fits reports whether the run container is the one that the spec describes.
func (r *planner) fits() bool {
	run := r.in.Seen.Run
	return run != nil && run.Hash == r.in.Spec.Hash(r.image())
}

// ours reports whether a container was created by this daemon: its id is recorded, or it has the
// mark of a creation that was requested. Its labels alone can be copied by whoever reaches the engine.
func (r *planner) ours(c *observed.Container, recorded string) bool {
	mark := r.st.CreationMark
	return c.ContainerID == recorded || mark != "" && c.Labels[observed.LabelCreation] == mark
}

// unknownRun reports whether the runtime container was not created by this daemon.
func (r *planner) unknownRun() bool {
	run := r.in.Seen.Run
	return run != nil && !r.ours(run, r.st.ContainerID)
}
