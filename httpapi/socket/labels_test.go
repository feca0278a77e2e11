package socket

import (
	"testing"
	"time"

	"lightd/httpapi/api"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// everyType are the events of a container, with the state that each leaves; "" leaves it.
var everyType = map[journal.Type]status.State{
	journal.Started: "", journal.CreatingContainer: "", journal.ContainerCreated: "", journal.RunningInstallScript: "",
	journal.InstallScriptComplete: "", journal.SettingUpEntrypoint: "", journal.Ready: "", journal.Error: "",
	journal.PullingImage: "", journal.ImagePulled: "", journal.ReinstallStarted: "", journal.RebindStarted: "",
	journal.RemovingOldContainer: "", journal.LimitsUpdated: "", journal.OOMKilled: "", journal.BackOff: "",
	journal.PullFailed: "", journal.StepFailed: "", journal.Blocked: "", journal.DriftDetected: "", journal.SnapshotNotCopied: "",
	journal.MountEscaped: "", journal.Deleting: "", journal.Deleted: "",
	journal.Starting: status.StateStarting, journal.Running: status.StateRunning, journal.Stopping: status.StateStopping,
	journal.Exited: status.StateOffline, journal.ContainerLost: status.StateOffline,
}

// installs are what three events say of an installation.
var installs = map[journal.Type]status.InstallState{
	journal.Started: status.Installing, journal.ReinstallStarted: status.Installing, journal.Ready: status.Ready, journal.Error: status.Failed,
}

// TestWords walks every state: the process comes first, and then the installation.
func TestWords(t *testing.T) {
	process := map[status.State]api.Word{
		status.StateStarting: api.Starting, status.StateRunning: api.Running, status.StateStopping: api.Stopping,
	}
	states := []status.State{"", status.StateOffline, status.StateStarting, status.StateRunning, status.StateStopping, status.StateBackOff, status.StateUnknown}
	for _, install := range []status.InstallState{status.Installing, status.Ready, status.Failed} {
		for _, state := range states {
			for _, ended := range []bool{false, true} {
				want := process[state]
				switch {
				case want != "":
				case install == status.Installing:
					want = api.Installing
				case install == status.Failed:
					want = api.Failed
				case ended:
					want = api.Exit
				default:
					want = api.Installed
				}
				before := View{install, state, ended}
				if got := before.Word(); got != want {
					t.Errorf("%+v: %s, want %s", before, got, want)
				}
				// An event that is recorded leaves the word of what is recorded.
				for event, after := range everyType {
					recorded := View{install, state, ended}
					if after != "" {
						recorded.State = after
					}
					if says := installs[event]; says != "" {
						recorded.Install = says
					}
					if got := before.After(event, recorded); got.Word() != recorded.Word() {
						t.Errorf("%+v after %s: %s, and on connecting %s", before, event, got.Word(), recorded.Word())
					}
				}
			}
		}
	}
}

// TestEveryWordIsSeen: a client that is behind gets the words of all events, whatever is recorded since.
func TestEveryWordIsSeen(t *testing.T) {
	recorded := View{Install: status.Ready, State: status.StateOffline, Ended: true}
	v, got := View{Install: status.Ready}, []api.Word{}
	for _, event := range []journal.Type{journal.Starting, journal.Running, journal.Stopping, journal.Exited} {
		v = v.After(event, recorded)
		got = append(got, v.Word())
	}
	for i, want := range []api.Word{api.Starting, api.Running, api.Stopping, api.Exit} {
		if got[i] != want {
			t.Fatalf("got %v", got)
		}
	}
}

// TestRefusedWhileItRuns: a generation that fails ends no process, and both ways say so.
func TestRefusedWhileItRuns(t *testing.T) {
	recorded := View{Install: status.Failed, State: status.StateRunning}
	if v := (View{Install: status.Ready, State: status.StateRunning}).After(journal.Error, recorded); v.Word() != api.Running {
		t.Errorf("the word is %s while the process runs", v.Word())
	}
	if v := recorded.After(journal.Exited, View{Install: status.Failed, State: status.StateOffline, Ended: true}); v.Word() != api.Failed {
		t.Errorf("the word is %s after it has ended", v.Word())
	}
}

// TestEndedSinceTheInstallation: a new installation was not run yet, whatever its predecessor was.
func TestEndedSinceTheInstallation(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		seen, exited time.Duration
		want         api.Word
	}{
		"never run":                     {0, 0, api.Installed},
		"run before it":                 {-2 * time.Hour, -time.Hour, api.Installed},
		"run since":                     {time.Hour, 2 * time.Hour, api.Exit},
		"run since, its end was missed": {time.Hour, -time.Hour, api.Exit},
		"a record of before":            {0, time.Hour, api.Exit},
	} {
		st := status.Status{State: status.StateOffline, InstallState: status.Ready}
		st.Set(status.Condition{Type: status.Installed, Status: status.True, Reason: status.ReasonInstalled}, at)
		if c.seen != 0 {
			st.RunSeen = at.Add(c.seen)
		}
		if c.exited != 0 {
			st.LastExit = &status.Exit{At: at.Add(c.exited)}
		}
		if got := ViewOf(status.Ready, st).Word(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
