package wait

import (
	"testing"
	"time"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/observed"
	"lightd/observed/status"
)

// stood has the wait, and the conditions, last for that long.
func stood(d time.Duration) func(*Observation) {
	return func(s *Observation) { s.Now = born.Add(d) }
}

// since has a condition stand for that long.
func since(kind status.ConditionType, d time.Duration) func(*Observation) {
	return func(s *Observation) {
		for i := range s.Status.Conditions {
			if s.Status.Conditions[i].Type == kind {
				s.Status.Conditions[i].LastTransitionTime = s.Now.Add(-d)
			}
		}
	}
}

// unavailable is an image that cannot be pulled for a fault.
func unavailable(fault observed.PullFault) func(*Observation) {
	return synced(status.ReasonImageUnavailable, fault.Of("a"))
}

func starting(s *Observation) {
	s.Status.State = status.StateStarting
	set(status.ProcessRunning, status.False, status.ReasonWaitingForPattern, "", 5)(s)
}

const (
	running = desired.PowerRunning
	stopped = desired.PowerStopped
)

var born = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// seen is a container that was written as generation 5 and installation 2, is installed,
// dealt with, up and in order, changed by fn.
func seen(power desired.Power, fn ...func(*Observation)) Observation {
	s := Observation{Found: true, EngineUp: true, Container: desired.Container{
		Spec: desired.Spec{InternalID: "a", Power: power, Restart: desired.RestartNever}, CreatedAt: born, Generation: 5,
		Requests: desired.Requests{Install: 2},
	}}
	s.Status = status.Status{InternalID: "a", ObservedGeneration: 5, InstallState: status.Ready, State: status.StateRunning,
		Install: status.Install{Request: 2, Phase: status.InstallDone}}
	set(status.Installed, status.True, status.ReasonInstalled, "", 1)(&s)
	set(status.ProcessStarted, status.True, status.ReasonStarted, "", 5)(&s)
	set(status.ProcessRunning, status.True, status.ReasonPatternMatched, "", 5)(&s)
	set(status.Synced, status.True, status.ReasonSynced, "", 5)(&s)
	for _, change := range fn {
		change(&s)
	}
	return s
}

func set(t status.ConditionType, truth status.ConditionStatus, reason status.Reason, message string, generation int64) func(*Observation) {
	return func(s *Observation) {
		s.Status.Set(status.Condition{Type: t, Status: truth, Reason: reason, Message: message, ObservedGeneration: generation}, born)
	}
}

func synced(reason status.Reason, message string) func(*Observation) {
	return set(status.Synced, status.False, reason, message, 5)
}

// behind is a status that knows nothing of the write yet.
func behind(s *Observation) {
	s.Status.ObservedGeneration = 4
	for i := range s.Status.Conditions {
		s.Status.Conditions[i].ObservedGeneration = 4
	}
}

// busy is one that knows of it, and has steps to take.
func busy(s *Observation) {
	s.Status.ObservedGeneration = 4
	synced(status.ReasonProgressing, "CheckHost: ports changed")(s)
}

// down is a process that has ended.
func down(s *Observation) {
	s.Status.State = status.StateOffline
	set(status.ProcessStarted, status.False, status.ReasonExited, "exit code 0", 5)(s)
	set(status.ProcessRunning, status.False, status.ReasonExited, "exit code 0", 5)(s)
}

// fresh is a process that has been up for that long.
func fresh(up time.Duration) func(*Observation) {
	return func(s *Observation) { s.Status.RunSeen, s.Now = born, born.Add(up) }
}

func patterned(s *Observation) { s.Container.StartPattern = "up" }

// early is a process that has ended within its first second, of a start for that generation.
func early(generation int64) func(*Observation) {
	return func(s *Observation) {
		s.Status.EarlyExit, s.Status.LastExit = generation, &status.Exit{Code: 3}
	}
}

func rest(s *Observation)     { s.Status.Completed = true }
func away(s *Observation)     { s.EngineUp = false }
func deleting(s *Observation) { s.Container.Deleting, s.Container.Generation = true, 6 }
func gone(s *Observation)     { *s = Observation{EngineUp: s.EngineUp} }
func anew(s *Observation)     { s.Container.CreatedAt = born.Add(time.Hour) }

// later is a write that came after.
func later(power desired.Power) func(*Observation) {
	return func(s *Observation) { s.Container.Power, s.Container.Generation = power, 6 }
}

func installing(phase status.InstallPhase, request int64) func(*Observation) {
	return func(s *Observation) {
		s.Status.Install = status.Install{Request: request, Phase: phase}
		set(status.Installed, status.False, status.ReasonInstalling, "", 5)(s)
	}
}

func installFailed(request int64) func(*Observation) {
	return func(s *Observation) {
		s.Status.Install = status.Install{Request: request, Phase: status.InstallFailed}
		set(status.Installed, status.False, status.ReasonInstallScriptFailed, "exit code 1", 5)(s)
		synced(status.ReasonInstallFailed, "exit code 1")(s)
	}
}

func refused(generation int64) func(*Observation) {
	return func(s *Observation) {
		s.Status.FailedGeneration = generation
		set(status.Synced, status.False, status.ReasonRefused, "no such runtime", generation)(s)
	}
}

func TestJudge(t *testing.T) {
	const met, vain, pending = "met ", "vain ", "pending "
	cases := []struct {
		name string
		goal api.Goal
		seen Observation
		want string
	}{
		{"installed", api.UntilInstalled, seen(running), met + "Installed"},
		{"just up", api.UntilRunning, seen(running, fresh(999*time.Millisecond)), pending + "Starting: the process has been up for less than 1s"},
		{"up for a second", api.UntilRunning, seen(running, fresh(time.Second)), met + "PatternMatched"},
		{"just up, and its pattern matched", api.UntilRunning, seen(running, fresh(0), patterned), met + "PatternMatched"},
		{"ended at once", api.UntilRunning, seen(running, down, early(5)), vain + "Exited: the process ended within 1s (exit code 3)"},
		{"ended at once, and is up again", api.UntilRunning, seen(running, fresh(0), early(5)), vain + "Exited: the process ended within 1s (exit code 3)"},
		{"ended at once, and lasts now", api.UntilRunning, seen(running, fresh(time.Minute), early(5)), met + "PatternMatched"},
		{"ended at once before the write", api.UntilRunning, seen(running, fresh(0), early(4)), pending + "Starting: the process has been up for less than 1s"},
		{"ended at once, waited for as installed", api.UntilInstalled, seen(running, down, early(5)), met + "Installed"},
		{"installed, and much else still to do", api.UntilInstalled, seen(running, busy, down), met + "Installed"},
		{"installed, seen before the engine went", api.UntilInstalled, seen(running, away), met + "Installed"},
		{"an earlier installation", api.UntilInstalled, seen(running, installing(status.InstallDone, 1), busy), pending + "Progressing: CheckHost: ports changed"},
		{"a later installation", api.UntilInstalled, seen(running, installing(status.InstallDone, 3)), met + "Installed"},
		{"the script runs", api.UntilInstalled, seen(running, installing(status.InstallScript, 2), synced(status.ReasonProgressing, "the install script runs")), pending + "Progressing: the install script runs"},
		{"the script failed", api.UntilInstalled, seen(running, installFailed(2)), vain + "InstallScriptFailed: exit code 1"},
		{"the script before failed", api.UntilInstalled, seen(running, installFailed(1)), pending + "InstallationFailed: exit code 1"},
		{"the registry is away", api.UntilInstalled, seen(running, installing(status.InstallPreparing, 2), unavailable(observed.PullUnreachable), stood(time.Hour)), pending + "ImageUnavailable: pull image a: the registry is unreachable"},
		{"the registry has no image", api.UntilInstalled, seen(running, installing(status.InstallPreparing, 2), unavailable(observed.PullNotFound)), vain + "ImageUnavailable: pull image a: the registry has no such image"},
		{"the registry had no image before the write", api.UntilInstalled, seen(running, installing(status.InstallPreparing, 2), unavailable(observed.PullNotFound), behind), pending + "Progressing: it has not been dealt with yet"},
		{"the image is to be here, and is not", api.UntilInstalled, seen(running, installing(status.InstallPreparing, 2), synced(status.ReasonImageNotPresent, "load it"), stood(triedTwice)), vain + "ImageNotPresent: load it"},
		{"refused though installed", api.UntilInstalled, seen(running, refused(5), func(s *Observation) { s.Status.InstallState = status.Failed }), vain + "RefusedByEngine: no such runtime"},
		{"refused before it was installed", api.UntilInstalled, seen(running, installing(status.InstallCreating, 2), refused(5)), vain + "RefusedByEngine: no such runtime"},
		{"paused before it was installed", api.UntilInstalled, seen(running, installing(status.InstallDone, 1), synced(status.ReasonPaused, "paused")), vain + "Paused: paused"},
		{"deleted meanwhile", api.UntilInstalled, seen(running, installing(status.InstallScript, 2), deleting), vain + "Deleting: the container is being deleted"},

		{"running", api.UntilRunning, seen(running), met + "PatternMatched"},
		{"running, not seen since the write", api.UntilRunning, seen(running, behind), pending + "Progressing: it has not been dealt with yet"},
		{"running, and soon made anew", api.UntilRunning, seen(running, busy), pending + "Progressing: CheckHost: ports changed"},
		{"running when it was last seen", api.UntilRunning, seen(running, away), pending + "EngineUnavailable: the engine does not answer"},
		{"starting", api.UntilRunning, seen(running, starting), pending + "WaitingForPattern"},
		{"in a backoff", api.UntilRunning, seen(running, down, synced(status.ReasonBackOff, "2 in a row")), pending + "BackOff: 2 in a row"},
		{"ended, and left so", api.UntilRunning, seen(running, down, rest), vain + "Exited: the process ended (exit code 0) and its restart policy is never"},
		{"ended before this start", api.UntilRunning, seen(running, down, rest, behind), pending + "Progressing: it has not been dealt with yet"},
		{"stopped since", api.UntilRunning, seen(running, down, busy, later(stopped)), vain + "Overtaken: a later write stopped it"},
		{"stopped since, though still up", api.UntilRunning, seen(running, later(stopped)), met + "PatternMatched"},
		{"changed since", api.UntilRunning, seen(running, busy, later(running)), pending + "Progressing: CheckHost: ports changed"},
		{"a failed installation", api.UntilRunning, seen(running, down, installFailed(2)), vain + "InstallScriptFailed: exit code 1"},
		{"refused", api.UntilRunning, seen(running, down, refused(5)), vain + "RefusedByEngine: no such runtime"},
		{"refused before this write", api.UntilRunning, seen(running, down, behind, refused(4)), pending + "Progressing: it has not been dealt with yet"},
		{"paused and down", api.UntilRunning, seen(running, down, synced(status.ReasonPaused, "paused; it would start")), vain + "Paused: paused; it would start"},
		{"paused and running", api.UntilRunning, seen(running, synced(status.ReasonPaused, "paused")), met + "PatternMatched"},
		{"paused before this write", api.UntilRunning, seen(running, down, synced(status.ReasonPaused, "paused"), behind), pending + "Progressing: it has not been dealt with yet"},
		{"the installation is lost", api.UntilRunning, seen(running, down, synced(status.ReasonInstallLost, "load it")), vain + "InstallationLost: load it"},
		{"a port is taken", api.UntilRunning, seen(running, down, busy, synced(status.ReasonPortUnavailable, "in use")), pending + "PortUnavailable: in use"},
		{"a port is taken for long", api.UntilRunning, seen(running, down, busy, synced(status.ReasonPortUnavailable, "in use"), stood(triedTwice)), vain + "PortUnavailable: in use"},
		{"a port is taken since a moment", api.UntilRunning, seen(running, down, busy, synced(status.ReasonPortUnavailable, "in use"), stood(time.Hour), since(status.Synced, time.Second)), pending + "PortUnavailable: in use"},
		{"a port was taken long before", api.UntilRunning, seen(running, down, busy, synced(status.ReasonPortUnavailable, "in use"), stood(time.Second), since(status.Synced, time.Hour)), pending + "PortUnavailable: in use"},
		{"the node is cordoned", api.UntilRunning, seen(running, down, busy, synced(status.ReasonNodeCordoned, "later"), func(s *Observation) { s.Cordoned = true }), vain + "NodeCordoned: later"},
		{"the node was cordoned until now", api.UntilRunning, seen(running, down, busy, synced(status.ReasonNodeCordoned, "later")), pending + "NodeCordoned: later"},
		{"over its quota", api.UntilRunning, seen(running, down, set(status.ProcessStarted, status.False, status.ReasonOverQuota, "too much", 5), stood(triedTwice)), vain + "OverQuota: too much"},
		{"over its quota, and deleting files", api.UntilRunning, seen(running, down, set(status.ProcessStarted, status.False, status.ReasonOverQuota, "too much", 5)), pending + "Exited: exit code 0"},
		{"starting, and its limits are not enforced", api.UntilRunning, seen(running, starting, synced(status.ReasonLimitNotEnforced, "256Mi"), stood(time.Hour)), pending + "LimitNotEnforced: 256Mi"},
		{"starting as before, as its mount is gone", api.UntilRunning, seen(running, starting, busy, synced(status.ReasonMountUnavailable, "gone"), stood(time.Hour)), vain + "MountUnavailable: gone"},
		{"the pattern matches late", api.UntilRunning, seen(running, starting, stood(time.Hour)), pending + "WaitingForPattern"},
		{"a step failed", api.UntilRunning, seen(running, down, busy, synced(status.ReasonStepFailed, "500")), pending + "StepFailed: 500"},
		{"made anew under its id", api.UntilRunning, seen(running, anew), vain + "Deleting: the container was deleted"},
		{"gone", api.UntilRunning, seen(running, gone), vain + "Deleting: the container was deleted"},

		{"stopped", api.UntilStopped, seen(stopped, down), met + "Exited: exit code 0"},
		{"stopped while it is installed", api.UntilStopped, seen(stopped, down, busy, installing(status.InstallScript, 2)), met + "Exited: exit code 0"},
		{"up", api.UntilStopped, seen(stopped, busy), pending + "Progressing: CheckHost: ports changed"},
		{"down before this write", api.UntilStopped, seen(stopped, down, behind), pending + "Progressing: it has not been dealt with yet"},
		{"down, but a start is under way", api.UntilStopped, seen(stopped, down, busy, func(s *Observation) { s.Status.Starting = &status.RunID{} }), pending + "Progressing: CheckHost: ports changed"},
		{"down when it was last seen", api.UntilStopped, seen(stopped, down, away), pending + "EngineUnavailable: the engine does not answer"},
		{"started since", api.UntilStopped, seen(stopped, busy, later(running)), vain + "Overtaken: a later write started it"},
		{"changed since, and down", api.UntilStopped, seen(stopped, down, later(stopped)), met + "Exited: exit code 0"},
		{"paused and up", api.UntilStopped, seen(stopped, synced(status.ReasonPaused, "paused; it would stop")), vain + "Paused: paused; it would stop"},
		{"refused and up", api.UntilStopped, seen(stopped, busy, refused(5)), pending + "RefusedByEngine: no such runtime"},
		{"deleting and up", api.UntilStopped, seen(running, busy, deleting), pending + "Progressing: CheckHost: ports changed"},
		{"deleting and down", api.UntilStopped, seen(running, down, busy, deleting), met + "Exited: exit code 0"},
		{"no more", api.UntilStopped, seen(stopped, gone), met + "Deleting: the container is gone"},

		{"in sync", api.UntilSynced, seen(running), met + "Synced"},
		{"in sync before this write", api.UntilSynced, seen(running, behind), pending + "Progressing: it has not been dealt with yet"},
		{"in sync when it was last seen", api.UntilSynced, seen(running, away), pending + "EngineUnavailable: the engine does not answer"},
		{"in sync while a job is over", api.UntilSynced, seen(running, down, rest), met + "Synced"},
		{"in sync, changed since", api.UntilSynced, seen(running, later(stopped)), met + "Synced"},
		{"steps to take", api.UntilSynced, seen(running, busy), pending + "Progressing: CheckHost: ports changed"},
		{"out of sync in a backoff", api.UntilSynced, seen(running, down, synced(status.ReasonBackOff, "2 in a row")), pending + "BackOff: 2 in a row"},
		{"out of sync for good", api.UntilSynced, seen(running, refused(5)), vain + "RefusedByEngine: no such runtime"},
		{"paused", api.UntilSynced, seen(running, synced(status.ReasonPaused, "paused")), vain + "Paused: paused"},
		{"a name is taken", api.UntilSynced, seen(running, busy, synced(status.ReasonNameTaken, "by another")), pending + "NameTaken: by another"},
		{"a name is taken for long", api.UntilSynced, seen(running, busy, synced(status.ReasonNameTaken, "by another"), stood(triedTwice)), vain + "NameTaken: by another"},
		{"its limits are not enforced", api.UntilSynced, seen(running, synced(status.ReasonLimitNotEnforced, "256Mi"), stood(triedTwice)), vain + "LimitNotEnforced: 256Mi"},
		{"the disk is full", api.UntilSynced, seen(running, busy, synced(status.ReasonDiskFull, "no room"), stood(time.Hour)), pending + "DiskFull: no room"},
		{"never to be installed", api.UntilSynced, seen(stopped, down, installFailed(2)), vain + "InstallScriptFailed: exit code 1"},

		{"not gone", Gone, seen(running, deleting, refused(5)), pending + "RefusedByEngine: no such runtime"},
		{"gone at last", Gone, seen(running, gone), met + "Deleting: the container is gone"},
		{"gone, and made anew", Gone, seen(running, anew), met + "Deleting: the container is gone"},
		{"gone, unseen", Gone, seen(running, gone, away), met + "Deleting: the container is gone"},
	}
	target := Target{ID: "a", Created: born, Generation: 5, Install: 2, Began: born}
	for _, c := range cases {
		t.Run(string(c.goal)+"/"+c.name, func(t *testing.T) {
			target.Goal = c.goal
			v := target.Evaluate(c.seen)
			got := pending
			switch {
			case v.Done && v.Met:
				got = met
			case v.Done:
				got = vain
			}
			if got += v.String(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
