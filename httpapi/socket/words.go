package socket

import (
	"lightd/httpapi/api"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// View is what the word for a container is made of. Word makes it both of what is recorded, when a
// connection begins, and of each event after that.
type View struct {
	Install status.InstallState
	State   status.State
	// Ended is true when a process has ended since the installation.
	Ended bool
}

// ViewOf returns the view of what is recorded of a container, with its installation as clients see it.
func ViewOf(install status.InstallState, st status.Status) View {
	installed := st.Get(status.Installed).LastTransitionTime
	v := View{Install: install, State: st.State, Ended: st.RunSeen.After(installed)}
	if st.LastExit != nil && st.LastExit.At.After(installed) {
		v.Ended = true
	}
	return v
}

// Word returns the word: what the process does and, while there is none, how the installation stands.
func (v View) Word() api.Word {
	switch v.State {
	case status.StateStarting:
		return api.Starting
	case status.StateRunning:
		return api.Running
	case status.StateStopping:
		return api.Stopping
	}
	switch {
	case v.Install == status.Installing:
		return api.Installing
	case v.Install == status.Failed:
		return api.Failed
	case v.Ended:
		return api.Exit
	default:
		return api.Installed
	}
}

// After returns the view after an event, in order of which a client gets every word. What the event
// says nothing of is as recorded.
func (v View) After(t journal.Type, recorded View) View {
	v.Install, v.Ended = recorded.Install, recorded.Ended
	switch t {
	case journal.Started, journal.ReinstallStarted:
		v.Install = status.Installing
	case journal.Ready:
		v.Install = status.Ready
	case journal.Error:
		v.Install = status.Failed
	case journal.Starting:
		v.State = status.StateStarting
	case journal.Running:
		v.State = status.StateRunning
	case journal.Stopping:
		v.State = status.StateStopping
	case journal.Exited, journal.ContainerLost:
		v.State = status.StateOffline
	}
	return v
}

// plain returns what a person at the console is told of an event; empty for nothing.
func plain(e journal.Event) string {
	text, found := map[journal.Type]string{
		journal.Starting:         "Server starting",
		journal.Running:          "Server started",
		journal.Stopping:         "Server stopping",
		journal.Exited:           "Server stopped",
		journal.OOMKilled:        "Server ran out of memory",
		journal.PIDsLimitReached: "Server is at its limit of processes",
		journal.BackOff:          "Server waits before it starts again",
		journal.ContainerLost:    "Server was removed from outside",
		journal.MountEscaped:     "Server was killed for a mount that leads elsewhere",
		journal.Error:            "Server failed",
		journal.PullingImage:     "Image is being pulled",
		journal.PullFailed:       "Image cannot be pulled",
		journal.StepFailed:       "Server cannot be changed",
		journal.Blocked:          "Server waits",
		journal.Suspended:        "Server is suspended",
		journal.Unsuspended:      "Server is not suspended any more",
		journal.QuotaExceeded:    "Disk quota is exceeded",
		journal.QuotaRecovered:   "Disk quota is no longer exceeded",
		journal.Deleting:         "Server is being deleted",
	}[e.Type]
	if found && e.Message != "" && e.Type != journal.Running { // clients wait for these very words
		text += ": " + e.Message
	}
	return text
}
