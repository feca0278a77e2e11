package plan_test

import (
	"strings"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/drift"
	"lightd/observed/journal"
	"lightd/observed/status"
)

func enforced(memory int64, cpu float64, pids int64) *observed.Enforced {
	return &observed.Enforced{Memory: &memory, CPU: &cpu, PIDs: &pids}
}

// TestLimitsThatAreNotEnforced compares what the kernel has with the spec: an update is tried twice,
// and what it cannot change is reported once, with the process left as it is.
func TestLimitsThatAreNotEnforced(t *testing.T) {
	const mib = 1 << 20
	limited := desired.Limits{Memory: 64 * mib, CPU: 0.5, PIDs: 50}
	for name, c := range map[string]struct {
		spec  desired.Limits
		have  *observed.Enforced
		path  string
		tries int
	}{
		"as specified":             {limited, enforced(64*mib, 0.5, 50), "", 0},
		"rounded by the kernel":    {desired.Limits{Memory: 64*mib + 5, CPU: 0.505, PIDs: 50}, enforced(64*mib, 0.51, 50), "", 0},
		"cannot be read":           {limited, nil, "", 0},
		"only a part can":          {limited, &observed.Enforced{PIDs: new(int64(50))}, "", 0},
		"more memory":              {limited, enforced(128*mib, 0.5, 50), drift.Memory, 2},
		"memory without limit":     {limited, enforced(0, 0.5, 50), drift.Memory, 2},
		"less CPU":                 {limited, enforced(64*mib, 0.1, 50), drift.CPU, 2},
		"processes without limit":  {limited, enforced(64*mib, 0.5, 0), drift.PIDs, 2},
		"memory that has no limit": {desired.Limits{PIDs: 50}, enforced(64*mib, 0, 50), drift.Memory, 0},
		"CPU that has no limit":    {desired.Limits{PIDs: 50}, enforced(0, 1, 50), drift.CPU, 0},
		"no limits":                {desired.Limits{PIDs: 50}, enforced(0, 0, 50), "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := ready(t, func(s *desired.Container) { s.Limits = c.spec })
			w.in.Seen.Run.Enforced = c.have
			tries, reported := 0, 0
			var d plan.Decision
			for range 10 {
				d = plan.Decide(w.in)
				w.in.Status = d.Status
				for _, e := range d.Events {
					if strings.HasPrefix(e.Message, "LimitNotEnforced") {
						reported++
					}
				}
				if d.Step == nil {
					continue
				}
				if d.Step.Kind != plan.UpdateLimits {
					t.Fatalf("step %+v", d.Step)
				}
				if fields, _ := plan.Drift(w.in); len(fields) != 1 || fields[0].Path != c.path {
					t.Errorf("drift %+v", fields)
				}
				tries++
				w.in.Now = w.in.Now.Add(time.Second)
			}
			synced := d.Status.Get(status.Synced)
			fields, _ := plan.Drift(w.in)
			switch {
			case tries != c.tries:
				t.Errorf("%d updates, want %d", tries, c.tries)
			case c.path == "" && (synced.Status != status.True || len(fields) > 0 || reported > 0):
				t.Errorf("got %+v, drift %+v", synced, fields)
			case c.path == "":
				return
			case synced.Reason != status.ReasonLimitNotEnforced || !strings.HasPrefix(synced.Message, c.path+" is ") || reported != 1:
				t.Errorf("got %+v, reported %d times", synced, reported)
			case len(fields) != 1 || fields[0].Path != c.path || fields[0].Kind != drift.Spec || fields[0].Step != "":
				t.Errorf("drift %+v", fields)
			case d.Status.ObservedGeneration != w.in.Spec.Generation || d.Status.State != status.StateRunning:
				t.Errorf("generation %d, state %s", d.Status.ObservedGeneration, d.Status.State)
			}
			w.in.Seen.Run.Enforced = enforced(c.spec.Memory, c.spec.CPU, c.spec.PIDs)
			d = w.settle()
			if synced := d.Status.Get(status.Synced); synced.Status != status.True || d.Status.LimitUpdates != nil || d.Status.Reported != nil {
				t.Errorf("once enforced: %+v, %+v, %v", synced, d.Status.LimitUpdates, d.Status.Reported)
			}
		})
	}
}

// TestLimitsOfAnotherEngine are updated again: it may run on another kernel.
func TestLimitsOfAnotherEngine(t *testing.T) {
	w := ready(t, func(s *desired.Container) { s.Limits = desired.Limits{Memory: 64 << 20, PIDs: 50} })
	w.in.Seen.Run.Limits.Memory = 0 // what an engine shows that discards it
	updates := func() (n int) {
		for range 6 {
			d := plan.Decide(w.in)
			if w.in.Status = d.Status; d.Step != nil && d.Step.Kind == plan.UpdateLimits {
				n++
			}
		}
		return n
	}
	if n := updates(); n != 2 {
		t.Errorf("%d updates", n)
	}
	w.in.Now = w.in.Now.Add(time.Minute)
	w.in.Seen.EngineLost = w.in.Now
	w.in.Now = w.in.Now.Add(time.Minute)
	if n := updates(); n != 2 {
		t.Errorf("%d updates by the next engine", n)
	}
	began := w.in.Now
	for total := 0; total < 40; total += updates() {
		d := plan.Decide(w.in)
		if d.Step == nil && (d.After < 30*time.Second || d.After > time.Hour) {
			t.Fatalf("next update after %v", d.After)
		}
		w.in.Now = w.in.Now.Add(max(d.After, 0))
	}
	if took := w.in.Now.Sub(began); took < 24*time.Hour {
		t.Errorf("40 updates in %v", took)
	}
	if synced := w.in.Status.Get(status.Synced); synced.Reason != status.ReasonLimitNotEnforced || w.in.Status.State != status.StateRunning {
		t.Errorf("got %+v, %s", synced, w.in.Status.State)
	}
}

// TestLimitOfProcessesIsReached: it is reported once for each run, however often it is.
func TestLimitOfProcessesIsReached(t *testing.T) {
	w := ready(t, func(s *desired.Container) { s.Limits = desired.Limits{PIDs: 50} })
	reported := func(refused int64) (n int) {
		have := enforced(0, 0, 50)
		have.PIDsRefused = refused
		w.in.Seen.Run.Enforced = have
		d := plan.Decide(w.in)
		w.in.Status = d.Status
		for _, e := range d.Events {
			if e.Type == journal.PIDsLimitReached {
				n++
			}
		}
		return n
	}
	for i, c := range []struct {
		refused  int64
		want     int
		newStart bool
	}{{0, 0, false}, {2, 1, false}, {2, 0, false}, {9, 0, false}, {0, 0, true}, {1, 1, false}} {
		if c.newStart {
			w.in.Seen.Run.StartedAt = w.in.Seen.Run.StartedAt.Add(time.Hour)
		}
		if got := reported(c.refused); got != c.want {
			t.Errorf("%d: %d events after %d refusals, want %d", i, got, c.refused, c.want)
		}
	}
}
