package plan_test

import (
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/observed/status"
)

const mib = 1 << 20

// TestScriptIsEndedForTheRoomOnTheDisk: the one that has written the most, one at a time, and none on a disk
// that others have filled.
func TestScriptIsEndedForTheRoomOnTheDisk(t *testing.T) {
	running := func(mebibytes int64) status.Install {
		return status.Install{Phase: status.InstallScript, LayerBytes: mebibytes * mib}
	}
	ending := func(mebibytes int64, ago time.Duration) status.Install {
		in := running(mebibytes)
		in.DiskLow, in.MeasuredAt = "low", epoch.Add(time.Minute-ago)
		return in
	}
	for name, c := range map[string]struct {
		total, free uint64
		wrote       int64
		others      map[string]status.Install
		ended       bool
	}{
		"the only one":                         {100 << 30, 255 * mib, 900, nil, true},
		"the largest":                          {100 << 30, 0, 900, map[string]status.Install{"0": running(899)}, true},
		"the first of two":                     {100 << 30, 0, 900, map[string]status.Install{"b": running(900)}, true},
		"the second of two":                    {100 << 30, 0, 900, map[string]status.Install{"0": running(900)}, false},
		"not the largest":                      {100 << 30, 0, 900, map[string]status.Install{"b": running(901), "c": running(1)}, false},
		"another one is being ended":           {100 << 30, 0, 900, map[string]status.Install{"b": ending(1, time.Second)}, false},
		"another one does not end":             {100 << 30, 0, 900, map[string]status.Install{"b": ending(999, time.Minute)}, true},
		"a larger one has failed":              {100 << 30, 0, 900, map[string]status.Install{"b": {Phase: status.InstallFailed, LayerBytes: 1 << 40}}, true},
		"it wrote next to nothing":             {100 << 30, 0, 15, nil, false},
		"at the floor":                         {100 << 30, 256 * mib, 900, nil, false},
		"a small disk with little used":        {1 << 30, 65 * mib, 900, nil, false},
		"a small disk that is full":            {1 << 30, 63 * mib, 900, nil, true},
		"a small disk that was full before it": {1 << 30, 0, 3, nil, false},
		"a disk that is not known":             {0, 0, 900, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := measuredScript(t)
			w.in.Now = epoch.Add(time.Minute)
			w.in.Status.Install.LayerBytes, w.in.Status.Install.MeasuredAt = c.wrote*mib, w.in.Now
			w.in.Disk = plan.Disk{Path: "/var/lib/docker", Total: c.total, Free: c.free, Scripts: c.others}
			d := w.decide()
			if ended := d.Step != nil && d.Step.Kind == plan.KillInstallScript; ended != c.ended {
				t.Fatalf("step %+v", d.Step)
			}
			if !c.ended {
				return
			}
			w.in.Disk.Free = c.total // what it wrote counts for it, whatever becomes of the disk
			w.settle()
			w.expect("KillInstallScript SaveInstallOutput RemoveInstallContainer", "Error")
			got := w.in.Status.Get(status.Installed)
			if got.Reason != status.ReasonInstallScriptFailed || got.Message != d.Step.Reason || w.in.Status.Install.TimedOut {
				t.Errorf("%+v", got)
			}
			if name == "the only one" && got.Message != "255 MiB are free on the engine's disk at /var/lib/docker, below 256 MiB, "+
				"and of the installations that run this one wrote the most outside the volume: 900 MiB" {
				t.Error(got.Message)
			}
		})
	}
}

// TestScriptThatEndedIsNotEndedForTheDisk: what it did is kept.
func TestScriptThatEndedIsNotEndedForTheDisk(t *testing.T) {
	w := measuredScript(t)
	w.in.Disk = plan.Disk{Path: "/", Total: 100 << 30}
	w.in.Status.Install.LayerBytes = 900 * mib
	w.die(w.in.Seen.Install, 0)
	w.settle()
	if w.in.Status.InstallState != status.Ready {
		t.Errorf("%+v", w.in.Status.Get(status.Installed))
	}
}

// TestPaceOfMeasurements: the less room the disk has, the sooner it is inspected and the script measured,
// one without a bound too.
func TestPaceOfMeasurements(t *testing.T) {
	for name, c := range map[string]struct {
		free          uint64
		bound         int64
		measure, look time.Duration
	}{
		"room":                    {64 << 28, 1 << 40, 15 * time.Second, 15 * time.Second},
		"less":                    {64<<28 - 1, 1 << 40, 5 * time.Second, time.Second},
		"little":                  {16<<28 - 1, 1 << 40, 2 * time.Second, time.Second},
		"room, without a bound":   {64 << 28, 0, 0, 15 * time.Second},
		"little, without a bound": {16<<28 - 1, 0, 2 * time.Second, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := measuredScript(t)
			w.in.MaxInstallation, w.in.Disk = c.bound, plan.Disk{Path: "/", Total: 100 << 30, Free: c.free}
			w.in.Now, w.in.Status.Install.MeasuredAt = epoch.Add(time.Minute), epoch.Add(time.Minute)
			if d := w.decide(); d.Step != nil || d.After != c.look {
				t.Errorf("step %+v, after %s", d.Step, d.After)
			}
			if w.in.Now = w.in.Now.Add(c.measure - 1); c.measure > 0 && w.decide().Step != nil {
				t.Error("measured too soon")
			}
			w.in.Now = w.in.Now.Add(1)
			if d := w.decide(); (d.Step != nil) != (c.measure > 0) {
				t.Errorf("step %+v", d.Step)
			}
		})
	}
}
