package view

import (
	"testing"
	"time"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/observed"
	"lightd/observed/status"
)

// TestSummaries: the incidents of an operator's day, each in one sentence.
func TestSummaries(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const since = " (since 2026-01-02T03:04:05Z)"
	is := func(kind status.ConditionType, truth status.ConditionStatus, reason status.Reason, message string) status.Condition {
		return status.Condition{Type: kind, Status: truth, Reason: reason, Message: message, LastTransitionTime: at}
	}
	ready := is(status.Installed, status.True, status.ReasonInstalled, "")
	synced := is(status.Synced, status.True, status.ReasonSynced, "")
	blocked := func(reason status.Reason, message string) []status.Condition {
		return []status.Condition{ready, is(status.Synced, status.False, reason, message)}
	}
	for name, c := range map[string]struct {
		container api.Container
		crashes   int
		want      string
	}{
		"all is well": {
			api.Container{State: status.StateRunning, Conditions: []status.Condition{ready, is(status.ProcessRunning, status.True, status.ReasonPatternMatched, ""), synced}}, 0,
			"runs" + since,
		},
		"stopped as it should be": {api.Container{State: status.StateOffline, Power: desired.PowerStopped, Conditions: []status.Condition{ready, synced}}, 0, "is stopped"},
		"a crash loop": {
			api.Container{State: status.StateBackOff, LastExit: &status.Exit{Code: 1}, Conditions: []status.Condition{ready, is(status.ProcessStarted, status.False, status.ReasonBackOff, "")}}, 0,
			"ends again and again" + since + `: its exit code was 1; each restart waits longer, up to 5 min; read why it ends with "lightd logs web"; "lightd start web" starts it now`,
		},
		"a crash loop, at its next start": {
			api.Container{State: status.StateStarting, LastExit: &status.Exit{Code: 1}, Conditions: []status.Condition{ready, is(status.ProcessStarted, status.False, status.ReasonStarting, ""), is(status.Synced, status.False, status.ReasonProgressing, "")}}, 3,
			`ends again and again (since 2026-01-02T02:04:05Z): its exit code was 1; each restart waits longer, up to 5 min; read why it ends with "lightd logs web"; "lightd start web" starts it now`,
		},
		"a crash loop that is over": {
			api.Container{State: status.StateRunning, LastExit: &status.Exit{Code: 137, Signal: "SIGKILL"}, Conditions: []status.Condition{ready, is(status.ProcessRunning, status.True, status.ReasonPatternMatched, ""), synced}}, 2,
			"runs" + since + ": it ended 2 times in a row before: it was ended by SIGKILL",
		},
		"a crash that was one": {
			api.Container{State: status.StateRunning, LastExit: &status.Exit{Code: 1}, Conditions: []status.Condition{ready, is(status.ProcessRunning, status.True, status.ReasonPatternMatched, ""), synced}}, 1,
			"runs" + since,
		},
		"a port that is busy at a start": {
			api.Container{State: status.StateStarting, Conditions: append(blocked(status.ReasonPortUnavailable, "address already in use"), is(status.ProcessStarted, status.False, status.ReasonStarting, ""))}, 0,
			"cannot be started" + since + `: address already in use; Lightd tries again as soon as the port is free, and every 15 s; "ss -ltunp" shows what has the port: end it, or take another port with "lightd rebind web -p PORT"; where it shows nothing, the engine holds the port until it is restarted`,
		},
		"a machine out of memory": {
			api.Container{State: status.StateOffline, LastExit: &status.Exit{Code: 137, OOM: true}, Conditions: []status.Condition{ready, is(status.ProcessStarted, status.False, status.ReasonExited, ""), synced}}, 1,
			"has ended" + since + ": the kernel ended it for memory; the machine has too little memory: end something on it, or bound its containers with limits.memory",
		},
		"out of memory": {
			api.Container{State: status.StateBackOff, LastExit: &status.Exit{Code: 137, OOM: true}, Limits: desired.Limits{Memory: 64 << 20}, Conditions: []status.Condition{ready, is(status.ProcessStarted, status.False, status.ReasonBackOff, "")}}, 0,
			"ends again and again" + since + `: the kernel ended it for memory, of which its limit is 64 MiB; each restart waits longer, up to 5 min; give it more with limits.memory of the spec ("lightd edit web"), or have the program take less`,
		},
		"a port of another process": {
			api.Container{State: status.StateOffline, Conditions: blocked(status.ReasonPortUnavailable, "port 0.0.0.0:80/tcp is in use on this host by nginx (pid 7)")}, 0,
			"cannot be started" + since + `: port 0.0.0.0:80/tcp is in use on this host by nginx (pid 7); Lightd tries again as soon as the port is free, and every 15 s; end that program, or take another port with "lightd rebind web -p PORT"`,
		},
		"a port of another container": {
			api.Container{State: status.StateOffline, Conditions: blocked(status.ReasonPortUnavailable, "port 0.0.0.0:80/tcp is in use on this host by docker-proxy (pid 7)")}, 0,
			"cannot be started" + since + `: port 0.0.0.0:80/tcp is in use on this host by docker-proxy (pid 7); Lightd tries again as soon as the port is free, and every 15 s; stop the container that "docker ps" shows with that port, or take another one with "lightd rebind web -p PORT"; where none has it, the engine holds the port until it is restarted`,
		},
		"a port of an address that is not the machine's": {
			api.Container{State: status.StateOffline, Conditions: blocked(status.ReasonPortUnavailable, "port 10.9.9.9:80/tcp: this host does not have that address")}, 0,
			"cannot be started" + since + `: port 10.9.9.9:80/tcp: this host does not have that address; Lightd tries again every 15 s; give the machine that address, or the container another one with "lightd rebind web -p ADDRESS:PORT"`,
		},
		"no such image": {
			api.Container{InstallState: status.Installing, Conditions: []status.Condition{is(status.Installed, status.False, status.ReasonInstalling, ""), is(status.Synced, status.False, status.ReasonImageUnavailable, "pull image game:1: the registry has no such image")}}, 0,
			"cannot be installed" + since + `: pull image game:1: the registry has no such image; Lightd tries again after 30 s, doubling to 5 min; correct the image or its tag with "lightd edit web"; or push it there, or load it here with "docker load"`,
		},
		"a full disk": {
			api.Container{State: status.StateRunning, Conditions: []status.Condition{ready, synced, is(status.DiskFull, status.True, status.ReasonRecording, (&desired.DiskFullError{Mount: "/", Free: 1 << 20, Needed: 64 << 20}).Error())}}, 0,
			"runs, and the disk of the data directory is full" + since + ": 1 MiB are free on the disk at /, and 64 MiB are needed. Stop or delete containers, delete volumes, or remove other files there; " +
				"Lightd heals what runs, stops and deletes, and refuses other changes until there is room",
		},
		"an engine that is away": {
			api.Container{State: status.StateUnknown, Conditions: []status.Condition{ready, is(status.Synced, status.Unknown, status.ReasonEngineDown, "the engine does not answer")}}, 0,
			"is in an unknown state, as Docker does not answer" + since + `; what runs goes on running, and Lightd connects again by itself; "systemctl status docker" on the daemon's machine shows why; start it, or, where it hangs, restart it (without live-restore that ends containers, which Lightd starts again)`,
		},
		"a pattern that never matches": {
			api.Container{State: status.StateStarting, StartPattern: "Done", Conditions: []status.Condition{ready, is(status.ProcessRunning, status.False, status.ReasonWaitingForPattern, ""), synced}}, 0,
			"is up, and has not printed its start pattern" + since + `: no line has matched "Done"; Lightd goes on matching its output; compare start_pattern with what it prints ("lightd logs web"), and correct it with "lightd edit web"`,
		},
		"a registry that nothing reaches": {
			api.Container{Power: desired.PowerRunning, State: status.StateOffline, Conditions: blocked(status.ReasonImageUnavailable, observed.PullUnreachable.Of("127.0.0.1:5000/game:1"))}, 0,
			"cannot be started" + since + `: pull image 127.0.0.1:5000/game:1: the registry is unreachable; Lightd tries again every 30 s; check the name and port of the registry, and the network of the daemon's machine: try "docker pull" there`,
		},
		"a copy of an image that cannot be loaded": {
			api.Container{Power: desired.PowerRunning, State: status.StateOffline, Conditions: blocked(status.ReasonImageUnavailable, "load image x: the disk fails")}, 0,
			"cannot be started" + since + `: load image x: the disk fails; Lightd tries again every 30 s, or up to 5 min apart where the registry refuses; check the name of the image; "docker pull" of it on the daemon's machine shows more; for a private registry, see "lightd docs registries"; or load it with "docker load"`,
		},
		"a pattern with quotes": {
			api.Container{State: status.StateStarting, StartPattern: `"Done \(`, Conditions: []status.Condition{ready, is(status.ProcessRunning, status.False, status.ReasonWaitingForPattern, ""), synced}}, 0,
			"is up, and has not printed its start pattern" + since + `: no line has matched '"Done \('; Lightd goes on matching its output; compare start_pattern with what it prints ("lightd logs web"), and correct it with "lightd edit web"`,
		},
		"a script that fails": {
			api.Container{InstallState: status.Failed, Conditions: []status.Condition{is(status.Installed, status.False, status.ReasonInstallScriptFailed, "exit code 3"), is(status.Synced, status.False, status.ReasonInstallFailed, "")}}, 0,
			"was not installed" + since + `: exit code 3; Lightd does not run it again by itself; read its output with "lightd logs --install web", correct the script with "lightd edit web", and run "lightd reinstall web"`,
		},
		"an installation": {
			api.Container{InstallState: status.Installing, Conditions: []status.Condition{is(status.Installed, status.False, status.ReasonInstalling, ""), is(status.Synced, status.False, status.ReasonProgressing, "the install script runs")}}, 0,
			"is being installed" + since + ": the install script runs",
		},
		"a health check that fails": {
			api.Container{State: status.StateRunning, Conditions: []status.Condition{ready, is(status.Healthy, status.False, status.ReasonProbeFailed, "port 25565: connection refused"), synced}}, 0,
			"runs, and its health check fails" + since + `: port 25565: connection refused; Lightd repeats the check as the spec says; read what the program prints with "lightd logs web", and compare "health" in the spec with it`,
		},
		"an end of its own": {
			api.Container{State: status.StateOffline, LastExit: &status.Exit{}, Conditions: []status.Condition{ready, is(status.ProcessStarted, status.False, status.ReasonExited, ""), synced}}, 0,
			"has ended" + since + `: its exit code was 0; read what it printed with "lightd logs web"; "lightd start web" starts it`,
		},
		"suspended": {
			api.Container{State: status.StateOffline, Suspended: true, Conditions: []status.Condition{ready, is(status.ProcessStarted, status.False, status.ReasonSuspended, ""), synced}}, 0,
			"is suspended" + since + `; lift it with "lightd patch web -p '{suspended: false}'"`,
		},
		"paused": {
			api.Container{State: status.StateRunning, Paused: true, Conditions: blocked(status.ReasonPaused, "")}, 0,
			"runs, and is left alone" + since + `; Lightd touches nothing; end that with "lightd patch web -p '{paused: false}'"`,
		},
		"held back with the node": {
			api.Container{State: status.StateOffline, Conditions: blocked(status.ReasonNodeDrained, "the node is drained since 2026-01-01T00:00:00Z (kernel update); the step StartContainer is taken after that: power is running")}, 0,
			`is stopped: the node is drained since 2026-01-01T00:00:00Z (kernel update); the step StartContainer is taken after that: power is running; Lightd stops what runs, and starts nothing until the cordon ends; "lightd uncordon" starts all that should run`,
		},
		"deleting": {api.Container{Deleting: true, Conditions: blocked(status.ReasonDeleting, "")}, 0, "is being deleted" + since},
		"over its quota, and stopped": {
			api.Container{State: status.StateOffline, VolumeID: "v", QuotaExceeded: desired.QuotaStop, Conditions: []status.Condition{ready, is(status.ProcessStarted, status.False, status.ReasonOverQuota, ""), is(status.QuotaExceeded, status.True, status.ReasonOverQuota, "2GiB of 1GiB"), synced}}, 0,
			"is stopped as its volume is over its quota" + since + `: 2GiB of 1GiB; Lightd starts it once the volume is below 95 % of its quota; delete files of the volume, or raise its quota with "lightd volume quota v SIZE"`,
		},
		"over its quota, and to be stopped": {
			api.Container{State: status.StateOffline, Power: desired.PowerStopped, VolumeID: "v", QuotaExceeded: desired.QuotaStop, Conditions: []status.Condition{ready, is(status.ProcessStarted, status.False, status.ReasonOverQuota, ""), is(status.QuotaExceeded, status.True, status.ReasonOverQuota, "2GiB of 1GiB"), synced}}, 0,
			"is stopped, and its volume is over its quota" + since + `: 2GiB of 1GiB; nothing starts it until the volume is below 95 % of its quota; delete files of the volume, or raise its quota with "lightd volume quota v SIZE"`,
		},
		"over its quota, and told alone": {
			api.Container{State: status.StateRunning, VolumeID: "v", QuotaExceeded: desired.QuotaTell, Conditions: []status.Condition{ready, is(status.QuotaExceeded, status.True, status.ReasonOverQuota, "2GiB of 1GiB"), synced}}, 0,
			"runs, and its volume is over its quota" + since + `: 2GiB of 1GiB; Lightd stops nothing, as quota_exceeded of the spec is tell; delete files of the volume, or raise its quota with "lightd volume quota v SIZE"`,
		},
		"a directory that was replaced under its process": {
			api.Container{State: status.StateRunning, Conditions: append(blocked(status.ReasonMountUnavailable, "it has the directory of before"), is(status.ProcessStarted, status.True, status.ReasonStarted, ""))}, 0,
			"runs, and not as its spec says" + since + `: it has the directory of before; Lightd tries again every 15 s; create or mount what is missing on the daemon's machine, and put back what a link replaced; where a directory was exchanged, as by a restore, "lightd restart web" mounts the present one`,
		},
		"nothing is recorded yet": {api.Container{State: status.StateOffline}, 0, "waits for its first reconcile"},
	} {
		c.container.InternalID, c.container.Image = "web", "game:1"
		if c.container.Power == "" {
			c.container.Power = desired.PowerRunning
		}
		b := status.Backoff{Crashes: c.crashes}
		if c.crashes > 0 {
			b.CrashingSince = at.Add(-time.Hour)
		}
		if got := Summarize(c.container, b); got != c.want {
			t.Errorf("%s:\n%s, want\n%s", name, got, c.want)
		}
	}
}
