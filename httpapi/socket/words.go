package socket

import (
	"lightd/observed/journal"
	"lightd/observed/status"
)

// Word is the data of an `event` message: the state of a container in one word.
type Word string

// The words.
const (
	Installing Word = "installing"
	Installed  Word = "installed"
	Failed     Word = "failed"
	Starting   Word = "starting"
	Running    Word = "running"
	Stopping   Word = "stopping"
	Exit       Word = "exit"
)

// Present returns the word for what is recorded of a container: how its installation
// stands, what its process does, and whether one has ever ended.
func Present(install status.InstallState, state status.State, ended bool) Word {
	switch state {
	case status.StateStarting:
		return Starting
	case status.StateRunning:
		return Running
	case status.StateStopping:
		return Stopping
	}
	switch {
	case install == status.Installing:
		return Installing
	case install == status.Failed:
		return Failed
	case ended:
		return Exit
	default:
		return Installed
	}
}

// wordOf returns the word that an event stands for, empty when it changes none.
func wordOf(t journal.Type) Word {
	switch t {
	case journal.Started, journal.ReinstallStarted:
		return Installing
	case journal.Ready:
		return Installed
	case journal.Error:
		return Failed
	case journal.Starting:
		return Starting
	case journal.Running:
		return Running
	case journal.Stopping:
		return Stopping
	case journal.Exited, journal.ContainerLost:
		return Exit
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
		journal.Error:         "Server failed",
		journal.PullingImage:  "Image is being pulled",
		journal.Deleting:      "Server is being deleted",
	}[e.Type]
	if told && e.Message != "" {
		text += ": " + e.Message
	}
	return text
}
