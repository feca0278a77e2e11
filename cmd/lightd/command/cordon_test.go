package command

import (
	"testing"

	"lightd/httpapi/api"
	"lightd/observed/status"
)

// TestWhatHoldsADrain: a process and an install script do, and nothing of a container that is paused.
func TestWhatHoldsADrain(t *testing.T) {
	for name, c := range map[string]struct {
		state   status.State
		install status.InstallState
		synced  status.Reason
		paused  bool
		holds   bool
	}{
		"a process":                  {state: status.StateStopping, install: status.Ready, holds: true},
		"one before its turn":        {state: status.StateRunning, install: status.Ready, synced: status.ReasonNodeDrained, holds: true},
		"a process that is paused":   {state: status.StateRunning, install: status.Ready, paused: true},
		"none":                       {state: status.StateOffline, install: status.Ready, synced: status.ReasonNodeDrained},
		"one between two starts":     {state: status.StateBackOff, install: status.Ready},
		"a script":                   {state: status.StateOffline, install: status.Installing, synced: status.ReasonProgressing, holds: true},
		"a script that is held back": {state: status.StateOffline, install: status.Installing, synced: status.ReasonNodeDrained},
		"a script that is paused":    {state: status.StateOffline, install: status.Installing, paused: true},
	} {
		got := holdsDrain(api.Container{State: c.state, InstallState: c.install, Paused: c.paused,
			Conditions: []status.Condition{{Type: status.Synced, Status: status.False, Reason: c.synced}}})
		if got != c.holds {
			t.Errorf("%s holds a drain: %t", name, got)
		}
	}
}
