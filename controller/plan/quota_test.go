package plan_test

import (
	"slices"
	"testing"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// TestVolumeOverItsQuota: it is told by a condition and events; with "stop" the process is stopped and comes back by
// itself, whoever starts it meanwhile, and what is near the quota stays as it was.
func TestVolumeOverItsQuota(t *testing.T) {
	for _, policy := range []desired.QuotaPolicy{desired.QuotaTell, desired.QuotaStop} {
		t.Run(string(policy), func(t *testing.T) {
			w := ready(t, func(s *desired.Container) { s.Power, s.QuotaExceeded = desired.PowerRunning, policy })
			stops := policy == desired.QuotaStop
			w.settle()
			events := func(of journal.Type) int {
				others := slices.DeleteFunc(slices.Clone(w.events), func(e string) bool { return e != string(of) })
				return len(others)
			}
			measure := func(what string, quota observed.VolumeQuota, truth status.ConditionStatus, up bool) {
				t.Helper()
				w.in.Quota = quota
				d := w.settle()
				if got := d.Status.Get(status.QuotaExceeded).Status; got != truth || w.in.Seen.Run.Running() != up {
					t.Errorf("%s: %q, running %t", what, got, w.in.Seen.Run.Running())
				}
				if c := d.Status.Get(status.ProcessRunning); !up && c.Reason != status.ReasonOverQuota {
					t.Errorf("%s: %+v", what, c)
				}
				if d.Status.Get(status.Synced).Status != status.True {
					t.Errorf("%s: not in sync: %+v", what, d.Status.Get(status.Synced))
				}
			}
			const gib = 1 << 30
			of := func(use observed.QuotaUse) observed.VolumeQuota {
				return observed.VolumeQuota{Known: true, Bytes: 10 * gib, Used: 11 * gib, Use: use}
			}
			measure("no quota", observed.VolumeQuota{Known: true}, "", true)
			measure("not measured", of(observed.QuotaNotMeasured), status.Unknown, true)
			measure("near, at first", of(observed.NearQuota), status.False, true)
			measure("over", of(observed.OverQuota), status.True, !stops)
			w.change(func(c *desired.Container) { c.Requests.Start++ })
			w.change(func(c *desired.Container) { c.Requests.Restart++ })
			measure("started by somebody", of(observed.OverQuota), status.True, !stops)
			measure("near", of(observed.NearQuota), status.True, !stops)
			measure("after a restart of the daemon", observed.VolumeQuota{}, status.True, !stops)
			measure("not measured again", of(observed.QuotaNotMeasured), status.True, !stops)
			measure("below", of(observed.BelowQuota), status.False, true)
			measure("over again", of(observed.OverQuota), status.True, !stops)
			measure("the quota is ended", observed.VolumeQuota{Known: true}, "", true)
			if events(journal.DriftDetected) > 0 {
				t.Errorf("a stop for the quota is no drift: %v", w.events)
			}
			if over, below := events(journal.QuotaExceeded), events(journal.QuotaRecovered); over != 2 || below != 2 {
				t.Errorf("%d and %d events", over, below)
			}
		})
	}
}
