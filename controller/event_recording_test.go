package controller_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestObservationIsReportedAtOnce, though a step runs, has just failed, or waits for its
// slot: an observation is recorded whatever can be done.
func TestObservationIsReportedAtOnce(t *testing.T) {
	update := simengine.Rule{Method: "POST", Route: "/containers/{id}/update"}
	slow, failing := update, update
	slow.Delay, failing.Status, failing.Message = time.Minute, 500, "no"
	for name, c := range map[string]struct {
		rule   simengine.Rule
		others int // whose steps are hindered first
		after  time.Duration
	}{
		"while a step is being taken": {slow, 0, time.Second},
		"after a step has failed":     {failing, 0, time.Minute},
		"while a step finds no room":  {slow, 16, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				running := func(s *desired.Spec) { s.Power = desired.PowerRunning }
				n.create("a", func(s *desired.Spec) { running(s); s.StartPattern = "up" })
				n.waitState("a", status.StateStarting)
				hindered := sim.Inject(c.rule)
				for i := range c.others {
					id := fmt.Sprint("other-", i)
					n.create(id, running)
					n.waitState(id, status.StateRunning)
					n.change(id, limitMemory)
				}
				awaitCalls(t, hindered, c.others)
				n.change("a", limitMemory)
				time.Sleep(c.after)
				if got := hindered.Hits(); got == 0 || c.others > 0 && got > c.others {
					t.Errorf("%d calls are hindered: this test shows nothing", got)
				}
				at := time.Now()
				if err := sim.Print("lightd-a", "up\n"); err != nil {
					t.Fatal(err)
				}
				n.waitState("a", status.StateRunning)
				if err := sim.Exit("lightd-a", 3); err != nil {
					t.Fatal(err)
				}
				n.wait("a", "reported to have ended", func(st status.Status) bool { return st.LastExit != nil && st.LastExit.Code == 3 })
				if took := time.Since(at); took > time.Second {
					t.Errorf("reported after %s", took)
				}
			})
		})
	}
}

// TestOutcomeIsShownOnceItIsRecorded, and not before: an outcome that is not recorded would
// be missing for a reader after a crash.
func TestOutcomeIsShownOnceItIsRecorded(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		shown  func(status.Status) bool
	}{
		"a success": {204, func(st status.Status) bool { return st.Stopping != nil && st.Stopping.Sent }},
		"a failure": {500, func(st status.Status) bool { return st.Get(status.Synced).Reason == status.ReasonStepFailed }},
	} {
		t.Run(name, func(t *testing.T) {
			failing := &disk{}
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				n.create("a", func(s *desired.Spec) {
					s.Power, s.Stop.Timeout = desired.PowerRunning, desired.Duration(10*time.Minute)
				})
				n.waitState("a", status.StateRunning)
				kill := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/kill", Delay: 5 * time.Second, Status: c.status})
				n.change("a", requestStop)
				awaitCalls(t, kill, 1)
				failing.fail(0, 1000, 0, false)
				was, _ := n.statuses.Get("a")
				was = was.Clone()
				time.Sleep(10 * time.Second)
				if is, _ := n.statuses.Get("a"); !reflect.DeepEqual(is, was) {
					t.Errorf("%+v is shown, and recorded is %+v", is, was)
				}
				failing.fail(0, 0, 0, false)
				n.wait("a", "reported how it ended", c.shown)
			}, func(o *setup) { o.commit = failing.around })
		})
	}
}

// TestNodeAtRest records nothing, however often it reconciles, and requests no list from the engine.
func TestNodeAtRest(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.waitSynced(n.create("off", nil))
		n.create("on", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("on", status.StateRunning)
		time.Sleep(11 * time.Minute) // a run that clears the count of crashes
		was, lists := n.versions("off", "on"), sim.CountCalls(simengine.Rule{Method: "GET", Route: "/containers/json"})
		for range 60 {
			for _, id := range []string{"off", "on"} {
				n.cache.Refresh(id, true)
				n.controller.Enqueue(id)
			}
			time.Sleep(time.Minute)
		}
		if is := n.versions("off", "on"); is != was {
			t.Errorf("%d records of a status", is-was)
		}
		if made := sim.CountCalls(simengine.Rule{Method: "GET", Route: "/containers/json"}) - lists; made > 0 {
			t.Errorf("%d lists of all containers for waste that there is none of", made)
		}
	}, seldom)
}

// versions counts the records of statuses.
func (n *node) versions(ids ...string) (sum uint64) {
	for _, id := range ids {
		st, _ := n.statuses.Get(id)
		sum += st.Version
	}
	return sum
}
