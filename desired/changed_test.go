package desired

import (
	"slices"
	"testing"
)

// TestChangedPaths of a spec, by its parts where it has some, and without what its process should be doing.
func TestChangedPaths(t *testing.T) {
	base := DefaultSpec()
	base.Env, base.Mount = map[string]string{"A": "1", "b.c": "2"}, map[string]Mount{"/x": {Source: "/srv"}}
	for name, c := range map[string]struct {
		change func(*Spec)
		want   []string
	}{
		"nothing": {func(s *Spec) { s.Ports = nil }, nil},
		"power":   {func(s *Spec) { s.Power, s.Suspended = PowerRunning, true }, nil},
		"limits":  {func(s *Spec) { s.Limits.Memory, s.Limits.CPUSet = 1, "0" }, []string{"limits.cpuset", "limits.memory"}},
		"env":     {func(s *Spec) { s.Env = map[string]string{"A": "2", "D": ""} }, []string{"env.A", "env.D", "env.b.c"}},
		"mount":   {func(s *Spec) { s.Mount = map[string]Mount{"/x": {Source: "/srv", ReadOnly: true}} }, []string{"mount./x"}},
		"ports":   {func(s *Spec) { s.Ports = []Port{{Port: 1}} }, []string{"ports"}},
		"install": {func(s *Spec) { s.Install = &Install{Script: "x"} }, []string{"install"}},
		"parts":   {func(s *Spec) { s.Image, s.Stop.Command, s.Paused = "x", "y", true }, []string{"image", "paused", "stop.command"}},
	} {
		s := base.Clone()
		c.change(&s)
		if got := ChangedPaths(base, s); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if same := base.Normalize().SameButPower(s.Normalize()); same != (len(c.want) == 0) {
			t.Errorf("%s: the same but its power: %t", name, same)
		}
	}
	with := Spec{Install: &Install{Script: "x"}}
	if got := ChangedPaths(with, Spec{Install: &Install{Script: "y", Env: map[string]string{"A": "b"}}}); !slices.Equal(got, []string{"install.env.A", "install.script"}) {
		t.Errorf("of an installation: %v", got)
	}
}
