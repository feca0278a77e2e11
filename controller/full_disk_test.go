package controller_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// TestFullDiskThatTakesNoRecord: what cannot be recorded is shown from memory, what needs no
// record is healed, an installation waits and reports it; with room all is recorded in 5 s.
func TestFullDiskThatTakesNoRecord(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.waitSynced(n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning }))
		n.waitSynced(n.create("off", func(s *desired.Spec) { s.Power, s.Restart = desired.PowerRunning, desired.RestartNever }))
		time.Sleep(time.Minute)
		before, _ := n.statuses.Get("off")

		free.Store(1 << 20)
		time.Sleep(2 * time.Second)
		for _, id := range []string{"a", "off"} {
			if err := sim.Exit(observed.RunName(id), 137); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second)
		st, _ := n.statuses.Get("off")
		if st.State != status.StateOffline || st.LastExit == nil || !n.statuses.Held("off") || st.Get(status.ProcessRunning).Status != status.False {
			t.Errorf("on a full disk a dead container is shown as %+v", st)
		}
		if st.Version != before.Version || strings.Contains(n.events("off"), string(journal.Exited)) {
			t.Errorf("recorded all the same: %+v, %s", st, n.events("off"))
		}
		n.waitState("a", status.StateRunning)
		if st, _ = n.statuses.Get("a"); st.Restarts != 1 || !n.statuses.Held("a") {
			t.Errorf("it is %s after %d restarts", st.State, st.Restarts)
		}

		free.Store(1 << 40)
		time.Sleep(5 * time.Second)
		for _, id := range []string{"a", "off"} {
			if n.statuses.Held(id) || !strings.Contains(n.events(id), string(journal.Exited)) {
				t.Errorf("5 s after there is room %s is held: %v, events %s", id, n.statuses.Held(id), n.events(id))
			}
		}
		if st, _ = n.statuses.Get("off"); st.Version == before.Version || st.State != status.StateOffline {
			t.Errorf("recorded is %+v", st)
		}
	}, func(o *setup) { o.free = func(string) (uint64, error) { return free.Load(), nil } })
}

// TestInstallationWaitsForTheDisk: it happens once, so that it never begins without a record.
func TestInstallationWaitsForTheDisk(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		create := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/create", Delay: 3 * time.Second, Times: 1})
		c := n.create("a", func(s *desired.Spec) { s.InstallScript = "exit 0" })
		awaitCalls(t, create, 1)
		free.Store(0)
		time.Sleep(time.Minute)
		st, _ := n.statuses.Get("a")
		if got := st.Get(status.Synced); got.Reason != status.ReasonDiskFull || !strings.Contains(got.Message, "StartInstallScript") {
			t.Errorf("it waits with %+v", got)
		}
		if n := sim.CountCalls(simengine.Rule{Method: "POST", Route: "/containers/{id}/start"}); n != 0 {
			t.Errorf("%d starts", n)
		}
		free.Store(1 << 40)
		time.Sleep(5 * time.Second)
		if st, _ = n.statuses.Get("a"); st.Get(status.Synced).Reason != status.ReasonProgressing || n.statuses.Held("a") {
			t.Errorf("5 s after there is room: %+v", st)
		}
		if err := sim.Exit(observed.InstallName("a"), 0); err != nil {
			t.Fatal(err)
		}
		n.waitSynced(c)
	}, func(o *setup) { o.free = func(string) (uint64, error) { return free.Load(), nil } })
}

// TestFullDiskOfTheEngine is reported as such.
func TestFullDiskOfTheEngine(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		full := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/create", Status: 500,
			Message: "mkdir /var/lib/docker/overlay2/x: no space left on device"})
		c := n.create("a", nil)
		st := n.wait("a", "reported", func(st status.Status) bool { return st.Get(status.Synced).Reason == status.ReasonDiskFull })
		if m := st.Get(status.Synced).Message; !strings.Contains(m, "engine's disk") {
			t.Errorf("reported %q", m)
		}
		full.Release()
		time.Sleep(5 * time.Second)
		if st, _ = n.statuses.Get("a"); st.ObservedGeneration != c.Generation {
			t.Errorf("5 s after there is room: %+v", st)
		}
	})
}

// TestDiskThatIsLow is reported once, with its end, and prevents no write.
func TestDiskThatIsLow(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	inBubble(t, func(t *testing.T, _ *simengine.Sim, n *node) {
		for _, mib := range []uint64{255, 260, 255, 300} { // 260 is not yet enough to be no longer low
			free.Store(mib << 20)
			time.Sleep(5 * time.Second)
		}
		n.waitSynced(n.create("a", nil))
		page, _, err := n.journal.Page("", 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		var emitted []journal.Type
		for _, e := range page {
			if e.InternalID == "" {
				emitted = append(emitted, e.Type)
			}
		}
		if !slices.Equal(emitted, []journal.Type{journal.DiskLow, journal.DiskRecovered}) {
			t.Errorf("events %v", emitted)
		}
	}, func(o *setup) { o.free = func(string) (uint64, error) { return free.Load(), nil } })
}
