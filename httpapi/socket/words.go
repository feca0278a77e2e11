package socket

import (
	"lightd/httpapi/api"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// Present returns the word for what is recorded of a container: how its installation
// stands, what its process does, and whether one has ever ended.
func Present(install status.InstallState, state status.State, ended bool) api.Word {
	switch state {
	case status.StateStarting:
		return api.Starting
	case status.StateRunning:
		return api.Running
	case status.StateStopping:
		return api.Stopping
	}
	switch {
	case install == status.Installing:
		return api.Installing
	case install == status.Failed:
		return api.Failed
	case ended:
		return api.Exit
	default:
		return api.Installed
	}
}

// wordOf returns the word that an event stands for, empty when it changes none.
func wordOf(t journal.Type) api.Word {
	switch t {
	case journal.Started, journal.ReinstallStarted:
		return api.Installing
	case journal.Ready:
		return api.Installed
	case journal.Error:
		return api.Failed
	case journal.Starting:
		return api.Starting
	case journal.Running:
		return api.Running
	case journal.Stopping:
		return api.Stopping
	case journal.Exited, journal.ContainerLost:
		return api.Exit
	default:
		return ""
	}
}

// plain returns what a person at the console is told of an event; empty for nothing.
func plain(e journal.Event) string {
	text, told := map[journal.Type]string{
		journal.Starting:      "Server starting",
		journal.Running:       "Server started",
		journal.Stopping:      "Server stopping",
		journal.Exited:        "Server stopped",
		journal.OOMKilled:     "Server ran out of memory",
		journal.BackOff:       "Server waits before it starts again",
		journal.ContainerLost: "Server was removed from outside",
		journal.MountEscaped:  "Server was killed for a mount that leads elsewhere",
		journal.Error:         "Server failed",
		journal.PullingImage:  "Image is being pulled",
		journal.PullFailed:    "Image cannot be pulled",
		journal.StepFailed:    "Server cannot be changed",
		journal.Blocked:       "Server waits",
		journal.Deleting:      "Server is being deleted",
	}[e.Type]
	if told && e.Message != "" {
		text += ": " + e.Message
	}
	return text
}
