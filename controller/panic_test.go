package controller_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lightd/controller"
	"lightd/controller/datadir"
	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// panicking are files that panic over one container, at a look or at a write, while told to.
type panicking struct {
	*datadir.Dir
	looks, writes *atomic.Bool
}

func (p panicking) EntrypointOK(s desired.Spec) bool {
	if s.InternalID == "bad" && p.looks.Load() {
		panic("a look")
	}
	return p.Dir.EntrypointOK(s)
}

func (p panicking) WriteEntrypoint(s desired.Spec) error {
	if s.InternalID == "bad" && p.writes.Load() {
		panic("a write")
	}
	return p.Dir.WriteEntrypoint(s)
}

// TestPanicOverOneContainerIsItsOwn: a mistake in a decision or in a step takes no other
// container down, is told where it can be, and is tried again.
func TestPanicOverOneContainerIsItsOwn(t *testing.T) {
	var looks, writes atomic.Bool
	inBubble(t, func(t *testing.T, _ *simengine.Sim, n *node) {
		writes.Store(true)
		n.create("bad", nil)
		st := n.wait("bad", "told of the panic", func(st status.Status) bool {
			return st.Get(status.Synced).Reason == status.ReasonStepFailed
		})
		if told := st.Get(status.Synced).Message; !strings.Contains(told, "a write") {
			t.Errorf("told %q", told)
		}
		looks.Store(true)
		time.Sleep(time.Minute) // it panics many times over
		n.waitSynced(n.create("good", nil))
		looks.Store(false)
		writes.Store(false)
		time.Sleep(6 * time.Minute) // the longest wait between two tries, and a fifth
		c, _ := n.store.Container("bad")
		n.waitSynced(c)
	}, func(o *setup) {
		o.files = func(d *datadir.Dir) controller.Data { return panicking{d, &looks, &writes} }
	})
}
