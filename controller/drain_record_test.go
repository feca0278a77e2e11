package controller

import (
	"testing"

	"lightd/observed/status"
)

// TestWhatRunsByTheRecord: while the engine is away, a drain counts what was recorded to run.
func TestWhatRunsByTheRecord(t *testing.T) {
	for name, c := range map[string]struct {
		state           status.State
		phase           status.InstallPhase
		synced          status.Reason
		process, script bool
	}{
		"a process":                  {state: status.StateRunning, phase: status.InstallDone, process: true},
		"one that is being stopped":  {state: status.StateStopping, phase: status.InstallDone, process: true},
		"one before its turn":        {state: status.StateRunning, phase: status.InstallDone, synced: status.ReasonNodeDrained, process: true},
		"one that is being started":  {state: status.StateStarting, phase: status.InstallDone, process: true},
		"none":                       {state: status.StateOffline, phase: status.InstallDone, synced: status.ReasonNodeDrained},
		"nothing yet":                {},
		"one between two starts":     {state: status.StateBackOff, phase: status.InstallDone},
		"a script":                   {state: status.StateOffline, phase: status.InstallScript, synced: status.ReasonProgressing, script: true},
		"a script that is held back": {state: status.StateOffline, phase: status.InstallScript, synced: status.ReasonNodeDrained},
	} {
		process, script := recordedRunning(status.Status{State: c.state, Install: status.Install{Phase: c.phase},
			Conditions: []status.Condition{{Type: status.Synced, Status: status.False, Reason: c.synced}}})
		if process != c.process || script != c.script {
			t.Errorf("%s: process %t, script %t", name, process, script)
		}
	}
}
