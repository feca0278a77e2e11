package plan_test

import (
	"strings"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// TestInstallInAnImageOfItsOwn pulls both images before anything is removed, runs the script in the one, and makes the
// server from the other, of which no snapshot is made.
func TestInstallInAnImageOfItsOwn(t *testing.T) {
	w := newScenario(t, installer)
	w.in.Image, w.in.InstallImage = observed.Image{Known: true}, observed.Image{Known: true}
	w.settle()
	w.expect("PullImage PullImage CreateInstallContainer StartInstallScript KeepInstallation RemoveInstallContainer WriteEntrypoint CreateContainer",
		"Started PullingImage ImagePulled PullingImage ImagePulled CreatingContainer ContainerCreated RunningInstallScript InstallScriptComplete SettingUpEntrypoint Ready")
	in := w.in.Status.Install
	if in.Image != "tools" || !in.Separate || in.Snapshot != "" || w.in.Seen.Run.Image != "img" {
		t.Errorf("installed in %+v, runs from %s", in, w.in.Seen.Run.Image)
	}
	if ref := plan.InstallImage(w.in.Spec, w.in.Status); ref != "" {
		t.Errorf("%s is still needed", ref)
	}
	w.change(func(c *desired.Container) {
		c.Install.Script, c.Install.Image, c.Install.Timeout = "false", "others", desired.Duration(time.Hour)
	})
	w.settle()
	w.expect("", "")
	w.in.InstallImage = observed.Image{Known: true, PullError: "no", PullFailedAt: w.in.Now}
	w.change(func(c *desired.Container) { c.Requests.Install++ })
	w.in.Status.ImageGeneration = w.in.Spec.Generation
	w.settle()
	w.expect("", "ReinstallStarted Started PullFailed")
	if c := w.in.Status.Get(status.Synced); c.Reason != status.ReasonImageUnavailable || w.in.Seen.Run == nil {
		t.Errorf("without the image of the installer: %+v, run %v", c, w.in.Seen.Run)
	}
}

// TestInstallerThatCannotRun is tried again once its own image is another one, and not because that of the
// server differs from it.
func TestInstallerThatCannotRun(t *testing.T) {
	w := newScenario(t, installer)
	w.in.Image.ImageID, w.in.InstallImage = "sha256:server", observed.Image{Known: true, Present: true, ImageID: "sha256:tools"}
	w.decide()
	refuse := func(st *status.Status) {
		st.FailedGeneration, st.FailedBy, st.FailedImage = 1, status.FailedBySpec, "sha256:tools"
		st.Install = status.Install{Request: 1, Phase: status.InstallPreparing}
	}
	refuse(&w.in.Status)
	w.story()
	w.settle()
	w.expect("", "")
	w.in.InstallImage.ImageID = "sha256:better"
	w.settle()
	if w.in.Status.Install.Phase != status.InstallDone {
		t.Errorf("with another image: %+v", w.in.Status.Install)
	}
}

// TestInstallTimeoutOfASpec counts in the place of the operator's, and at once where it changes under the script.
func TestInstallTimeoutOfASpec(t *testing.T) {
	w := newScenario(t, func(c *desired.Container) { installer(c); c.Install.Timeout = desired.Duration(time.Hour) })
	w.in.InstallImage, w.exit = observed.Image{Known: true, Present: true}, -1
	if d := w.settle(); d.After < 59*time.Minute {
		t.Errorf("the script has %s", d.After)
	}
	w.in.Now = w.in.Now.Add(20 * time.Minute)
	w.story()
	w.settle()
	w.expect("", "")
	w.change(func(c *desired.Container) { c.Install.Timeout = desired.Duration(15 * time.Minute) })
	w.settle()
	if got := strings.Join(w.steps, " "); got != "KillInstallScript SaveInstallOutput RemoveInstallContainer" {
		t.Errorf("got %s", got)
	}
	if c := w.in.Status.Get(status.Installed); c.Reason != status.ReasonInstallTimeout || c.Message != "the install script took longer than 15m0s" {
		t.Errorf("got %+v", c)
	}
	if got := w.events[len(w.events)-1]; got != string(journal.Error) {
		t.Errorf("events %v", w.events)
	}
}
