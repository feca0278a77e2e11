package plan_test

import (
	"testing"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed/status"
)

// TestRemainsOfAnEarlierRun: a container that the engine does not start for remains of an earlier run is recreated once
// they are sure to stay, once only, and only while it is to run.
func TestRemainsOfAnEarlierRun(t *testing.T) {
	w := newScenario(t, nil)
	w.settle()
	w.change(run)
	refuse := func(times int, recreated bool) {
		w.in.Status.Remains = &status.Remains{ContainerID: w.in.Seen.Run.ContainerID, Refused: times, Recreated: recreated}
	}
	expect := func(why string, want plan.Kind) {
		t.Helper()
		if d := plan.Decide(w.in); d.Step == nil || d.Step.Kind != want {
			t.Fatalf("%s: %+v, want %s", why, d.Step, want)
		}
	}
	refuse(2, false)
	expect("an end may not be over", plan.StartContainer)
	refuse(3, true)
	expect("another container was refused as well", plan.StartContainer)
	w.in.Status.Remains = &status.Remains{ContainerID: "another", Refused: 3}
	expect("they are another container's", plan.StartContainer)

	refuse(3, false)
	stopped := *w
	stopped.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
	if d := plan.Decide(stopped.in); d.Step != nil {
		t.Errorf("a container that is at rest gets the step %+v", d.Step)
	}
	w.story()
	was := w.in.Seen.Run.ContainerID
	w.settle()
	w.expect("CheckHost RemoveContainer CreateContainer StartContainer", "RemovingOldContainer Starting Running")
	if w.in.Seen.Run.ContainerID == was || w.in.Status.Remains != nil {
		t.Errorf("container %s after %s, %+v", w.in.Seen.Run.ContainerID, was, w.in.Status.Remains)
	}
}

// TestRecreationForRemainsIsRecorded: the record of it is on the disk before the container goes.
func TestRecreationForRemainsIsRecorded(t *testing.T) {
	w := newScenario(t, nil)
	w.settle()
	w.change(run)
	w.in.Status.Remains = &status.Remains{ContainerID: w.in.Seen.Run.ContainerID, Refused: 3}
	for {
		d := w.decide()
		if d.Step.Kind == plan.RemoveContainer {
			break
		}
		w.act(*d.Step)
	}
	if remains := w.in.Status.Remains; remains == nil || !remains.Recreated {
		t.Errorf("recorded before the removal: %+v", remains)
	}
}
