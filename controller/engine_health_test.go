package controller_test

import (
	"sync/atomic"
	"testing"
	"time"

	"lightd/desired/store"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestEngineHealthIsRecorded: whether the engine can be reached is recorded in one order with all
// else, and every container shows it.
func TestEngineHealthIsRecorded(t *testing.T) {
	sim, n := onSim(t)
	for _, id := range []string{"a", "b"} {
		n.waitSynced(n.create(id, nil))
	}
	touched := make(chan []string, 16)
	cancel := n.store.SubscribeCommits(func(c store.Commit) {
		if len(c.Touched) > 1 {
			touched <- c.Touched
		}
	})
	defer cancel()
	for _, up := range []bool{false, true} {
		if !up {
			sim.Refuse()
		} else {
			if err := sim.Up(); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case ids := <-touched:
			if len(ids) != 2 {
				t.Errorf("touched %v", ids)
			}
		case <-time.After(60 * time.Second):
			t.Fatalf("up %v was not recorded", up)
		}
		if got := n.statuses.EngineStatus(); got.Up != up || got.Since.IsZero() {
			t.Errorf("recorded %+v, want up %v", got, up)
		} else if got.Since != got.Since.Round(0).UTC() {
			t.Errorf("recorded as it is read from no disk: %v", got.Since)
		}
	}
	if st, _ := n.statuses.Get("a"); st.Get(status.Synced).Status != status.True {
		t.Errorf("a status was changed: %+v", st.Get(status.Synced))
	}
}

// TestEngineHealthIsRecordedOnceItCanBe, soon.
func TestEngineHealthIsRecordedOnceItCanBe(t *testing.T) {
	var full atomic.Bool
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.waitSynced(n.create("a", nil))
		full.Store(true)
		sim.Refuse()
		time.Sleep(time.Minute)
		if got := n.statuses.EngineStatus(); !got.Up {
			t.Error("it was recorded all the same: this test shows nothing")
		}
		full.Store(false)
		time.Sleep(5 * time.Second)
		if got := n.statuses.EngineStatus(); got.Up {
			t.Errorf("recorded %+v", got)
		}
	}, onDisk(&full))
}
