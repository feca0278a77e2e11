package view

import (
	"cmp"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/kv"
	"lightd/httpapi/api"
	"lightd/httpapi/rest"
	"lightd/observed/status"
)

// shortID is how many digits of a Docker id are shown, as by Docker itself.
const shortID = 12

// Statuses are what the controller recorded.
type Statuses interface {
	Get(id string) (status.Status, bool)
	// Held reports whether what Get returns could not be recorded.
	Held(id string) bool
}

// Engine reports whether Docker can be seen now, from memory.
type Engine interface {
	Up() (up bool, since time.Time)
}

// Viewer makes views of containers.
type Viewer struct {
	Statuses Statuses
	Engine   Engine
	// Space is what is left on the disk.
	Space func() kv.Space
	// NextAttempt is when what has failed, or is blocked, is tried again.
	NextAttempt func(id string) plan.Attempt
}

// Container is a container as GET shows it.
func (v *Viewer) Container(c desired.Container) api.Container {
	now := v.EngineStatus()
	shown := v.Capture(c, now)()
	if now.Up {
		next := v.NextAttempt(c.InternalID)
		shown.NextAttemptAt, shown.Attempt = next.At, next.Number
	}
	return shown
}

// Capture takes what is recorded of a container now, and returns what makes its view of that.
func (v *Viewer) Capture(c desired.Container, now status.EngineStatus) func() api.Container {
	st := v.Status(c.InternalID)
	space, held := v.Space(), v.Statuses.Held(c.InternalID)
	return func() api.Container { return Show(c, withSpace(st, space, held), now) }
}

// Status is what is recorded of a container; the zero Status where nothing is.
func (v *Viewer) Status(id string) status.Status {
	st, _ := v.Statuses.Get(id)
	return st
}

// withSpace adds to a status that the disk is full, and whether what is shown is recorded.
func withSpace(st status.Status, space kv.Space, held bool) status.Status {
	if space.Level != kv.SpaceFull && !held {
		return st
	}
	c := status.Condition{Type: status.DiskFull, Status: status.True, Reason: status.ReasonRecording,
		Message: space.Full().Error(), ObservedGeneration: st.ObservedGeneration}
	if held {
		c.Reason, c.Message = status.ReasonUnrecorded, c.Message+". What is shown is from memory: there is no room to record it"
	}
	st = st.Clone()
	st.Set(c, space.Since)
	return st
}

// Show is what a client sees of a container.
func Show(c desired.Container, st status.Status, now status.EngineStatus) api.Container {
	shown := api.Container{
		InternalID: c.InternalID, ContainerID: ShortID(st.ContainerID), VolumeID: c.VolumeID,
		Image: c.Image, StartupCommand: c.StartupCommand, StartPattern: c.StartPattern,
		InstallState: InstallState(c, st), State: stateAt(st, now), Power: c.Power,
		Ports: rest.OrEmpty(c.Ports), Limits: c.Limits, Mount: orEmptyMap(c.Mount), InstallScript: c.InstallScript,
		Env: orEmptyMap(c.Env), Labels: orEmptyMap(c.Labels), Stop: c.Stop, Restart: c.Restart,
		User: c.User, Hostname: c.Hostname, ReadOnly: c.ReadOnly, Tmpfs: orEmptyMap(c.Tmpfs), Network: cmp.Or(c.Network, desired.NetworkDefault), TTY: c.TTY, Init: c.Init, ImagePolicy: c.ImagePolicy, ImagePull: c.ImagePull, Paused: c.Paused, Suspended: c.Suspended, Health: c.Health, Install: c.Install, QuotaExceeded: c.QuotaExceeded,
		Generation: c.Generation, ObservedGeneration: st.ObservedGeneration, Conditions: conditionsAt(st, now),
		Restarts: st.Restarts, LastExit: st.LastExit, Deleting: c.Deleting,
		CreatedAt: Unix(c.CreatedAt), UpdatedAt: Unix(c.UpdatedAt),
	}
	shown.Summary = Summarize(shown, st.Backoff)
	return shown
}

// Summary is a container as a list shows it.
func (v *Viewer) Summary(c desired.Container) api.Summary {
	st := v.Status(c.InternalID)
	return api.Summary{
		InternalID: c.InternalID, ContainerID: ShortID(st.ContainerID), InstallState: InstallState(c, st),
		Image: c.Image, VolumeID: c.VolumeID, State: v.State(st), Power: c.Power, Suspended: c.Suspended, Ports: rest.OrEmpty(c.Ports), Labels: orEmptyMap(c.Labels),
		Generation: c.Generation, ObservedGeneration: st.ObservedGeneration, Deleting: c.Deleting,
	}
}

// InstallState is that of a container. A request that no installation was started for counts as started,
// so that no client sees the end of an earlier installation as that of its own.
func InstallState(c desired.Container, st status.Status) status.InstallState {
	if st.InstallState == "" || st.Install.Request < c.Requests.Install {
		return status.Installing
	}
	return st.InstallState
}

// InstallFailed reports whether the installation itself failed for good, which only a
// reinstall repairs; install_state is failed in more cases than that.
func InstallFailed(c desired.Container, st status.Status) bool {
	return st.Install.Request >= c.Requests.Install && st.Install.Phase == status.InstallFailed
}

// EngineStatus is whether Docker can be seen now.
func (v *Viewer) EngineStatus() status.EngineStatus {
	up, since := v.Engine.Up()
	return status.EngineStatus{Up: up, Since: since}
}

// State is what the process does now, as far as that is known.
func (v *Viewer) State(st status.Status) status.State { return stateAt(st, v.EngineStatus()) }

// Conditions are those of a status as they are shown now.
func (v *Viewer) Conditions(st status.Status) []status.Condition {
	return conditionsAt(st, v.EngineStatus())
}

func stateAt(st status.Status, now status.EngineStatus) status.State {
	switch {
	case !now.Up:
		return status.StateUnknown
	case st.State == "":
		return status.StateOffline
	}
	return st.State
}

// conditionsAt are those that were recorded. While the engine cannot be seen, what rests on
// seeing it is unknown, and says so.
func conditionsAt(st status.Status, now status.EngineStatus) []status.Condition {
	if now.Up {
		return rest.OrEmpty(st.Conditions)
	}
	shown := st.Clone()
	unseen := []status.ConditionType{status.ProcessStarted, status.ProcessRunning, status.Synced}
	if c := st.Get(status.Healthy); c.Type != "" && c.Reason != status.ReasonNotProbed {
		unseen = append(unseen, status.Healthy)
	}
	for _, t := range unseen {
		shown.Set(status.Condition{Type: t, Status: status.Unknown, Reason: status.ReasonEngineDown,
			Message: "the engine does not answer", ObservedGeneration: st.ObservedGeneration}, now.Since)
	}
	return shown.Conditions
}

// ShortID is an id of Docker as Docker shows it.
func ShortID(id string) string { return id[:min(len(id), shortID)] }

// Unix is a time in seconds since 1970, and 0 for none.
func Unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func orEmptyMap[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}
