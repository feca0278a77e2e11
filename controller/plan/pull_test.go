package plan_test

import (
	"reflect"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/observed"
	"lightd/observed/status"
)

func TestInstallPullsWhatIsMissing(t *testing.T) {
	w := newWorld(t, nil)
	w.in.Image.Present = false
	w.settle()
	w.expect("PullImage CreateContainer WriteEntrypoint",
		"Started PullingImage ImagePulled CreatingContainer ContainerCreated SettingUpEntrypoint Ready")
}

// TestPullSaysHowFarItHasCome, and nothing but the words changes by it.
func TestPullSaysHowFarItHasCome(t *testing.T) {
	w := newWorld(t, nil)
	w.in.Image = observed.Image{Known: true}
	w.look() // tells of the pull
	w.in.Image.Pulling = true
	first := w.look()
	for _, c := range []struct {
		pulled, total int64
		want          string
	}{
		{0, 0, "pulling image img"},
		{0, 40_149_000, "pulling image img: 0.0 of 40.1 MB"},
		{12_345_678, 40_149_000, "pulling image img: 12.3 of 40.1 MB"},
		{2_000_000_000, 2_000_000_000, "pulling image img: 2000.0 of 2000.0 MB"},
		{0, 0, "pulling image img"}, // a daemon that starts anew
	} {
		w.in.Now = w.in.Now.Add(2 * time.Second)
		w.in.Image.PulledBytes, w.in.Image.PullTotal = c.pulled, c.total
		d := w.look()
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

func TestPullThatFailsWaitsAndIsToldOnce(t *testing.T) {
	w := newWorld(t, nil)
	w.in.Image = observed.Image{Known: true}
	if d := w.look(); d.Step == nil || d.Step.Kind != plan.PullImage {
		t.Fatalf("got %+v", d.Step)
	}
	w.in.Image = observed.Image{Known: true, PullError: "manifest unknown", PullFailedAt: w.in.Now}
	d := w.look()
	if d.Step != nil || d.After != 30*time.Second || d.Status.Get(status.Synced).Reason != status.ReasonImageUnavailable {
		t.Fatalf("got %+v after %s: %+v", d.Step, d.After, d.Status.Get(status.Synced))
	}
	w.in.Now = w.in.Now.Add(31 * time.Second)
	w.settle()
	w.expect("PullImage CreateContainer WriteEntrypoint",
		"Started PullingImage PullFailed ImagePulled CreatingContainer ContainerCreated SettingUpEntrypoint Ready")
}
