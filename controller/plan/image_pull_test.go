package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/status"
)

const digest = "img@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func pulls(policy desired.ImagePull, image string) func(*desired.Container) {
	return func(c *desired.Container) { c.ImagePull, c.Image = policy, image }
}

// TestImagePull: with always the registry is asked once for each new container, and for nothing else.
func TestImagePull(t *testing.T) {
	const recreated = "CheckHost RemoveContainer CreateContainer"
	newSpec := func(w *scenario) { w.change(func(c *desired.Container) { c.Env["A"] = "b" }) }
	for name, c := range map[string]struct {
		image string
		pull  desired.ImagePull
		then  func(w *scenario)
		want  string
	}{
		"missing, recreated":          {"img", desired.ImagePullMissing, newSpec, recreated},
		"never, recreated":            {"img", desired.ImagePullNever, newSpec, recreated},
		"always, nothing to do":       {"img", desired.ImagePullAlways, func(*scenario) {}, ""},
		"always, started":             {"img", desired.ImagePullAlways, func(w *scenario) { w.change(run) }, "StartContainer"},
		"always, recreated":           {"img", desired.ImagePullAlways, newSpec, "PullImage " + recreated},
		"always, lost":                {"img", desired.ImagePullAlways, func(w *scenario) { w.in.Seen.Run = nil }, "PullImage CreateContainer"},
		"always, reinstalled":         {"img", desired.ImagePullAlways, func(w *scenario) { w.change(func(c *desired.Container) { c.Requests.Install++ }) }, "PullImage RemoveContainer CreateContainer WriteEntrypoint"},
		"always, by digest":           {digest, desired.ImagePullAlways, newSpec, recreated},
		"always, by digest, and gone": {digest, desired.ImagePullAlways, func(w *scenario) { w.in.Seen.Run, w.in.Image.Present = nil, false }, "PullImage CreateContainer"},
		"became always":               {"img", desired.ImagePullMissing, func(w *scenario) { w.change(pulls(desired.ImagePullAlways, "img")) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newScenario(t, pulls(c.pull, c.image))
			w.settle()
			for range 2 { // each time
				w.story()
				c.then(w)
				want := strings.Fields(c.want)
				if got := stepsOf(plan.Simulate(w.in)); !slices.Equal(got, want) {
					t.Errorf("the simulation is %s, want %s", got, want)
				}
				w.settle()
				if !slices.Equal(w.steps, want) {
					t.Errorf("took %s, want %s", w.steps, want)
				}
				if w.in.Status.ImagePulls != nil {
					t.Errorf("a container that is as specified waits for %v", w.in.Status.ImagePulls)
				}
				w.change(func(c *desired.Container) { c.Power, c.Env = desired.PowerStopped, map[string]string{} })
				w.settle()
			}
		})
	}
}

func stepsOf(s plan.Simulation) []string {
	list := make([]string, len(s.Steps))
	for i, one := range s.Steps {
		list[i] = string(one.Kind)
	}
	return list
}

// TestAlwaysPullsTheInstaller too, and what it runs beside.
func TestAlwaysPullsTheInstaller(t *testing.T) {
	w := newScenario(t, func(c *desired.Container) { installer(c); c.ImagePull = desired.ImagePullAlways })
	w.settle()
	if got := strings.Count(fmt.Sprint(w.steps), string(plan.PullImage)); got != 2 || w.in.Seen.Run == nil {
		t.Errorf("%d pulls of two images: %s", got, w.steps)
	}
}

// TestAlwaysWithoutTheRegistry uses what is here, after the registry was asked once, and says so. The old
// container stays until then.
func TestAlwaysWithoutTheRegistry(t *testing.T) {
	w := newScenario(t, pulls(desired.ImagePullAlways, "img"))
	w.settle()
	w.story()
	w.change(func(c *desired.Container) { c.Env["A"] = "b" })
	for _, pulling := range []bool{false, true, true} {
		w.in.Image.Pulling = pulling
		if d := w.decide(); pulling && (d.Step != nil || w.in.Seen.Run == nil) {
			t.Fatalf("it does not wait for the registry: %+v", d.Step)
		}
		w.in.Now = w.in.Now.Add(time.Second)
	}
	w.in.Image.Pulling, w.in.Image.PullError, w.in.Image.PullFailedAt, w.in.Image.PullFailures = false, "away", w.in.Now, 1
	w.settle()
	w.expect("CheckHost RemoveContainer CreateContainer", "PullingImage PullFailed RemovingOldContainer")
	w.in.Image.PullError, w.in.Seen.Run = "", nil // asked again for the next one
	w.settle()
	w.expect("PullImage CreateContainer", "ContainerLost PullingImage ImagePulled")
}

// TestAlwaysSharesPulls: a pull that is under way, for whomever, counts where it ends after the container
// began to wait; one from before does not.
func TestAlwaysSharesPulls(t *testing.T) {
	w := newScenario(t, pulls(desired.ImagePullAlways, "img"))
	w.in.Image.PulledAt = w.in.Now.Add(-time.Second)
	if d := w.decide(); d.Step == nil || d.Step.Kind != plan.PullImage {
		t.Fatalf("an earlier pull counts: %+v", d.Step)
	}
	other := newScenario(t, pulls(desired.ImagePullAlways, "img"))
	other.in.Image.Pulling = true
	other.decide()
	other.in.Now = other.in.Now.Add(time.Minute)
	other.decide()
	other.in.Image.Pulling, other.in.Image.PulledAt = false, other.in.Now
	other.settle()
	other.expect("CreateContainer WriteEntrypoint", "Started CreatingContainer ContainerCreated SettingUpEntrypoint Ready")
	// After a daemon that has died the record says what was asked.
	w.in.Image = observed.Image{Known: true, Present: true}
	w.in.Status.ImagePulls = map[string]status.ImagePull{"img": {At: w.in.Now, Done: true}}
	if d := w.decide(); d.Step == nil || d.Step.Kind != plan.CreateContainer {
		t.Errorf("got %+v", d.Step)
	}
}

// TestNeverWaits for somebody else to bring the image.
func TestNeverWaits(t *testing.T) {
	w := newScenario(t, pulls(desired.ImagePullNever, "img"))
	w.in.Image.Present = false
	d := w.decide()
	if c := d.Status.Get(status.Synced); d.Step != nil || d.After != 0 || c.Reason != status.ReasonImageNotPresent {
		t.Fatalf("got %+v after %s: %+v", d.Step, d.After, c)
	}
	if p := plan.Simulate(w.in); len(p.Steps) != 0 || p.Waits == nil || p.Waits.Reason != status.ReasonImageNotPresent {
		t.Errorf("the simulation has %+v", p)
	}
	w.in.Image.Present = true
	w.settle()
	w.expect("CreateContainer WriteEntrypoint", "Started Blocked CreatingContainer ContainerCreated SettingUpEntrypoint Ready")
}

// TestFailureOfAPull is that of the generation for which the image was pulled, and not of the one that pulls it again.
func TestFailureOfAPull(t *testing.T) {
	w := newScenario(t, nil)
	failed := func() {
		w.in.Image = observed.Image{Known: true, PullError: "no", PullFailedAt: w.in.Now, PullFailures: w.in.Image.PullFailures + 1}
	}
	of := func(what string, generation int64) {
		t.Helper()
		d := w.decide()
		w.in.Status = d.Status
		if c := d.Status.Get(status.Synced); c.ObservedGeneration != generation || c.Reason != status.ReasonImageUnavailable {
			t.Errorf("%s: %+v", what, c)
		}
	}
	failed()
	of("failed", 1)
	w.in.Spec.Generation, w.in.Status.ImageGeneration = 2, 1
	of("to be pulled again", 1)
	w.in.Image.Pulling, w.in.Status.ImageGeneration = true, 2
	of("pulled again", 1)
	failed()
	of("failed again", 2)
}

// TestDelayOfAPull grows where the registry has answered, to 5 min.
func TestDelayOfAPull(t *testing.T) {
	for _, c := range []struct {
		failures int
		refused  bool
		want     time.Duration
	}{{1, false, 30 * time.Second}, {9, false, 30 * time.Second}, {1, true, 30 * time.Second}, {2, true, time.Minute}, {4, true, 4 * time.Minute}, {5, true, 5 * time.Minute}, {1000, true, 5 * time.Minute}} {
		w := newScenario(t, nil)
		w.in.Image = observed.Image{Known: true, PullError: "no", PullRefused: c.refused, PullFailedAt: w.in.Now, PullFailures: c.failures}
		if d := w.decide(); d.Step != nil || d.After != c.want || d.Attempt.Number != c.failures+1 {
			t.Errorf("after %d failures, refused %t: step %v, wait %s, attempt %+v", c.failures, c.refused, d.Step, d.After, d.Attempt)
		}
	}
}
