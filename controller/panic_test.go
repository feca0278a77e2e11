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

// panicking are files that panic over one container, at a check or at a write, while that is set.
type panicking struct {
	*datadir.Dir
	checks, writes *atomic.Bool
}

func (p panicking) EntrypointOK(s desired.Spec) bool {
	if s.InternalID == "bad" && p.checks.Load() {
		panic("a check")
	}
	return p.Dir.EntrypointOK(s)
}

func (p panicking) WriteEntrypoint(s desired.Spec) error {
	if s.InternalID == "bad" && p.writes.Load() {
		panic("a write")
	}
	return p.Dir.WriteEntrypoint(s)
}

// TestPanicOverOneContainerIsItsOwn: a bug in a decision or in a step affects no other
// container, is reported where it can be, and the reconcile is retried.
func TestPanicOverOneContainerIsItsOwn(t *testing.T) {
	var checks, writes atomic.Bool
	inBubble(t, func(t *testing.T, _ *simengine.Sim, n *node) {
		writes.Store(true)
		n.create("bad", nil)
		st := n.wait("bad", "reported to have panicked", func(st status.Status) bool {
			return st.Get(status.Synced).Reason == status.ReasonStepFailed
		})
		if message := st.Get(status.Synced).Message; !strings.Contains(message, "a write") {
			t.Errorf("reported %q", message)
		}
		checks.Store(true)
		time.Sleep(time.Minute) // it panics many times over
		n.waitSynced(n.create("good", nil))
		checks.Store(false)
		writes.Store(false)
		time.Sleep(6 * time.Minute) // the longest wait between two tries, and a fifth
		c, _ := n.store.Container("bad")
		n.waitSynced(c)
	}, func(o *setup) {
		o.files = func(d *datadir.Dir) controller.Data { return panicking{d, &checks, &writes} }
	})
}
