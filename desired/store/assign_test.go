package store

import (
	"testing"

	"lightd/desired"
)

func numbers(c desired.Container) (list []int) {
	for _, p := range c.Ports {
		list = append(list, p.Port)
	}
	return list
}

func wantPorts(t *testing.T, what string, c desired.Container, want ...int) {
	t.Helper()
	got := numbers(c)
	for i := range want {
		if len(got) != len(want) || got[i] != want[i] {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
}

// TestAssignedPortsStay: whoever says the same again, or adds to it, keeps what was given.
func TestAssignedPortsStay(t *testing.T) {
	s := openWithVolume(t, poolOf(10, 6)...)
	inside := func(port, container int) desired.Port {
		return desired.Port{Port: port, ContainerPort: container}
	}
	c := create(t, s, spec("a", inside(0, 0), inside(0, 0), inside(0, 80)))
	wantPorts(t, "created", c, 10, 11, 12)
	put := func(ports ...desired.Port) desired.Container {
		return change(t, s, "a", func(c *desired.Container) { c.Ports = ports })
	}
	wantPorts(t, "the same", put(inside(0, 0), inside(0, 0), inside(0, 80)), 10, 11, 12)
	wantPorts(t, "in another order", put(inside(0, 80), inside(0, 0), inside(0, 0)), 12, 10, 11)
	wantPorts(t, "one named", put(inside(0, 80), inside(11, 0), inside(0, 0)), 12, 11, 10)
	wantPorts(t, "one more", put(inside(0, 0), inside(0, 80), inside(0, 0), inside(0, 443)), 11, 12, 10, 13)
	wantPorts(t, "another inside", put(inside(0, 8080)), 11)
}

// TestSearchesOfOneTransaction: what one of them has found holds for the next, as far as
// it was taken.
func TestSearchesOfOneTransaction(t *testing.T) {
	s := openWithVolume(t, poolOf(10, 6)...)
	create(t, s, spec("a", bind("", 10)))
	change(t, s, "a", func(c *desired.Container) { c.Ports = []desired.Port{bind("", 15)} })
	must(t, s.Update(t.Context(), func(tx *Tx) error {
		_, err := tx.CreateContainer(spec("failed", bind("", 0), bind("", 0), bind("", 15)))
		wantErr(t, err, desired.ErrPortInUse)
		b, err := tx.CreateContainer(spec("b", bind("", 0)))
		must(t, err)
		wantPorts(t, "after one that failed", b, 11)
		a, err := tx.ChangeContainer("a", func(c *desired.Container) error {
			c.Ports = append(c.Ports, bind("", 0))
			return nil
		})
		must(t, err)
		wantPorts(t, "what it is releasing is free for it", a, 15, 10)
		return nil
	}))
}
