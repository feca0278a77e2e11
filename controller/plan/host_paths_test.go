package plan_test

import (
	"strings"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/drift"
	"lightd/observed/status"
)

// mounted returns a scenario whose container has a mount and whose host can be inspected.
func mounted(t *testing.T) *scenario {
	w := newScenario(t, func(c *desired.Container) { c.Mount = map[string]desired.Mount{"/data": {Source: "/srv/x"}} })
	w.in.VerifyMounts = true
	w.settle()
	w.story()
	return w
}

// TestEveryRunIsVerified: one whose mounts were compared by the start itself is not compared
// again, one that a daemon left behind or that was started outside of Lightd is.
func TestEveryRunIsVerified(t *testing.T) {
	w := mounted(t)
	w.change(run)
	step := w.decide().Step
	w.act(*step)
	w.in.Status.MountsVerified = status.RunOf(w.in.Seen.Run) // as the start leaves it
	w.story()
	w.settle()
	w.expect("", "Running")
	w.in.Now = w.in.Now.Add(time.Minute)
	w.die(w.in.Seen.Run, 0)
	w.decide()
	w.in.Now = w.in.Now.Add(time.Second)
	w.start(w.in.Seen.Run) // outside of Lightd
	d := w.decide()
	if d.Step == nil || d.Step.Kind != plan.VerifyMounts || d.Step.Target != w.in.Seen.Run.ContainerID {
		t.Fatalf("got %+v", d.Step)
	}
	w.in.Status.MountsVerified, w.in.Status.MountsUnverified = status.RunOf(w.in.Seen.Run), nil
	w.story()
	w.settle()
	w.expect("", "")
	// A run from before mounts were verified is not: what its paths led to is unknown.
	w = mounted(t)
	w.in.VerifyMounts = false
	w.change(run)
	w.settle()
	w.story()
	w.in.VerifyMounts = true
	w.settle()
	w.expect("", "")
}

// TestEscapeWaits for its time or for another spec, and is no crash.
func TestEscapeWaits(t *testing.T) {
	w := mounted(t)
	w.change(run)
	step := w.decide().Step
	w.act(*step)
	w.die(w.in.Seen.Run, 137)
	escape := &status.MountEscape{Run: status.RunOf(w.in.Seen.Run), Generation: w.in.Spec.Generation, Target: "/data", Source: "/srv/x",
		Found: "/etc", Count: 1, NotBefore: w.in.Now.Add(15 * time.Second)}
	w.in.Status.MountsVerified, w.in.Status.MountEscape = status.RunOf(w.in.Seen.Run), escape
	d := w.decide()
	synced := d.Status.Get(status.Synced)
	if d.Step != nil || d.After != 15*time.Second || synced.Reason != status.ReasonMountEscaped || d.Status.Crashes != 0 || d.Status.Restarts != 0 {
		t.Fatalf("step %+v after %s, %+v", d.Step, d.After, d.Status)
	}
	fields, _ := plan.Drift(w.in)
	found := false
	for _, f := range fields {
		found = found || f.Path == "mount./data" && f.Desired == "/srv/x" && f.Observed == "/etc" && f.Kind == drift.Spec
	}
	if !found {
		t.Errorf("drift shows %+v", fields)
	}
	later, other := *w, *w
	later.in.Now = later.in.Now.Add(15 * time.Second)
	if d := later.decide(); d.Step == nil || d.Step.Kind != plan.StartContainer || d.Status.MountEscape == nil {
		t.Errorf("after its time %+v", d.Step)
	}
	other.change(func(c *desired.Container) { c.StartPattern = "x" })
	if d := other.decide(); d.Step == nil || d.Step.Kind != plan.StartContainer || d.Status.MountEscape != nil {
		t.Errorf("with another spec %+v", d.Step)
	}
}

// TestRefusalOfAnEarlierRevision is tried once more: whose fault it was is not recorded.
func TestRefusalOfAnEarlierRevision(t *testing.T) {
	w := mounted(t)
	w.change(run)
	w.in.Status.FailedGeneration, w.in.Status.InstallState = w.in.Spec.Generation, status.Failed
	w.in.Status.Set(status.Condition{Type: status.Synced, Status: status.False, Reason: status.ReasonRefused, Message: "no"}, w.in.Now)
	w.in.VerifyMounts = false
	w.settle()
	w.expect("StartContainer", "Starting Running")
	if st := w.in.Status; st.FailedGeneration != 0 || st.InstallState != status.Ready || st.Get(status.Synced).Status != status.True {
		t.Errorf("it is %+v", st)
	}
}

// TestRefusedStartOfWhatDiffers: the container is recreated once, as what it differs in may be
// what was refused, and its spec is given up only after that.
func TestRefusedStartOfWhatDiffers(t *testing.T) {
	w := newScenario(t, nil)
	w.settle()
	w.change(run)
	refused := func() {
		w.in.Status.FailedGeneration, w.in.Status.FailedBy, w.in.Status.InstallState = w.in.Spec.Generation, status.FailedBySpec, status.Failed
	}
	refused()
	w.in.Seen.Run.Log.MaxSize = "nonsense"
	w.story()
	for range 3 { // up to the start
		d := w.decide()
		w.steps = append(w.steps, string(d.Step.Kind))
		w.act(*d.Step)
	}
	w.expect("CheckHost RemoveContainer CreateContainer", "RemovingOldContainer")
	if d := w.decide(); d.Step == nil || d.Step.Kind != plan.StartContainer {
		t.Fatalf("got %+v", d.Step)
	}
	refused()
	w.in.Seen.Run.Log.MaxSize = "nonsense"
	w.story()
	w.settle()
	if w.in.Status.FailedGeneration != w.in.Spec.Generation || len(w.steps) > 0 {
		t.Errorf("it is recreated again: %v", w.steps)
	}
}

// TestReplacedUnderItsProcess: a running container whose directory was replaced is not in sync and
// runs on, until it is restarted, stopped, or the directory is back.
func TestReplacedUnderItsProcess(t *testing.T) {
	start := func() *scenario {
		w := mounted(t)
		w.change(run)
		w.act(*w.decide().Step)
		w.in.Status.MountsVerified = status.RunOf(w.in.Seen.Run) // as the start leaves it
		w.settle()
		w.in.Replaced = []plan.ReplacedMount{{Run: status.RunOf(w.in.Seen.Run),
			Mount: observed.Mount{Source: "/volumes/v", Target: "/home/container"}, Found: "a link to /etc"}}
		d := w.decide()
		synced := d.Status.Get(status.Synced)
		if d.Step != nil || synced.Status != status.False || synced.Reason != status.ReasonMountUnavailable || !strings.Contains(synced.Message, "/volumes/v, where a link to /etc is now") {
			t.Fatalf("step %+v, %+v", d.Step, synced)
		}
		return w
	}
	w := start()
	w.in.Replaced = nil
	if d := w.decide(); d.Status.Get(status.Synced).Status != status.True {
		t.Errorf("once it is back %+v", d.Status.Get(status.Synced))
	}
	for name, change := range map[string]func(*desired.Container){
		"stopped":   halt,
		"restarted": func(c *desired.Container) { c.Requests.Restart++ },
	} {
		w := start()
		w.change(change)
		if d := w.decide(); d.Step == nil || d.Step.Kind != plan.StopContainer {
			t.Errorf("%s: %+v", name, d.Step)
		}
	}
	w = start()
	w.die(w.in.Seen.Run, 1)
	if d := w.decide(); d.Step == nil || d.Step.Kind != plan.StartContainer {
		t.Errorf("after its end %+v", d.Step)
	}
}
