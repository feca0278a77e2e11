package controller_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"lightd/controller"
	"lightd/controller/datadir"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// overtaking are files that have something done, once, while a decision is being made.
type overtaking struct {
	*datadir.Dir
	do *atomic.Pointer[func()]
}

func (o overtaking) EntrypointOK(s desired.Spec) bool {
	if do := o.do.Swap(nil); do != nil {
		(*do)()
	}
	return o.Dir.EntrypointOK(s)
}

// TestDecisionThatIsStale by a write is dropped without a trace, and decided again on the
// present state. It is no failure.
func TestDecisionThatIsStale(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*desired.Container)
		write  func(*node, *store.Tx) error
		want   func(*testing.T, *node)
	}{
		"of its status": {
			requestStart,
			func(n *node, tx *store.Tx) error {
				st, _ := n.statuses.Get("a")
				return n.statuses.Put(tx.Tx, st.Clone())
			},
			func(t *testing.T, n *node) {
				if st, _ := n.statuses.Get("a"); st.State != status.StateRunning {
					t.Errorf("it is %s", st.State)
				}
			},
		},
		"that removes it": {
			requestDelete,
			func(n *node, tx *store.Tx) error {
				if err := tx.RemoveContainer("a"); err != nil {
					return err
				}
				return n.statuses.Delete(tx.Tx, "a")
			},
			func(t *testing.T, n *node) {
				if st, kept := n.statuses.Get("a"); kept {
					t.Errorf("without a spec there is %+v", st)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var do atomic.Pointer[func()]
			failures := 0
			inBubble(t, func(t *testing.T, _ *simengine.Sim, n *node) {
				n.waitSynced(n.create("a", nil))
				write := func() {
					if err := n.store.Update(context.Background(), func(tx *store.Tx) error { return c.write(n, tx) }); err != nil {
						t.Error(err)
					}
				}
				do.Store(&write)
				n.change("a", c.change)
				time.Sleep(100 * time.Millisecond) // less than any wait
				if do.Load() != nil {
					t.Error("nothing was stale: this test shows nothing")
				}
				c.want(t, n)
				n.stop()
				if failures > 0 {
					t.Errorf("%d failures", failures)
				}
			}, func(o *setup) {
				o.files = func(d *datadir.Dir) controller.Data { return overtaking{d, &do} }
				o.log = logHook(func(r slog.Record) {
					if r.Level >= slog.LevelWarn {
						failures++
					}
				})
			})
		})
	}
}

// TestIDThatComesBackAtOnce, while the end of the container before is not yet known to be, is
// that of a container like any other.
func TestIDThatComesBackAtOnce(t *testing.T) {
	var again func()
	inBubble(t, func(t *testing.T, _ *simengine.Sim, n *node) {
		n.waitSynced(n.create("a", nil))
		again = func() {
			n.create("a", nil)
			time.Sleep(time.Second) // and it is inspected
		}
		began := time.Now()
		n.change("a", requestDelete)
		time.Sleep(time.Second)
		c, _ := n.store.Container("a")
		n.waitSynced(c)
		if took := time.Since(began); c.Deleting || took > 2*time.Second {
			t.Errorf("after %s: %+v", took, c)
		}
	}, seldom, func(o *setup) {
		o.log = logHook(func(r slog.Record) {
			if r.Message == "step ended" && attrOf(r, "step") == "Finalize" {
				again()
			}
		})
	})
}
