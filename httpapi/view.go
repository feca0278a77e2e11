package httpapi

import (
	"time"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/observed/status"
)

// readOnly are the fields that a GET returns and no write takes: they are passed over,
// so that what was read can be changed and written back.
var readOnly = []string{
	"container_id", "install_state", "state", "conditions", "generation", "observed_generation",
	"restarts", "last_exit", "next_attempt_at", "attempt", "deleting", "created_at", "updated_at",
}

// shortID is how many digits of a Docker id are shown, as by Docker itself.
const shortID = 12

func (s *Server) view(c desired.Container) api.Container {
	now := s.sight()
	shown := s.shown(c, now)()
	if now.Up {
		next := s.planner.NextAttempt(c.InternalID)
		shown.NextAttemptAt, shown.Attempt = next.At, next.Number
	}
	return shown
}

// shown takes what is known of a container, and returns what makes of it what a client sees.
func (s *Server) shown(c desired.Container, now status.EngineStatus) func() api.Container {
	st, _ := s.statuses.Get(c.InternalID)
	space, held := s.database.Space(), s.statuses.Held(c.InternalID)
	return func() api.Container { return show(c, withSpace(st, space, held), now) }
}

// withSpace adds to a status that the disk is full, and whether what is shown is recorded.
func withSpace(st status.Status, space store.Space, held bool) status.Status {
	if space.Level != store.SpaceFull && !held {
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

// show is what a client sees of a container.
func show(c desired.Container, st status.Status, now status.EngineStatus) api.Container {
	return api.Container{
		InternalID: c.InternalID, ContainerID: short(st.ContainerID), VolumeID: c.VolumeID,
		Image: c.Image, StartupCommand: c.StartupCommand, StartPattern: c.StartPattern,
		InstallState: installState(c, st), State: stateAt(st, now), Power: c.Power,
		Ports: orEmpty(c.Ports), Limits: c.Limits, Mount: orEmptyMap(c.Mount), InstallScript: c.InstallScript,
		Env: orEmptyMap(c.Env), Labels: orEmptyMap(c.Labels), Stop: c.Stop, Restart: c.Restart,
		User: c.User, Hostname: c.Hostname, TTY: c.TTY, Init: c.Init, ImagePolicy: c.ImagePolicy, Paused: c.Paused,
		Generation: c.Generation, ObservedGeneration: st.ObservedGeneration, Conditions: conditionsAt(st, now),
		Restarts: st.Restarts, LastExit: st.LastExit, Deleting: c.Deleting,
		CreatedAt: unix(c.CreatedAt), UpdatedAt: unix(c.UpdatedAt),
	}
}

func (s *Server) summary(c desired.Container) api.Summary {
	st, _ := s.statuses.Get(c.InternalID)
	return api.Summary{
		InternalID: c.InternalID, ContainerID: short(st.ContainerID), InstallState: installState(c, st),
		Image: c.Image, VolumeID: c.VolumeID, State: s.state(st), Power: c.Power, Labels: orEmptyMap(c.Labels),
		Generation: c.Generation, ObservedGeneration: st.ObservedGeneration, Deleting: c.Deleting,
	}
}

// installState is the page's word. What was asked and not yet begun counts as begun,
// so that no client sees the end of an earlier installation as that of its own.
func installState(c desired.Container, st status.Status) status.InstallState {
	if st.InstallState == "" || st.Install.Request < c.Requests.Install {
		return status.Installing
	}
	return st.InstallState
}

// installFailed reports whether the installation itself failed for good, which only a
// reinstall mends; install_state says failed of more than that.
func installFailed(c desired.Container, st status.Status) bool {
	return st.Install.Request >= c.Requests.Install && st.Install.Phase == status.InstallFailed
}

// sight is whether Docker can be seen now.
func (s *Server) sight() status.EngineStatus {
	up, since := s.engine.Up()
	return status.EngineStatus{Up: up, Since: since}
}

// state is what the process does, as far as it can be told.
func (s *Server) state(st status.Status) status.State { return stateAt(st, s.sight()) }

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
		return orEmpty(st.Conditions)
	}
	shown := st.Clone()
	for _, t := range []status.ConditionType{status.ProcessStarted, status.ProcessRunning, status.Synced} {
		shown.Set(status.Condition{Type: t, Status: status.Unknown, Reason: status.ReasonEngineDown,
			Message: "the engine does not answer", ObservedGeneration: st.ObservedGeneration}, now.Since)
	}
	return shown.Conditions
}

func short(id string) string { return id[:min(len(id), shortID)] }

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func orEmptyMap(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
