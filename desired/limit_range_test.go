package desired

import (
	"fmt"
	"strings"
	"testing"
)

// TestOperatorsBounds: a spec beyond a bound is refused with the figure, and one that names nothing gets
// what the operator sets, never more.
func TestOperatorsBounds(t *testing.T) {
	r := LimitRange{MaxMemory: 1 << 30, MaxCPU: 2, DefaultCPU: 1, MaxPIDs: 100, MaxPorts: 1}
	if got, want := r.WithDefaults(Limits{PIDs: DefaultPIDs}), (Limits{Memory: 1 << 30, CPU: 1, PIDs: 100}); got != want {
		t.Errorf("defaults %+v, want %+v", got, want)
	}
	if got := (LimitRange{}).WithDefaults(Limits{PIDs: DefaultPIDs}); got != (Limits{PIDs: DefaultPIDs}) {
		t.Errorf("without bounds %+v", got)
	}
	named := Limits{Memory: 1 << 20, CPU: 0.5, PIDs: 7}
	if got := r.WithDefaults(named); got != named {
		t.Errorf("what a spec names became %+v", got)
	}
	for field, s := range map[string]Spec{
		"limits.memory": {Limits: Limits{Memory: 1<<30 + 1, PIDs: 1}},
		"limits.swap":   {Limits: Limits{Memory: 1 << 30, Swap: 1<<30 + 1, PIDs: 1}},
		"limits.cpu":    {Limits: Limits{CPU: 2.5, PIDs: 1}},
		"limits.pids":   {Limits: Limits{PIDs: 101}},
		"ports":         {Limits: Limits{PIDs: 1}, Ports: make([]Port, 2)},
	} {
		var f faults
		f.checkRange(s, Spec{}, r)
		if len(f) != 1 || f[0].Field != field || !strings.Contains(f[0].Message, "containers.max_") {
			t.Errorf("%s: %s", field, fmt.Sprint(f))
		}
		if field == "limits.memory" {
			f = nil
			s := Spec{Limits: Limits{Memory: 1025 << 20, PIDs: 1}}
			if f.checkRange(s, Spec{}, r); !strings.Contains(fmt.Sprint(f), "at most 1 GiB, the operator's containers.max_memory, and is 1025 MiB") {
				t.Errorf("the sizes are not as people write them: %v", f)
			}
		}
		f = nil
		if f.checkRange(s, Spec{}, LimitRange{}); len(f) > 0 {
			t.Errorf("%s is bounded by default: %v", field, f)
		}
		f = nil
		if f.checkRange(s, s, r); len(f) > 0 {
			t.Errorf("%s is refused where a write leaves it as it is: %v", field, f)
		}
		less := s
		less.Limits.Memory, less.Limits.Swap, less.Limits.CPU, less.Limits.PIDs = s.Limits.Memory/2, s.Limits.Swap/2, s.Limits.CPU/2, 1
		less.Ports = s.Ports[:len(s.Ports)/2]
		if f.checkRange(s, less, r); len(f) != 1 || f[0].Field != field {
			t.Errorf("%s is raised: %v", field, f)
		}
	}
}

// TestWithin: more cores than a host has are all of them.
func TestWithin(t *testing.T) {
	for _, c := range []struct {
		cpu, want float64
		cores     int
	}{{64, 4, 4}, {4, 4, 4}, {0.5, 0.5, 4}, {0, 0, 4}, {64, 64, 0}} {
		if got := (Limits{Memory: 1, CPU: c.cpu}).Within(c.cores); got != (Limits{Memory: 1, CPU: c.want}) {
			t.Errorf("%v of %d cores is %+v", c.cpu, c.cores, got)
		}
	}
}
