package plan_test

import (
	"strings"
	"testing"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed/drift"
	"lightd/observed/status"
)

// TestPortThatIsNotPublished is reported with its name, and leads to no step.
func TestPortThatIsNotPublished(t *testing.T) {
	first := desired.Port{IP: "127.0.0.1", Port: 7001, Protocol: desired.TCP, ContainerPort: 80}
	second := desired.Port{IP: "0.0.0.0", Port: 7002, Protocol: desired.UDP, ContainerPort: 81}
	everywhere := first
	everywhere.IP = "0.0.0.0"
	elsewhere := first
	elsewhere.ContainerPort = 82
	for name, c := range map[string]struct {
		published []desired.Port
		power     desired.Power
		missing   string
	}{
		"all":                   {[]desired.Port{first, second}, desired.PowerRunning, ""},
		"none":                  {nil, desired.PowerRunning, "127.0.0.1:7001/tcp and 1 more"},
		"one is missing":        {[]desired.Port{first}, desired.PowerRunning, "0.0.0.0:7002/udp"},
		"on all addresses":      {[]desired.Port{everywhere, second}, desired.PowerRunning, ""},
		"of another port":       {[]desired.Port{elsewhere, second}, desired.PowerRunning, "127.0.0.1:7001/tcp"},
		"more than were wanted": {[]desired.Port{first, second, everywhere}, desired.PowerRunning, ""},
		"stopped":               {nil, desired.PowerStopped, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := ready(t, func(s *desired.Container) {
				s.Ports = []desired.Port{first, second}
			})
			if c.power == desired.PowerStopped {
				w.change(func(s *desired.Container) { s.Power = desired.PowerStopped })
				w.settle()
				w.story()
			}
			if run := w.in.Seen.Run; run.Running() {
				run.Published = c.published
			}
			d := w.settle()
			events := ""
			if c.missing != "" {
				events = "Blocked"
			}
			w.expect("", events)
			synced := d.Status.Get(status.Synced)
			fields, _ := plan.Drift(w.in)
			switch {
			case d.Status.ObservedGeneration != w.in.Spec.Generation:
				t.Errorf("generation %d is not observed", w.in.Spec.Generation)
			case c.missing == "" && (synced.Status != status.True || len(fields) > 0):
				t.Errorf("got %+v, drift %+v", synced, fields)
			case c.missing != "" && (synced.Reason != status.ReasonPortNotPublished || !strings.Contains(synced.Message, c.missing+":")):
				t.Errorf("got %+v, want %q", synced, c.missing)
			case c.missing != "" && (len(fields) != 1 || fields[0].Path != "ports.published" || fields[0].Kind != drift.Spec || fields[0].Step != ""):
				t.Errorf("drift %+v", fields)
			}
			if c.missing == "" {
				return
			}
			w.in.Seen.Run.Published = w.in.Seen.Run.Binds
			if synced := w.settle().Status.Get(status.Synced); synced.Status != status.True {
				t.Errorf("with all ports published: %+v", synced)
			}
		})
	}
}
