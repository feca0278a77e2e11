package plan_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/status"
)

// summary is all that is recorded of a container, and what comes next.
func summary(d plan.Decision) string {
	st := d.Status
	next := "nothing"
	switch {
	case d.Step != nil:
		next = fmt.Sprintf("%s: %s", d.Step.Kind, d.Step.Reason)
	case d.After > 0:
		next = "reconcile after " + d.After.String()
	}
	if d.Attempt.Number > 0 {
		next += fmt.Sprintf(", attempt %d at %s", d.Attempt.Number, d.Attempt.At.Format(time.TimeOnly))
	}
	lines := []string{"next: " + next, fmt.Sprintf("%s %s, observed generation %d", st.InstallState, st.State, st.ObservedGeneration)}
	for _, t := range []status.ConditionType{status.Installed, status.ProcessStarted, status.ProcessRunning, status.Synced} {
		if c := st.Get(t); c.Type != "" {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", c.Type, c.Status, c.Reason, c.Message)))
		}
	}
	if st.Crashes+st.Restarts > 0 {
		lines = append(lines, fmt.Sprintf("%d crashes, %d restarts", st.Crashes, st.Restarts))
	}
	if differs := slices.Sorted(maps.Keys(st.Differs)); len(differs) > 0 {
		lines = append(lines, "differs: "+strings.Join(differs, ", "))
	}
	if st.RestartHandled+st.RestartRequest > 0 || st.Restarting != nil {
		lines = append(lines, fmt.Sprintf("restart %d handled, %d under way: %t", st.RestartHandled, st.RestartRequest, st.Restarting != nil))
	}
	if !st.NotBefore.IsZero() {
		lines = append(lines, "not before "+st.NotBefore.Format(time.TimeOnly))
	}
	if st.Replacing != "" {
		lines = append(lines, "is being replaced")
	}
	if c := st.Get(status.Installed); c.Type != "" && c.ObservedGeneration != st.Get(status.Synced).ObservedGeneration {
		lines = append(lines, fmt.Sprintf("Installed is of generation %d", c.ObservedGeneration))
	}
	for _, e := range d.Events {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("event %s %s", e.Type, e.Message)))
	}
	return strings.Join(lines, "\n")
}

// ends ends the program, and decides once. The decision after it starts it again.
func ends(w *scenario, code int) plan.Decision {
	w.die(w.in.Seen.Run, code)
	return w.decide()
}

// situations are what is observed, and how it came to that.
var situations = map[string]struct {
	begin  func(t *testing.T) *scenario
	change func(w *scenario)
}{
	"an image that was never inspected": {bare, func(w *scenario) { w.in.Image = observed.Image{} }},
	"an image that is pulled": {bare, func(w *scenario) {
		w.in.Image = observed.Image{Known: true, Pulling: true, PulledBytes: 12_300_000, PullTotal: 40_100_000}
	}},
	"an image that cannot be had": {bare, func(w *scenario) {
		w.in.Image = observed.Image{Known: true, PullError: "no such image", PullFailedAt: w.in.Now.Add(-10 * time.Second)}
	}},
	"an image that could not be had for long": {bare, func(w *scenario) {
		w.in.Image = observed.Image{Known: true, PullError: "no such image", PullFailedAt: w.in.Now.Add(-time.Hour)}
	}},
	"a name that a foreign container has": {bare, func(w *scenario) { w.in.Seen.RunNameTaken = &observed.Foreign{ContainerID: "foreign"} }},
	"a name for the installation that another Lightd has": {bare, func(w *scenario) {
		script(&w.in.Spec)
		w.in.Seen.InstallNameTaken = &observed.Foreign{ContainerID: "foreign", Instance: "another"}
	}},
	"a name for an installation that has no script": {bare, func(w *scenario) {
		w.in.Seen.InstallNameTaken = &observed.Foreign{ContainerID: "foreign"}
	}},
	"a leftover of an earlier installation": {bare, func(w *scenario) {
		w.in.Seen.Install = w.create(observed.RoleInstall, "img")
	}},
	"never ran":               {rests, func(*scenario) {}},
	"runs, without a pattern": {runs, func(*scenario) {}},
	"runs, with a pattern": {func(t *testing.T) *scenario { return ready(t, func(c *desired.Container) { c.StartPattern = "up" }) },
		func(w *scenario) { w.in.Matched = true }},
	"is to run":  {rests, func(w *scenario) { w.change(run) }},
	"is to stop": {runs, func(w *scenario) { w.change(func(c *desired.Container) { c.Power = desired.PowerStopped }) }},
	"is stopping": {runs, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
		w.decide()
		w.in.Status.Stopping.Sent = true
	}},
	"is killed while it is stopping": {runs, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
		w.decide()
		w.in.Status.Stopping.Sent = true
		w.change(func(c *desired.Container) { c.Kill = true })
	}},
	"is being killed": {runs, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Power, c.Kill = desired.PowerStopped, true })
		w.decide()
		w.in.Status.Stopping.KilledAt = w.in.Now
	}},
	"a kill that may have been sent": {runs, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Power, c.Kill = desired.PowerStopped, true })
		w.decide()
	}},
	"is to stop while it is frozen": {runs, func(w *scenario) {
		w.in.Seen.Run.Phase = observed.Paused
		w.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
	}},
	"is to be restarted": {runs, func(w *scenario) { w.change(func(c *desired.Container) { c.Requests.Restart++ }) }},
	"ended once":         {runs, func(w *scenario) { w.die(w.in.Seen.Run, 3) }},
	"was killed once":    {runs, func(w *scenario) { w.die(w.in.Seen.Run, 137) }},
	"ran out of memory twice": {runs, func(w *scenario) {
		ends(w, 1)
		w.start(w.in.Seen.Run)
		w.decide()
		w.die(w.in.Seen.Run, 137)
		w.in.Seen.Run.OOMKilled = true
	}},
	"waits after two ends": {runs, func(w *scenario) {
		ends(w, 1)
		w.start(w.in.Seen.Run)
		w.decide()
		ends(w, 1)
	}},
	"ended, and is not to be restarted": {func(t *testing.T) *scenario {
		return ready(t, func(c *desired.Container) { c.Restart = desired.RestartNever })
	}, func(w *scenario) { ends(w, 3) }},
	"ended as it was to stop": {runs, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
		w.die(w.in.Seen.Run, 3)
	}},
	"an installation that has failed": {bare, func(w *scenario) {
		script(&w.in.Spec)
		w.exit = 1
		w.settle()
	}},
	"a reinstall after a failure": {bare, func(w *scenario) {
		script(&w.in.Spec)
		w.exit = 1
		w.settle()
		w.change(func(c *desired.Container) { c.Requests.Install++ })
	}},
	"a script that is frozen": {bare, func(w *scenario) {
		script(&w.in.Spec)
		w.exit = -1
		w.settle()
		w.in.Seen.Install.Phase = observed.Paused
	}},
	"a script whose container is being removed": {bare, func(w *scenario) {
		script(&w.in.Spec)
		w.exit = -1
		w.settle()
		w.in.Seen.Install.Phase = observed.Removing
	}},
	"an install container that went before its script": {bare, func(w *scenario) {
		script(&w.in.Spec)
		w.act(*w.decide().Step)
		w.in.Status = plan.Observe(w.in).Status // created, and nothing more is recorded
		w.in.Seen.Install = nil
	}},
	"an install container of another request": {bare, func(w *scenario) {
		script(&w.in.Spec)
		w.decide()
		w.in.Seen.Install = w.create(observed.RoleInstall, "img")
		w.in.Seen.Install.Install = 7
	}},
	"an end that was seen late": {runs, func(w *scenario) {
		w.die(w.in.Seen.Run, 137)
		w.in.Seen.Run.Unwatched = true
	}},
	"a clean end that was seen late, of what restarts on failure": {func(t *testing.T) *scenario {
		return ready(t, func(c *desired.Container) { c.Restart = desired.RestartOnFailure })
	}, func(w *scenario) {
		w.die(w.in.Seen.Run, 0)
		w.in.Seen.Run.Unwatched = true
	}},
	"started again outside of Lightd": {runs, func(w *scenario) {
		w.in.Now = w.in.Now.Add(time.Second)
		w.start(w.in.Seen.Run)
	}},
	"started again outside of Lightd while it was stopping": {runs, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Requests.Restart++ })
		w.decide()
		w.in.Now = w.in.Now.Add(time.Second)
		w.start(w.in.Seen.Run)
	}},
	"a restart of what is stopped": {rests, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Requests.Restart++ })
	}},
	"a restart of what runs, under way": {runs, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Requests.Restart++ })
		w.act(*w.decide().Step)
	}},
	"a restart that has happened": {runs, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Requests.Restart++ })
		w.act(*w.decide().Step)
		w.decide()
		w.in.Now = w.in.Now.Add(time.Second)
		w.start(w.in.Seen.Run)
	}},
	"a second restart while the first is under way": {runs, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Requests.Restart++ })
		w.act(*w.decide().Step)
		w.decide()
		w.change(func(c *desired.Container) { c.Requests.Restart++ })
	}},
	"a second restart after the first": {runs, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Requests.Restart++ })
		w.settle()
		w.change(func(c *desired.Container) { c.Requests.Restart++ })
	}},
	"a restart that a stop has superseded": {runs, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Requests.Restart++ })
		w.act(*w.decide().Step)
		w.decide()
		w.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
	}},
	"a stop after crashes": {runs, func(w *scenario) {
		ends(w, 1)
		w.start(w.in.Seen.Run)
		w.decide()
		ends(w, 1)
		w.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
	}},
	"a start after crashes": {runs, func(w *scenario) {
		ends(w, 1)
		w.start(w.in.Seen.Run)
		w.decide()
		ends(w, 1)
		w.change(run)
	}},
	"a start at the end of a backoff": {runs, func(w *scenario) {
		ends(w, 1)
		w.start(w.in.Seen.Run)
		w.decide()
		ends(w, 1)
		w.in.Now = w.in.Now.Add(time.Minute)
	}},
	"removed outside of Lightd after two ends": {runs, func(w *scenario) {
		ends(w, 1)
		w.start(w.in.Seen.Run)
		w.decide()
		ends(w, 137)
		w.in.Seen.Run = nil
	}},
	"removed outside of Lightd after an end of its own": {runs, func(w *scenario) {
		ends(w, 1)
		w.start(w.in.Seen.Run)
		w.decide()
		ends(w, 1)
		w.in.Seen.Run = nil
	}},
	"an install container that went before its work was kept": {bare, func(w *scenario) {
		script(&w.in.Spec)
		for w.in.Status.Install.Phase != status.InstallScripted {
			w.act(*w.decide().Step)
			w.in.Status = plan.Observe(w.in).Status
		}
		w.in.Seen.Install = nil
	}},
	"another install container in the place of one whose script runs": {bare, func(w *scenario) {
		script(&w.in.Spec)
		w.exit = -1
		w.settle()
		w.in.Seen.Install = w.create(observed.RoleInstall, "img")
	}},
	"a container that is recreated": {rests, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Env = map[string]string{"A": "b"} })
		checked(w)
		w.act(*w.decide().Step)
		w.act(*w.decide().Step)
	}},
	"a container that was removed to be recreated": {rests, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Env = map[string]string{"A": "b"} })
		checked(w)
		w.act(*w.decide().Step)
	}},
	"other ports, reported already": {rests, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Ports = []desired.Port{{IP: "1.2.3.4", Port: 1, Protocol: "tcp"}} })
		w.decide()
	}},
	"a container of another spec, as the installation ends": {bare, func(w *scenario) {
		w.act(*w.decide().Step)
		w.act(*w.decide().Step)
		w.change(func(c *desired.Container) { c.Env = map[string]string{"A": "b"} })
	}},
	"an entry point that is gone as the installation ends": {bare, func(w *scenario) {
		w.act(*w.decide().Step)
		w.decide()
	}},
	"ports that it gave back and still binds": {rests, func(w *scenario) {
		port := desired.Port{IP: "1.2.3.4", Port: 1, Protocol: "tcp"}
		w.in.Seen.Run.Binds, w.in.Spec.Releasing = []desired.Port{port}, []desired.Port{port}
		w.in.Spec.Paused = true
	}},
	"a pull of an image that is no longer wanted": {bare, func(w *scenario) {
		w.in.Image.Present = false
		w.decide()
		w.in.Spec.Image, w.in.Image = "other", observed.Image{Known: true, Present: true}
	}},
	"ports that it gave back": {rests, func(w *scenario) { w.in.Spec.Releasing = []desired.Port{{IP: "1.2.3.4", Port: 1, Protocol: "tcp"}} }},
	"other ports": {rests, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Ports = []desired.Port{{IP: "1.2.3.4", Port: 1, Protocol: "tcp"}} })
	}},
	"more than can be named": {rests, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Env = map[string]string{"A": "", "B": "", "C": "", "D": "", "E": ""} })
	}},
	"what Docker shows nothing of": {rests, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Stop.Timeout++; w.in.Seen.Run.Hash = "other" })
	}},
	"a generation that was refused": {rests, refused},
	"a change of what was refused": {rests, func(w *scenario) {
		refused(w)
		w.decide()
		w.change(run)
	}},
	"a change of what was refused before it was installed": {bare, func(w *scenario) {
		w.decide()
		refused(w)
		w.decide()
		w.change(run)
	}},
	"paused, with something to do": {rests, func(w *scenario) {
		w.change(func(c *desired.Container) { run(c); c.Paused = true })
	}},
	"paused, with nothing to do": {rests, func(w *scenario) { w.change(func(c *desired.Container) { c.Paused = true }) }},
	"paused, while it waits": {rests, func(w *scenario) {
		w.in.Seen.Run, w.in.Image = nil, observed.Image{Known: true, PullError: "no such image", PullFailedAt: w.in.Now}
		w.change(func(c *desired.Container) { c.Paused = true })
	}},
	"paused, with a reinstall": {rests, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Paused = true; c.Requests.Install++ })
	}},
	"is to be deleted": {runs, func(w *scenario) { w.change(func(c *desired.Container) { c.Deleting = true }) }},
	"is being removed by a deletion": {rests, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Deleting = true })
		w.decide()
		w.in.Seen.Run.Phase = observed.Removing
	}},
	"its install container is being removed by a deletion": {bare, func(w *scenario) {
		script(&w.in.Spec)
		w.exit = -1
		w.settle()
		w.change(func(c *desired.Container) { c.Deleting = true })
		w.in.Seen.Install.Phase = observed.Removing
	}},
	"being removed outside of Lightd": {runs, func(w *scenario) { w.in.Seen.Run.Phase = observed.Removing }},
	"removed outside of Lightd":       {runs, func(w *scenario) { w.in.Seen.Run = nil }},
	"killed and then removed outside of Lightd": {runs, func(w *scenario) {
		ends(w, 137)
		w.in.Seen.Run = nil
	}},
	"Docker could not remove it": {rests, func(w *scenario) { w.in.Seen.Run.Phase = observed.Dead; checked(w) }},
	"it has another name":        {runs, func(w *scenario) { w.in.Seen.Run.Name = "other" }},
	"it has another name, and a foreign container has its own": {runs, func(w *scenario) {
		w.in.Seen.Run.Name, w.in.Seen.RunNameTaken = "other", &observed.Foreign{ContainerID: "foreign"}
	}},
	"it is off its network":                      {rests, func(w *scenario) { w.in.Seen.Run.Networks = nil; checked(w) }},
	"its directories are elsewhere":              {rests, func(w *scenario) { w.in.HostPaths.Volume = "/elsewhere"; checked(w) }},
	"its data is elsewhere":                      {rests, func(w *scenario) { w.in.HostPaths.Data = "/elsewhere"; checked(w) }},
	"a limit of memory that is none of its spec": {rests, func(w *scenario) { w.in.Seen.Run.Limits.Memory = 1 << 30; checked(w) }},
	"a limit of CPU that is none of its spec":    {rests, func(w *scenario) { w.in.Seen.Run.Limits.CPU = 1; checked(w) }},
	"it runs as another user":                    {rests, func(w *scenario) { w.in.Seen.Run.User = "somebody"; checked(w) }},
	"other limits":                               {runs, func(w *scenario) { w.in.Seen.Run.Limits.PIDs = 7 }},
	"a tag that moved and is followed": {func(t *testing.T) *scenario {
		return restsWith(t, func(c *desired.Container) { c.ImagePolicy = desired.ImageFollow })
	}, func(w *scenario) { w.in.Image.ImageID = "sha256:other"; checked(w) }},
	"an entry point that was altered": {runs, func(w *scenario) { w.in.EntrypointOK = false }},
	"other variables":                 {runs, func(w *scenario) { w.change(func(c *desired.Container) { c.Env = map[string]string{"A": "b"} }) }},
	"other variables, and a port that is busy": {runs, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Env = map[string]string{"A": "b"} })
		checked(w)
		w.in.Host.Reason, w.in.Host.Message, w.in.Host.Failures = status.ReasonPortUnavailable, "busy", 9
		w.in.Now = w.in.Now.Add(5 * time.Second)
	}},
	"other variables, and a port that was busy": {runs, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Env = map[string]string{"A": "b"} })
		checked(w)
		w.in.Host.Reason, w.in.Host.Message = status.ReasonPortUnavailable, "busy"
		w.in.Now = w.in.Now.Add(15 * time.Second)
	}},
	"a host that was checked long ago": {runs, func(w *scenario) {
		w.change(func(c *desired.Container) { c.Env = map[string]string{"A": "b"} })
		checked(w)
		w.in.Now = w.in.Now.Add(time.Minute)
	}},
	"a host that was checked for another spec": {runs, func(w *scenario) {
		checked(w)
		w.change(func(c *desired.Container) { c.Env = map[string]string{"A": "b"} })
	}},
	"an installation whose image is gone": {func(t *testing.T) *scenario { return restsWith(t, script) }, func(w *scenario) {
		w.in.Snapshot.Present, w.in.Seen.Run = false, nil
	}},
	"an installation whose image lost its name": {func(t *testing.T) *scenario { return restsWith(t, script) }, func(w *scenario) {
		w.in.Snapshot.Present, w.in.RunImage = false, observed.Image{Known: true, Present: true}
	}},
	"the engine is unreachable": {runs, func(w *scenario) { w.in.Seen.EngineUp, w.in.Seen.Run = false, nil }},
	"not inspected yet":         {runs, func(w *scenario) { w.in.Seen.Known, w.in.Seen.Run = false, nil }},
}

func bare(t *testing.T) *scenario  { return newScenario(t, nil) }
func rests(t *testing.T) *scenario { return restsWith(t, nil) }
func runs(t *testing.T) *scenario  { return ready(t, nil) }

func restsWith(t *testing.T, change func(*desired.Container)) *scenario {
	w := newScenario(t, change)
	w.settle()
	w.story()
	return w
}

// refused is what the controller records of a container that the engine will not have.
func refused(w *scenario) {
	w.in.Status.FailedGeneration, w.in.Status.FailedBy, w.in.Status.InstallState = w.in.Spec.Generation, status.FailedBySpec, status.Failed
	w.in.Status.Set(status.Condition{Type: status.Synced, Status: status.False, Reason: status.ReasonRefused, Message: "no"}, w.in.Now)
}

// checked records a check of the host that found nothing in the way.
func checked(w *scenario) {
	ref := w.in.Spec.Image
	if w.in.Status.Install.Snapshot != "" {
		ref = w.in.Status.Install.Snapshot
	}
	w.in.Host = plan.HostCheck{Hash: w.in.Spec.Hash(ref), At: w.in.Now}
}

// TestEventsOfSituations compares what is recorded of each situation with testdata/events.golden.
func TestEventsOfSituations(t *testing.T) {
	text, err := os.ReadFile("testdata/events.golden")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, section := range strings.Split(string(text), "== ")[1:] {
		name, rest, _ := strings.Cut(section, "\n")
		want[name] = strings.TrimSpace(rest)
	}
	for name, c := range situations {
		t.Run(name, func(t *testing.T) {
			w := c.begin(t)
			c.change(w)
			if got := summary(w.decide()); got != want[name] {
				t.Errorf("got\n== %s\n%s\nwant\n%s", name, got, want[name])
			}
		})
		delete(want, name)
	}
	for name := range want {
		t.Errorf("no situation is called %q", name)
	}
}
