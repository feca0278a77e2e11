package controller_test

import (
	"fmt"
	"strings"
	"testing"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/owner"
	"lightd/observed/status"
)

// withChecks has a node check as much as the daemon does.
func withChecks(o *setup) { o.checks = true }

// verifiedPins are mounts that lead where they have to.
type verifiedPins struct{}

func (verifiedPins) Verify(int) error                { return nil }
func (verifiedPins) Own() map[string]observed.FileID { return nil }
func (verifiedPins) Close()                          {}

// TestCallsOfACrash holds each call of the engine from the end of a program until it runs again and is observed: one
// inspection shows the process whose mounts are verified, one the container. On a busy machine there is another, where
// the start comes later than a second after the end, or its event after its answer.
func TestCallsOfACrash(t *testing.T) {
	const want, inspections = "GET /volumes/{id}, POST /containers/{id}/start", 2
	for what, spec := range map[string]func(*desired.Spec){
		"plain":           func(*desired.Spec) {},
		"of another user": func(s *desired.Spec) { s.User = "1000:1000" },
	} {
		t.Run(what, func(t *testing.T) {
			sim, n := onSim(t, withChecks)
			var made []string
			inspected := 0
			for _, call := range n.crash(t, sim, spec, "a") {
				if call.Route == "/containers/{id}/json" {
					inspected++
					continue
				}
				made = append(made, call.Method+" "+call.Route)
			}
			if got := strings.Join(made, ", "); got != want || inspected < inspections || inspected > inspections+2 {
				t.Errorf("%s, and %d inspections; want %s and %d", got, inspected, want, inspections)
			}
		})
	}
}

// TestCallsOfManyCrashes holds how many calls of each kind 50 crashes at once cost. On a busy machine some are inspected
// once more: where a start finds no slot within a second of the end, or its event comes after the answer.
func TestCallsOfManyCrashes(t *testing.T) {
	sim, n := onSim(t, withChecks)
	const crashes = 50
	var ids []string
	for i := range crashes {
		ids = append(ids, fmt.Sprintf("c%d", i))
	}
	made := map[string]int{}
	for _, call := range n.crash(t, sim, func(*desired.Spec) {}, ids...) {
		made[call.Method+" "+call.Route]++
	}
	for call, most := range map[string]int{"GET /volumes/{id}": crashes, "POST /containers/{id}/start": crashes, "GET /containers/{id}/json": 3*crashes - 1} {
		if made[call] > most {
			t.Errorf("%d of %s, want at most %d", made[call], call, most)
		}
		delete(made, call)
	}
	if len(made) > 0 {
		t.Errorf("and %v", made)
	}
}

// crash has containers without terminals killed by the kernel at once, waits until all of them run again, and returns
// the calls of the engine since.
func (n *node) crash(t *testing.T, sim *simengine.Sim, with func(*desired.Spec), ids ...string) []simengine.Call {
	t.Helper()
	for _, id := range ids {
		n.create(id, func(s *desired.Spec) {
			s.Power, s.TTY = desired.PowerRunning, false
			with(s)
		})
	}
	for _, id := range ids {
		n.waitState(id, status.StateRunning)
	}
	sim.ResetCalls()
	for _, id := range ids {
		if err := sim.Exit(observed.RunName(id), 137); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		n.wait(id, "running again", func(st status.Status) bool { return st.Restarts == 1 && st.State == status.StateRunning })
	}
	return sim.Calls()
}

// guard has the mark of the owner read before each act.
func (n *node) guard() {
	g := &owner.Guard{Record: owner.Record{Epoch: "first"}, Instance: n.store.Instance(), Engine: n.engine}
	n.engine.Guard(g.Confirm)
}
