package plan_test

import (
	"reflect"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/status"
)

func TestInstallPullsWhatIsMissing(t *testing.T) {
	w := newScenario(t, nil)
	w.in.Image.Present = false
	w.settle()
	w.expect("PullImage CreateContainer WriteEntrypoint",
		"Started PullingImage ImagePulled CreatingContainer ContainerCreated SettingUpEntrypoint Ready")
}

// TestPullReportsItsProgress, and only the message changes by it.
func TestPullReportsItsProgress(t *testing.T) {
	w := newScenario(t, nil)
	w.in.Image = observed.Image{Known: true}
	w.decide() // reports the pull
	w.in.Image.Pulling = true
	first := w.decide()
	for _, c := range []struct {
		pulled, total int64
		want          string
	}{
		{0, 0, "pulling image img"},
		{0, 40_149_000, "pulling image img: 0.0 of 40.1 MB"},
		{12_345_678, 40_149_000, "pulling image img: 12.3 of 40.1 MB"},
		{2_000_000_000, 2_000_000_000, "pulling image img: 2000.0 of 2000.0 MB"},
		{0, 0, "pulling image img"}, // a daemon that has restarted
	} {
		w.in.Now = w.in.Now.Add(2 * time.Second)
		w.in.Image.PulledBytes, w.in.Image.PullTotal = c.pulled, c.total
		d := w.decide()
		got := d.Status.Get(status.Synced)
		if got.Message != c.want || got.Reason != status.ReasonProgressing || d.Step != nil || len(d.Events) > 0 {
			t.Errorf("got %+v, step %v, events %v; want %q", got, d.Step, d.Events, c.want)
		}
		got.Message = "pulling image img"
		d.Status.Set(got, w.in.Now)
		if !reflect.DeepEqual(d.Status, first.Status) {
			t.Errorf("%+v\nbecame %+v", first.Status, d.Status)
		}
	}
}

// TestDriftOfAnInstallationThatWaits names the step that follows the wait by itself.
func TestDriftOfAnInstallationThatWaits(t *testing.T) {
	foreign := &observed.Foreign{ContainerID: "f"}
	for name, c := range map[string]struct {
		change  func(*desired.Container)
		observe func(*plan.Input)
		want    plan.Kind
	}{
		"failed pull": {observe: func(in *plan.Input) {
			in.Image = observed.Image{Known: true, PullError: "no", PullFailedAt: in.Now}
		}, want: plan.PullImage},
		"pull":         {observe: func(in *plan.Input) { in.Image = observed.Image{Known: true, Pulling: true} }, want: plan.PullImage},
		"pull again":   {observe: func(in *plan.Input) { in.Image = observed.Image{Known: true, Pulling: true, PullError: "no"} }, want: plan.PullImage},
		"taken name":   {observe: func(in *plan.Input) { in.Seen.RunNameTaken = foreign }, want: plan.CreateContainer},
		"taken name 2": {change: script, observe: func(in *plan.Input) { in.Seen.InstallNameTaken = foreign }, want: plan.CreateInstallContainer},
	} {
		t.Run(name, func(t *testing.T) {
			w := newScenario(t, c.change)
			c.observe(&w.in)
			if d := w.decide(); d.Step != nil {
				t.Fatalf("it does not wait: %+v", d.Step)
			}
			fields, known := plan.Drift(w.in)
			if !known || len(fields) != 1 || fields[0].Path != "installation" || fields[0].Step != c.want {
				t.Errorf("got %+v", fields)
			}
		})
	}
}

// TestWriteBringsAPullForward, and is no failure of its own.
func TestWriteBringsAPullForward(t *testing.T) {
	w := newScenario(t, nil)
	failed := func() {
		w.in.Image = observed.Image{Known: true, PullError: "manifest unknown", PullFailedAt: w.in.Now}
	}
	w.in.Image = observed.Image{Known: true}
	w.decide()
	failed()
	if d := w.decide(); d.Step != nil {
		t.Fatalf("a pull that has just failed is repeated: %+v", d.Step)
	}
	w.story()
	for range 2 {
		w.in.Now = w.in.Now.Add(time.Second)
		w.change(func(c *desired.Container) { c.Requests.Start++ })
		d := w.decide()
		if d.Step == nil || d.Step.Kind != plan.PullImage {
			t.Fatalf("got %+v, wait %s", d.Step, d.After)
		}
		if got := d.Status.Get(status.Synced); got.Reason != status.ReasonImageUnavailable {
			t.Errorf("the failure is hidden while it is tried again: %+v", got)
		}
		failed()
		if d := w.decide(); d.Step != nil || d.After != 30*time.Second {
			t.Fatalf("got %+v after %s", d.Step, d.After)
		}
		w.expect("", "") // the same cause
	}
	w.in.Image.PullError = "no space"
	w.decide()
	w.expect("", "PullFailed")
}

func TestPullThatFailsWaitsAndIsReportedOnce(t *testing.T) {
	w := newScenario(t, nil)
	w.in.Image = observed.Image{Known: true}
	if d := w.decide(); d.Step == nil || d.Step.Kind != plan.PullImage {
		t.Fatalf("got %+v", d.Step)
	}
	w.in.Image = observed.Image{Known: true, PullError: "manifest unknown", PullFailedAt: w.in.Now}
	d := w.decide()
	if d.Step != nil || d.After != 30*time.Second || d.Status.Get(status.Synced).Reason != status.ReasonImageUnavailable {
		t.Fatalf("got %+v after %s: %+v", d.Step, d.After, d.Status.Get(status.Synced))
	}
	if p := plan.Simulate(w.in); len(p.Steps) != 1 || p.Steps[0].Kind != plan.PullImage || p.Attempt != d.Attempt || d.Attempt.At.IsZero() {
		t.Errorf("what comes next: %+v, attempt %+v", p.Steps, p.Attempt)
	}
	w.in.Now = w.in.Now.Add(31 * time.Second)
	w.settle()
	w.expect("PullImage CreateContainer WriteEntrypoint",
		"Started PullingImage PullFailed ImagePulled CreatingContainer ContainerCreated SettingUpEntrypoint Ready")
}
