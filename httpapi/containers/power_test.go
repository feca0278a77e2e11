package containers

import (
	"testing"

	"lightd/desired"
	"lightd/observed/status"
)

// TestPowerOfTheSuspended: what would start a suspended container is refused and changes nothing.
func TestPowerOfTheSuspended(t *testing.T) {
	for verb, want := range map[string]error{"start": errSuspended, "restart": errSuspended, "stop": nil, "kill": nil} {
		for _, power := range []desired.Power{desired.PowerRunning, desired.PowerStopped} {
			container := desired.Container{Spec: desired.Spec{Power: power, Suspended: true}}
			err := powerActions[verb].apply(&container, powerState{state: status.StateOffline})
			if err != want || container.Requests != (desired.Requests{}) || want != nil && container.Power != power {
				t.Errorf("%s of what is %s: %v, %+v", verb, power, err, container)
			}
		}
	}
}

// TestPower is the table of the verbs: what is desired and seen, and what comes of it.
func TestPower(t *testing.T) {
	const running, stopped = desired.PowerRunning, desired.PowerStopped
	type want struct {
		power          desired.Power
		kill           bool
		start, restart int64
	}
	cases := []struct {
		name, verb string
		power      desired.Power
		kill       bool
		state      status.State
		want       want
	}{
		{"a first start", "start", stopped, false, status.StateOffline, want{running, false, 1, 0}},
		{"a start while it starts", "start", running, false, status.StateStarting, want{running, false, 0, 0}},
		{"a start while it runs", "start", running, false, status.StateRunning, want{running, false, 0, 0}},
		{"a start out of a backoff", "start", running, false, status.StateBackOff, want{running, false, 1, 0}},
		{"a start after a never that ended", "start", running, false, status.StateOffline, want{running, false, 1, 0}},
		{"a start while it stops", "start", stopped, false, status.StateStopping, want{running, false, 1, 0}},
		{"a start while it is killed", "start", stopped, true, status.StateRunning, want{running, false, 1, 0}},
		{"a start unseen", "start", running, false, status.StateUnknown, want{running, false, 1, 0}},
		{"a stop", "stop", running, false, status.StateRunning, want{stopped, false, 0, 0}},
		{"a stop of what is killed", "stop", stopped, true, status.StateRunning, want{stopped, true, 0, 0}},
		{"a kill", "kill", running, false, status.StateRunning, want{stopped, true, 0, 0}},
		{"a kill of what stops", "kill", stopped, false, status.StateStopping, want{stopped, true, 0, 0}},
		{"a kill of what is off", "kill", stopped, false, status.StateOffline, want{stopped, false, 0, 0}},
		{"a kill unseen", "kill", stopped, false, status.StateUnknown, want{stopped, true, 0, 0}},
		{"a restart", "restart", running, false, status.StateRunning, want{running, false, 0, 1}},
		{"a restart of what is killed", "restart", stopped, true, status.StateOffline, want{running, false, 0, 1}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			container := desired.Container{Spec: desired.Spec{Power: c.power}, Kill: c.kill}
			if err := powerActions[c.verb].apply(&container, powerState{state: c.state}); err != nil {
				t.Fatal(err)
			}
			got := want{container.Power, container.Kill, container.Requests.Start, container.Requests.Restart}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
