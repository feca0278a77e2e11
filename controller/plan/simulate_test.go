package plan_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/status"
)

// kinds are the kinds of steps, as in "StopContainer RemoveContainer".
func kinds(p plan.Simulation) string {
	var list []string
	for _, s := range p.Steps {
		list = append(list, string(s.Kind))
	}
	return strings.Join(list, " ")
}

const (
	volume  = "volume v"
	kept    = "what the install script changed outside the volume"
	written = "what the process wrote outside its volume and mounts"
)

// TestSimulate is the table of changes: of a container that runs, unless the case differs.
func TestSimulate(t *testing.T) {
	stopped := func(c *desired.Container) { c.Power = desired.PowerStopped }
	recreated := "CheckHost StopContainer RemoveContainer CreateContainer StartContainer"
	cases := map[string]struct {
		made                func(*desired.Container) // before the change
		change              func(*desired.Container)
		observe             func(*plan.Input)
		steps               string
		restarts, recreates bool
		keeps, loses        []string
		waits               status.Reason
	}{
		"nothing": {keeps: []string{volume}},
		"labels":  {change: func(c *desired.Container) { c.Labels = map[string]string{"a": "b"} }, keeps: []string{volume}},
		"env": {change: func(c *desired.Container) { c.Env = map[string]string{"A": "b"} },
			steps: recreated, restarts: true, recreates: true, keeps: []string{volume}, loses: []string{written}},
		"env of what is stopped": {made: stopped, change: func(c *desired.Container) { c.Env = map[string]string{"A": "b"} },
			steps: "CheckHost RemoveContainer CreateContainer", recreates: true, keeps: []string{volume}, loses: []string{written}},
		"ports": {change: func(c *desired.Container) { c.Ports = []desired.Port{{Port: 1}} },
			steps: recreated, restarts: true, recreates: true, keeps: []string{volume}, loses: []string{written}},
		"startup command": {change: func(c *desired.Container) { c.StartupCommand = "other" }, observe: func(in *plan.Input) { in.EntrypointOK = false },
			steps: "CheckHost StopContainer RemoveContainer WriteEntrypoint CreateContainer StartContainer", restarts: true, recreates: true,
			keeps: []string{volume}, loses: []string{written}},
		"limits up": {made: func(c *desired.Container) { c.Limits.Memory = 1 << 27 }, change: func(c *desired.Container) { c.Limits.Memory = 1 << 28 },
			steps: "UpdateLimits", keeps: []string{volume}},
		"limits down": {made: func(c *desired.Container) { c.Limits.Memory, c.Limits.CPU = 1<<28, 2 }, change: func(c *desired.Container) { c.Limits.Memory, c.Limits.CPU = 1<<27, 1 },
			steps: "UpdateLimits", keeps: []string{volume}},
		"other limits": {made: func(c *desired.Container) {
			c.Limits = desired.Limits{Memory: 1 << 28, PIDs: 9, CPUSet: "0", IOWeight: 100, MemoryReservation: 1 << 26}
		}, change: func(c *desired.Container) {
			c.Limits = desired.Limits{Memory: 1 << 28, PIDs: 9, CPUSet: "1", IOWeight: 200, MemoryReservation: 1 << 27, Swap: -1}
		}, steps: "UpdateLimits", keeps: []string{volume}},
		"swap bounded again": {made: func(c *desired.Container) { c.Limits.Memory, c.Limits.Swap = 1<<28, -1 }, change: func(c *desired.Container) { c.Limits.Swap = 0 },
			steps: "UpdateLimits", keeps: []string{volume}},
		"other limits given": {made: func(c *desired.Container) { c.Limits.Memory = 1 << 28 },
			change: func(c *desired.Container) {
				c.Limits.CPUSet, c.Limits.IOWeight, c.Limits.MemoryReservation = "1", 200, 1<<27
			}, steps: "UpdateLimits", keeps: []string{volume}},
		"CPUs given back": {made: func(c *desired.Container) { c.Limits.CPUSet = "0" }, change: func(c *desired.Container) { c.Limits.CPUSet = "" },
			steps: recreated, restarts: true, recreates: true, keeps: []string{volume}, loses: []string{written}},
		"weight removed": {made: func(c *desired.Container) { c.Limits.IOWeight = 10 }, change: func(c *desired.Container) { c.Limits.IOWeight = 0 },
			steps: recreated, restarts: true, recreates: true, keeps: []string{volume}, loses: []string{written}},
		"reservation removed": {made: func(c *desired.Container) { c.Limits.MemoryReservation = 1 << 27 }, change: func(c *desired.Container) { c.Limits.MemoryReservation = 0 },
			steps: recreated, restarts: true, recreates: true, keeps: []string{volume}, loses: []string{written}},
		"no kill for memory": {made: func(c *desired.Container) { c.Limits.Memory = 1 << 28 }, change: func(c *desired.Container) { c.Limits.OOMDisable = true },
			steps: recreated, restarts: true, recreates: true, keeps: []string{volume}, loses: []string{written}},
		"limits removed": {made: func(c *desired.Container) { c.Limits.Memory = 1 << 28 }, change: func(c *desired.Container) { c.Limits.Memory = 0 },
			steps: recreated, restarts: true, recreates: true, keeps: []string{volume}, loses: []string{written}},
		"image": {change: func(c *desired.Container) { c.Image = "other" },
			steps: recreated, restarts: true, recreates: true, keeps: []string{volume}, loses: []string{written}},
		"image that is not there": {change: func(c *desired.Container) { c.Image = "other" }, observe: func(in *plan.Input) { in.Image.Present = false },
			steps: "PullImage " + recreated, restarts: true, recreates: true, keeps: []string{volume}, loses: []string{written}},
		"image that failed to be pulled": {change: func(c *desired.Container) { c.Image = "other" },
			observe: func(in *plan.Input) { in.Image = observed.Image{Known: true, PullError: "no", PullFailedAt: in.Now} },
			steps:   "PullImage", keeps: []string{volume}, waits: status.ReasonImageUnavailable},
		"image with a script": {made: script, change: func(c *desired.Container) { c.Image = "other"; c.Requests.Install++ },
			steps:    "StopContainer RemoveContainer CreateInstallContainer StartInstallScript KeepInstallation RemoveInstallContainer WriteEntrypoint CreateContainer StartContainer",
			restarts: true, recreates: true, keeps: []string{volume}, loses: []string{written, kept}},
		"env over an installation": {made: script, change: func(c *desired.Container) { c.Env = map[string]string{"A": "b"} },
			steps: recreated, restarts: true, recreates: true, keeps: []string{volume, kept}, loses: []string{written}},
		"power":                    {change: stopped, steps: "StopContainer", restarts: true, keeps: []string{volume}},
		"power of what is stopped": {made: stopped, change: run, steps: "StartContainer", keeps: []string{volume}},
		"kill":                     {change: func(c *desired.Container) { c.Power, c.Kill = desired.PowerStopped, true }, steps: "KillContainer", restarts: true, keeps: []string{volume}},
		"restart":                  {change: func(c *desired.Container) { c.Requests.Restart++ }, steps: "StopContainer StartContainer", restarts: true, keeps: []string{volume}},
		"suspended":                {change: func(c *desired.Container) { c.Suspended = true }, steps: "StopContainer", restarts: true, keeps: []string{volume}},
		"paused":                   {change: func(c *desired.Container) { c.Paused = true; c.Env = map[string]string{"A": "b"} }, keeps: []string{volume}, waits: status.ReasonPaused},
		"paused in sync":           {change: func(c *desired.Container) { c.Paused = true }, keeps: []string{volume}},
		"reinstall": {made: script, change: func(c *desired.Container) { c.Requests.Install++ },
			steps:    "StopContainer RemoveContainer CreateInstallContainer StartInstallScript KeepInstallation RemoveInstallContainer WriteEntrypoint CreateContainer StartContainer",
			restarts: true, recreates: true, keeps: []string{volume}, loses: []string{written, kept}},
		"reinstall by an image of its own": {made: script, change: func(c *desired.Container) { installer(c); c.Requests.Install++ },
			observe:  func(in *plan.Input) { in.InstallImage = observed.Image{} },
			steps:    "PullImage StopContainer RemoveContainer CreateInstallContainer StartInstallScript KeepInstallation RemoveInstallContainer WriteEntrypoint CreateContainer StartContainer",
			restarts: true, recreates: true, keeps: []string{volume}, loses: []string{written, kept}},
		"image beside an installer's own": {made: installer, change: func(c *desired.Container) { c.Image = "other" },
			steps: recreated, restarts: true, recreates: true, keeps: []string{volume}, loses: []string{written}},
		"an image of its own alone": {made: script, change: installer, keeps: []string{volume, kept}},
		"an image of its own, and another image": {made: script, change: func(c *desired.Container) { installer(c); c.Image = "other" },
			steps: recreated, restarts: true, recreates: true, keeps: []string{volume}, loses: []string{written, kept}},
		"delete": {made: script, change: func(c *desired.Container) { c.Deleting = true },
			steps: "StopContainer RemoveContainer Finalize", restarts: true, keeps: []string{volume}, loses: []string{written, kept}},
		"a frozen process": {observe: func(in *plan.Input) { freeze(in) }, steps: "UnpauseContainer", keeps: []string{volume}},
		"another name":     {observe: func(in *plan.Input) { named(in, "x") }, steps: "RenameContainer", keeps: []string{volume}},
		"gone":             {observe: func(in *plan.Input) { in.Seen.Run = nil }, steps: "CreateContainer StartContainer", keeps: []string{volume}},
		"gone, and its name taken": {observe: func(in *plan.Input) { in.Seen.Run, in.Seen.RunNameTaken = nil, &observed.Foreign{ContainerID: "x"} },
			keeps: []string{volume}, waits: status.ReasonNameTaken},
		"released ports": {observe: func(in *plan.Input) {
			in.Spec.Releasing = []desired.Port{{IP: "0.0.0.0", Port: 9, Protocol: desired.TCP}}
		},
			steps: "ReleasePorts", keeps: []string{volume}},
		"the engine is unreachable": {change: stopped, observe: func(in *plan.Input) { in.Seen.Known, in.Seen.EngineUp = false, false },
			steps: "StopContainer", restarts: true, keeps: []string{volume}, waits: status.ReasonEngineDown},
		"never seen":    {change: stopped, observe: func(in *plan.Input) { in.Seen = observed.Snapshot{} }, keeps: []string{volume}, waits: status.ReasonEngineDown},
		"not inspected": {change: stopped, observe: func(in *plan.Input) { in.Seen = observed.Snapshot{EngineUp: true} }, keeps: []string{volume}, waits: status.ReasonProgressing},
		"refused": {observe: func(in *plan.Input) {
			in.Status.FailedGeneration, in.Status.FailedBy = in.Spec.Generation, status.FailedBySpec
		}, keeps: []string{volume}, waits: status.ReasonRefused},
		"a stop under way": {made: script, observe: func(in *plan.Input) {
			r := status.RunOf(in.Seen.Run)
			in.Status.Stopping = &status.StopRequest{Run: r, At: in.Now, Timeout: time.Minute, Sent: true}
		}, steps: "StartContainer", restarts: true, keeps: []string{volume, kept}},
		"a pull under way": {change: func(c *desired.Container) { c.Image = "other" },
			observe: func(in *plan.Input) { in.Image = observed.Image{Known: true, Pulling: true} },
			steps:   recreated, restarts: true, recreates: true, keeps: []string{volume}, loses: []string{written}},
		"a removal under way": {observe: func(in *plan.Input) {
			c := *in.Seen.Run
			c.Phase = observed.Removing
			in.Seen.Run = &c
		}, steps: "CreateContainer StartContainer", recreates: true, keeps: []string{volume}, loses: []string{written}},
		"a backoff": {observe: func(in *plan.Input) {
			in.Status.Run, in.Status.Ended = status.RunID{}, status.RunID{}
			in.Seen.Run = nil
			in.Status.NotBefore, in.Status.Crashes = in.Now.Add(time.Minute), 4
		}, steps: "CreateContainer StartContainer", keeps: []string{volume}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			made := c.made
			if made == nil {
				made = func(*desired.Container) {}
			}
			w := newScenario(t, made)
			w.settle()
			if name != "env of what is stopped" && name != "power of what is stopped" {
				w.change(run)
				w.settle()
			}
			if c.change != nil {
				w.change(c.change)
			}
			if c.observe != nil {
				c.observe(&w.in)
			}
			before := w.in
			p := plan.Simulate(w.in)
			if got := kinds(p); got != c.steps || p.Restarts != c.restarts || p.Recreates != c.recreates {
				t.Errorf("got %q, restarts %v, recreates %v", got, p.Restarts, p.Recreates)
			}
			if !slices.Equal(p.Keeps, c.keeps) || !slices.Equal(p.Loses, c.loses) {
				t.Errorf("keeps %q, loses %q", p.Keeps, p.Loses)
			}
			waits := status.Reason("")
			if p.Waits != nil {
				waits = p.Waits.Reason
			}
			if waits != c.waits {
				t.Errorf("waits for %+v", p.Waits)
			}
			if again := plan.Simulate(before); kinds(again) != kinds(p) {
				t.Errorf("a second time: %s", kinds(again))
			}
		})
	}
}

func freeze(in *plan.Input) {
	c := *in.Seen.Run
	c.Phase = observed.Paused
	in.Seen.Run = &c
}

func named(in *plan.Input, name string) {
	c := *in.Seen.Run
	c.Name = name
	in.Seen.Run = &c
}

func TestProjectOfAScriptUnderWay(t *testing.T) {
	w := newScenario(t, script)
	w.exit = -1 // it runs on
	w.settle()
	p := plan.Simulate(w.in)
	if got := kinds(p); got != "KeepInstallation RemoveInstallContainer WriteEntrypoint CreateContainer" || p.Waits != nil {
		t.Errorf("got %s, %+v", got, p.Waits)
	}
}

func TestSimulateOfAnImageThatWasNotInspected(t *testing.T) {
	w := newScenario(t, nil)
	w.in.Image = observed.Image{}
	p := plan.Simulate(w.in)
	if kinds(p) != "PullImage CreateContainer WriteEntrypoint" || !strings.Contains(p.Steps[0].Reason, "not known whether image img") {
		t.Errorf("got %+v", p)
	}
}

// TestProjectionComesTrue: whatever is changed, and however far what was changed before
// has come, the steps are those that are then taken.
func TestProjectionComesTrue(t *testing.T) {
	changes := []func(*desired.Container){
		run,
		func(c *desired.Container) { c.Power = desired.PowerStopped },
		func(c *desired.Container) { c.Power, c.Kill = desired.PowerStopped, true },
		func(c *desired.Container) { c.Requests.Restart++ },
		func(c *desired.Container) { c.Env = map[string]string{"A": c.Env["A"] + "x"} },
		func(c *desired.Container) { c.Ports = []desired.Port{{Port: 1 + len(c.Env["A"])}} },
		func(c *desired.Container) { c.Limits.Memory = 1 << 28 },
		func(c *desired.Container) { c.Limits = desired.Limits{PIDs: 512} },
		func(c *desired.Container) { c.Limits.Memory, c.Limits.Swap = 1<<28, -1 },
		func(c *desired.Container) { c.Limits.Swap, c.Limits.CPUSet = 0, c.Limits.CPUSet+"0" },
		func(c *desired.Container) {
			c.Limits.IOWeight, c.Limits.MemoryReservation = c.Limits.IOWeight+10, 1<<27
		},
		func(c *desired.Container) { c.Limits.Memory, c.Limits.OOMDisable = 1<<28, !c.Limits.OOMDisable },
		func(c *desired.Container) { c.Image += "x"; c.Requests.Install++ },
		func(c *desired.Container) { c.InstallScript, c.Install = "true", nil; c.Requests.Install++ },
		func(c *desired.Container) { c.InstallScript, c.Install = "", nil; c.Requests.Install++ },
		func(c *desired.Container) { installer(c); c.Requests.Install++ },
		installer,
		func(c *desired.Container) { // as the store does
			if c.Image += "y"; c.InstallScript != "" {
				c.Requests.Install++
			}
		},
		func(c *desired.Container) { c.Paused = !c.Paused },
		func(c *desired.Container) { c.Requests.Install++ },
		func(c *desired.Container) { c.StartPattern = "up" },
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		w := newScenario(t, nil)
		w.in.Matched = true
		for range 1 + random.IntN(6) {
			w.change(changes[random.IntN(len(changes))])
			for range random.IntN(4) {
				d := w.decide()
				if d.Step == nil {
					break
				}
				w.act(*d.Step)
				w.in.Now = w.in.Now.Add(10 * time.Millisecond)
			}
		}
		p := plan.Simulate(w.in)
		w.story()
		w.settle()
		if got := strings.Join(w.steps, " "); got != kinds(p) {
			t.Fatalf("projected %s\ntaken     %s\nspec %+v", kinds(p), got, w.in.Spec)
		}
	}
}

// TestSimulateReportsImageVolumes: ours are kept over all but a deletion, and those that Docker made
// for a container of an earlier version go with it.
func TestSimulateReportsImageVolumes(t *testing.T) {
	const name = "what is below /var/game, a VOLUME of the image"
	for label, c := range map[string]struct {
		anonymous, keeps, loses bool
		change                  func(*desired.Container)
	}{
		"recreated":                  {false, true, false, func(c *desired.Container) { c.Env = map[string]string{"A": "b"} }},
		"reinstalled":                {false, true, false, func(c *desired.Container) { c.Requests.Install++ }},
		"deleted":                    {false, false, true, func(c *desired.Container) { c.Deleting = true }},
		"of before, left as it is":   {true, false, false, func(c *desired.Container) { c.Power = desired.PowerStopped }},
		"of before, recreated":       {true, false, true, func(c *desired.Container) { c.Env = map[string]string{"A": "b"} }},
		"of before, deleted with it": {true, false, true, func(c *desired.Container) { c.Deleting = true }},
	} {
		t.Run(label, func(t *testing.T) {
			w := newScenario(t, nil)
			w.in.Image.Volumes = []string{"/var/game"}
			w.change(run)
			w.settle()
			if c.anonymous {
				mounts := w.in.Seen.Run.Mounts
				mounts[len(mounts)-1].Source = strings.Repeat("0a", 32)
			}
			if d := w.settle(); d.Status.Get(status.Synced).Status != status.True {
				t.Fatalf("%+v", d.Status.Get(status.Synced))
			}
			w.change(c.change)
			p := plan.Simulate(w.in)
			if slices.Contains(p.Keeps, name) != c.keeps || slices.Contains(p.Loses, name) != c.loses {
				t.Errorf("keeps %q, loses %q", p.Keeps, p.Loses)
			}
		})
	}
}
