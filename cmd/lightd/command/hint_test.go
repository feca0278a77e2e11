package command

import (
	"strings"
	"testing"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/observed/status"
)

// TestHints: one for each reason, with the id in it, and none of what is as it should be.
func TestHints(t *testing.T) {
	condition := func(kind status.ConditionType, truth status.ConditionStatus, reason status.Reason) status.Condition {
		return status.Condition{Type: kind, Status: truth, Reason: reason}
	}
	for name, c := range map[string]struct {
		conditions []status.Condition
		power      desired.Power
		want       string
	}{
		"all is well": {[]status.Condition{condition(status.Synced, status.True, status.ReasonSynced)}, "running", ""},
		"a backoff": {[]status.Condition{
			condition(status.ProcessRunning, status.False, status.ReasonBackOff), condition(status.ProcessStarted, status.False, status.ReasonBackOff),
			condition(status.Synced, status.False, status.ReasonBackOff),
		}, "running", `BackOff: read why it ends with "lightd logs web"; "lightd start web" starts it now`},
		"an end that was asked for": {[]status.Condition{condition(status.ProcessStarted, status.False, status.ReasonExited)}, "stopped", ""},
		"two reasons": {[]status.Condition{
			condition(status.Installed, status.False, status.ReasonInstallInterrupted), condition(status.Synced, status.False, status.ReasonPaused),
		}, "running", `InstallInterrupted: run it again with "lightd reinstall web"` + "\n" +
			`Paused: end that with "lightd patch web -p '{paused: false}'"`},
		"a failed installation": {[]status.Condition{
			condition(status.Installed, status.False, status.ReasonInstallInterrupted), condition(status.Synced, status.False, status.ReasonInstallFailed),
		}, "running", `InstallInterrupted: run it again with "lightd reinstall web"`},
		"an image": {[]status.Condition{condition(status.Synced, status.False, status.ReasonImageUnavailable)}, "running",
			`ImageUnavailable: check the name of the image; "docker pull" of it on the daemon's machine shows more; for a private registry, see "lightd docs registries"; or load it with "docker load"`},
	} {
		t.Run(name, func(t *testing.T) {
			container := api.Container{InternalID: "web", Image: "game:1", Conditions: c.conditions, Power: c.power}
			if got := strings.Join(hintsFor(container), "\n"); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}
