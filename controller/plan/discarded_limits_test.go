package plan_test

import (
	"strings"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed/drift"
	"lightd/observed/status"
)

// TestDiscardedLimits: what an engine does not support is drift that waits, and no step that is repeated: at once
// where the container was made for the spec, and after two updates, or one recreation, where it was there before.
func TestDiscardedLimits(t *testing.T) {
	for path, c := range map[string]struct {
		want  desired.Limits
		lacks func(*desired.Limits)
		steps string // for a container that was there before
	}{
		drift.CPUSet:      {desired.Limits{PIDs: 9, CPUSet: "0-1"}, func(l *desired.Limits) { l.CPUSet = "" }, "UpdateLimits UpdateLimits"},
		drift.IOWeight:    {desired.Limits{PIDs: 9, IOWeight: 500}, func(l *desired.Limits) { l.IOWeight = 0 }, "UpdateLimits UpdateLimits"},
		drift.Reservation: {desired.Limits{PIDs: 9, MemoryReservation: 1 << 27}, func(l *desired.Limits) { l.MemoryReservation = 0 }, "UpdateLimits UpdateLimits"},
		drift.OOMDisable: {desired.Limits{PIDs: 9, Memory: 1 << 28, OOMDisable: true}, func(l *desired.Limits) { l.OOMDisable = false },
			"CheckHost StopContainer RemoveContainer CreateContainer StartContainer"},
	} {
		for _, before := range []bool{false, true} {
			w := newScenario(t, func(s *desired.Container) {
				s.Power, s.Limits = desired.PowerRunning, c.want
				if before {
					c.lacks(&s.Limits)
				}
			})
			// discard is what such an engine shows, whatever it is asked for.
			discard := func() (steps []string) {
				for range 20 {
					if w.in.Seen.Run != nil {
						c.lacks(&w.in.Seen.Run.Limits)
					}
					d := w.decide()
					if d.Step == nil {
						return steps
					}
					steps = append(steps, string(d.Step.Kind))
					w.act(*d.Step)
					w.in.Now = w.in.Now.Add(time.Second)
				}
				t.Fatalf("%s: no end: %v", path, steps)
				return nil
			}
			made := strings.Join(discard(), " ")
			if before {
				w.change(func(s *desired.Container) { s.Limits = c.want })
				if got := strings.Join(discard(), " "); got != c.steps {
					t.Errorf("%s of a container that is there: %s", path, got)
				}
			} else if strings.Contains(made, "UpdateLimits") || strings.Contains(made, "RemoveContainer") {
				t.Errorf("%s of a new container: %s", path, made)
			}
			fields, _ := plan.Drift(w.in)
			if len(fields) != 1 || fields[0].Path != path || fields[0].Kind != drift.Deferred || fields[0].Step != "" {
				t.Errorf("%s: drift %+v", path, fields)
			}
			if synced := w.in.Status.Get(status.Synced); synced.Status != status.True {
				t.Errorf("%s: %+v", path, synced)
			}
			w.change(func(s *desired.Container) { s.Labels = map[string]string{"a": "b"} })
			if got := discard(); len(got) > 0 {
				t.Errorf("%s: another generation takes the steps %v", path, got)
			}
			w.change(func(s *desired.Container) { c.lacks(&s.Limits) })
			w.settle()
			if fields, _ := plan.Drift(w.in); len(fields) > 0 || w.in.Status.DiscardedLimits != nil {
				t.Errorf("%s: once it is not asked for: drift %+v, %+v", path, fields, w.in.Status.DiscardedLimits)
			}
		}
	}
}

// TestSwapWithoutLimit: an engine that bounds no swap shows none, whatever is asked for, and nothing is done for that; one
// that does is asked to bound it again.
func TestSwapWithoutLimit(t *testing.T) {
	w := ready(t, func(s *desired.Container) { s.Limits.Memory = 1 << 28 })
	w.in.Seen.Run.Limits.Swap = -1
	w.story()
	w.settle()
	w.expect("", "")
	w.change(func(s *desired.Container) { s.Limits.Swap = -1 })
	w.settle()
	w.expect("", "")
	w.change(func(s *desired.Container) { s.Limits.Swap = 1 << 20 })
	for range 5 {
		d := w.decide()
		if d.Step == nil {
			break
		}
		w.steps = append(w.steps, string(d.Step.Kind))
		w.in.Now = w.in.Now.Add(time.Second)
	}
	if got := strings.Join(w.steps, " "); got != "UpdateLimits UpdateLimits" || w.in.Status.Get(status.Synced).Status != status.True {
		t.Errorf("an engine that bounds none: %s, %+v", got, w.in.Status.Get(status.Synced))
	}
}
