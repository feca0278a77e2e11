package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/drift"
	"lightd/observed/status"
)

// fieldsLine is a report in one line.
func fieldsLine(fields []plan.Field) string {
	var list []string
	for _, f := range fields {
		s := fmt.Sprintf("%s=%v/%v", f.Path, f.Desired, f.Observed)
		if f.Kind != drift.Spec {
			s += " " + string(f.Kind)
		}
		if f.Step != "" {
			s += " " + string(f.Step)
		}
		list = append(list, s)
	}
	return strings.Join(list, "; ")
}

// disturbances are what can be done to a container that runs, with what a report shows of it.
var disturbances = map[string]struct {
	made func(*desired.Container)
	do   func(w *scenario)
	want string
}{
	"nothing":         {do: func(*scenario) {}},
	"name":            {do: func(w *scenario) { named(&w.in, "x") }, want: "name=lightd-a/x RenameContainer"},
	"memory":          {made: limited, do: func(w *scenario) { w.in.Seen.Run.Limits.Memory = 1 }, want: "limits.memory=268435456/1 UpdateLimits"},
	"memory set":      {do: func(w *scenario) { w.in.Seen.Run.Limits.Memory = 1 }, want: "limits.memory=0/1 CreateContainer"},
	"cpu":             {made: limited, do: func(w *scenario) { w.in.Seen.Run.Limits.CPU = 2 }, want: "limits.cpu=1/2 UpdateLimits"},
	"cpu set":         {do: func(w *scenario) { w.in.Seen.Run.Limits.CPU = 2 }, want: "limits.cpu=0/2 CreateContainer"},
	"swap":            {made: limited, do: func(w *scenario) { w.in.Seen.Run.Limits.Swap = 2 }, want: "limits.swap=0/2 UpdateLimits"},
	"pids":            {do: func(w *scenario) { w.in.Seen.Run.Limits.PIDs = 0 }, want: "limits.pids=512/0 UpdateLimits"},
	"restart policy":  {do: func(w *scenario) { w.in.Seen.Run.RestartPolicy = "always" }, want: "restart_policy=no/always UpdateLimits"},
	"off the network": {do: func(w *scenario) { w.in.Seen.Run.Networks = nil }, want: "networks=[lightd]/[] CreateContainer"},
	"on another too": {do: func(w *scenario) { w.in.Seen.Run.Networks = []string{"lan", "lightd"} },
		want: "networks=[lightd]/[lan lightd] deferred"},
	"stop signal": {do: func(w *scenario) { w.change(func(c *desired.Container) { c.Stop.Signal = "SIGINT" }) }, want: "stop.signal=SIGINT/SIGTERM deferred"},
	"log":         {do: func(w *scenario) { w.in.Seen.Run.Log.MaxSize = "1m" }, want: "log.max_size=10m/1m deferred"},
	"gone":        {do: func(w *scenario) { w.in.Seen.Run = nil }, want: "presence=true/false CreateContainer"},
	"gone, and its name taken": {do: func(w *scenario) { w.in.Seen.Run, w.in.Seen.RunNameTaken = nil, &observed.Foreign{ContainerID: "x"} },
		want: "presence=true/false CreateContainer"},
	"dead": {do: func(w *scenario) { w.in.Seen.Run.Phase = observed.Dead },
		want: "presence=true/dead CreateContainer; power=running/stopped StartContainer"},
	"killed":                          {do: func(w *scenario) { w.die(w.in.Seen.Run, 137) }, want: "power=running/stopped StartContainer"},
	"frozen":                          {do: func(w *scenario) { w.in.Seen.Run.Phase = observed.Paused }, want: "power=running/paused deferred UnpauseContainer"},
	"entry":                           {do: func(w *scenario) { w.in.EntrypointOK = false }, want: "entrypoint.sh=in place/missing or altered WriteEntrypoint"},
	"env":                             {do: func(w *scenario) { w.in.Seen.Run.Env = append(w.in.Seen.Run.Env, "A=1") }, want: "env.A=<nil>/(hidden) CreateContainer"},
	"new env":                         {do: func(w *scenario) { w.change(func(c *desired.Container) { c.Env["A"] = "1" }) }, want: "env.A=1/<nil> CreateContainer"},
	"host name of an earlier version": {do: func(w *scenario) { w.in.Seen.Run.Hostname = "c0ffee" }, want: "hostname=a/c0ffee deferred"},
	"host name":                       {made: func(c *desired.Container) { c.Hostname = "b" }, do: func(w *scenario) { w.in.Seen.Run.Hostname = "c0ffee" }, want: "hostname=b/c0ffee CreateContainer"},
	"new host name":                   {do: func(w *scenario) { w.change(func(c *desired.Container) { c.Hostname = "b" }) }, want: "hostname=b/a CreateContainer"},
	"no host name any more": {made: func(c *desired.Container) { c.Hostname = "b" }, do: func(w *scenario) { w.change(func(c *desired.Container) { c.Hostname = "" }) },
		want: "hostname=a/b CreateContainer"},
	"command":   {do: func(w *scenario) { w.change(func(c *desired.Container) { c.StartupCommand = "x" }) }, want: "startup_command=x/run CreateContainer"},
	"elsewhere": {do: func(w *scenario) { w.in.HostPaths.Volume = "/v" }, want: "mount./home/container=/v/ CreateContainer"},
	"replaced under its process": {do: func(w *scenario) {
		w.in.Replaced = []plan.ReplacedMount{{Run: status.RunOf(w.in.Seen.Run), Mount: observed.Mount{Source: "/v", Target: "/home/container"}, Found: "a link to /x"}}
	}, want: "mount./home/container=/v/the directory that was there before a link to /x"},
	"new image": {do: func(w *scenario) { w.change(func(c *desired.Container) { c.Image = "x" }) }, want: "image=x/img CreateContainer"},
	"stopped":   {do: func(w *scenario) { w.change(halt) }, want: "power=stopped/running StopContainer"},
	"slain": {do: func(w *scenario) {
		w.change(func(c *desired.Container) { c.Power, c.Kill = desired.PowerStopped, true })
	}, want: "power=stopped/running KillContainer"},
	"restarted": {do: func(w *scenario) { w.change(func(c *desired.Container) { c.Requests.Restart++ }) }, want: "restart=1/0 StopContainer"},
	"deleted":   {do: func(w *scenario) { w.change(func(c *desired.Container) { c.Deleting = true }) }, want: "presence=false/true RemoveContainer"},
	"reinstalled": {do: func(w *scenario) { w.change(func(c *desired.Container) { c.Requests.Install++ }) },
		want: "installation=done/preparing StopContainer"},
	"tag": {do: func(w *scenario) { w.in.Image.ImageID = "new" }, want: "image=new/ moved_tag"},
	"tag that is followed": {made: func(c *desired.Container) { c.ImagePolicy = desired.ImageFollow },
		do: func(w *scenario) { w.in.Image.ImageID = "new" }, want: "image=new/ CreateContainer"},
	"tag under an installation": {made: script, do: func(w *scenario) { w.in.Image.ImageID = "new" }},
	"snapshot without its name": {made: script, do: func(w *scenario) {
		w.in.Snapshot.Present, w.in.RunImage = false, observed.Image{Known: true, Present: true}
	},
		want: "installation=kept:1/<nil> RestoreSnapshot"},
	"snapshot that is gone": {made: script, do: func(w *scenario) { w.in.Snapshot.Present, w.in.RunImage.Known = false, true },
		want: "installation=kept:1/<nil>"},
	"snapshot that is gone, with a copy": {made: script, do: func(w *scenario) {
		w.in.Snapshot.Present, w.in.RunImage.Known, w.in.Copy.Present = false, true, true
	},
		want: "installation=kept:1/<nil> LoadSnapshot"},
	"refused": {do: func(w *scenario) {
		w.in.Status.FailedGeneration, w.in.Status.FailedBy = w.in.Spec.Generation, status.FailedBySpec
		w.in.Seen.Run.Env = nil
	}, want: "env.TINI_KILL_PROCESS_GROUP=1/<nil>"},
	"a stop that is no longer wanted": {do: func(w *scenario) {
		w.change(halt)
		w.decide()
		w.in.Status.Stopping.Sent = true
		w.change(run)
	}, want: "power=running/stopping StartContainer"},
	"at rest": {made: func(c *desired.Container) { c.Restart = desired.RestartNever }, do: func(w *scenario) { w.die(w.in.Seen.Run, 0) }},
	"backing off": {do: func(w *scenario) {
		for range 3 {
			w.die(w.in.Seen.Run, 1)
			w.decide()
			w.start(w.in.Seen.Run)
			w.in.Now = w.in.Now.Add(time.Second)
			w.decide()
		}
		w.die(w.in.Seen.Run, 1)
	}, want: "power=running/stopped StartContainer"},
}

func limited(c *desired.Container) { c.Limits.Memory, c.Limits.CPU = 1<<28, 1 }
func halt(c *desired.Container)    { c.Power = desired.PowerStopped }

// disturbed is a container that runs, to which something was done.
func disturbed(t *testing.T, made func(*desired.Container), do func(*scenario)) *scenario {
	w := ready(t, made)
	do(w)
	w.in.Now = w.in.Now.Add(time.Minute)
	return w
}

func TestDrift(t *testing.T) {
	for name, c := range disturbances {
		t.Run(name, func(t *testing.T) {
			w := disturbed(t, c.made, c.do)
			before := w.in
			fields, known := plan.Drift(w.in)
			if got := fieldsLine(fields); got != c.want || !known {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if again, _ := plan.Drift(before); fieldsLine(again) != fieldsLine(fields) {
				t.Error("the input was changed")
			}
		})
	}
}

// TestDriftAndControllerAgree: what is synced differs in nothing that has a step;
// each step is for a reported field; what is reported heals.
func TestDriftAndControllerAgree(t *testing.T) {
	towards := map[plan.Kind][]plan.Kind{
		plan.CheckHost: {plan.CreateContainer}, plan.RemoveContainer: {plan.CreateContainer, plan.RemoveContainer},
		plan.StopContainer: {plan.StopContainer, plan.CreateContainer, plan.RemoveContainer, plan.StartContainer},
		plan.KillContainer: {plan.KillContainer, plan.StartContainer}, plan.Finalize: {plan.RemoveContainer},
	}
	for name, c := range disturbances {
		t.Run(name, func(t *testing.T) {
			w := disturbed(t, c.made, c.do)
			for range 30 {
				fields, _ := plan.Drift(w.in)
				d := w.decide()
				acted := slices.ContainsFunc(fields, func(f plan.Field) bool { return f.Kind == drift.Spec })
				if synced := d.Status.Get(status.Synced).Status == status.True; synced == acted {
					t.Errorf("synced %v, and differs in %q", synced, fieldsLine(fields))
				}
				if d.Step == nil {
					break
				}
				goals := towards[d.Step.Kind]
				if goals == nil {
					goals = []plan.Kind{d.Step.Kind}
				}
				installing := strings.HasPrefix(fieldsLine(fields), "installation=done")
				if !installing && !slices.ContainsFunc(fields, func(f plan.Field) bool { return slices.Contains(goals, f.Step) }) {
					t.Errorf("the step %s is for nothing in %q", d.Step.Kind, fieldsLine(fields))
				}
				if d.Step.Kind == plan.Finalize {
					return
				}
				w.act(*d.Step)
			}
			left, _ := plan.Drift(w.in)
			for _, f := range left {
				if f.Kind == drift.Spec && f.Step != "" && name != "backing off" && w.in.Seen.RunNameTaken == nil {
					t.Errorf("not healed: %q", fieldsLine(left))
				}
			}
		})
	}
}

// TestDriftIsUnknownWithoutAnEngine, and reports no fields then.
func TestDriftIsUnknownWithoutAnEngine(t *testing.T) {
	for _, unseen := range []observed.Snapshot{{}, {Known: true}, {EngineUp: true}} {
		w := ready(t, nil)
		unseen.Run = w.in.Seen.Run
		w.in.Seen = unseen
		if fields, known := plan.Drift(w.in); known || len(fields) > 0 {
			t.Errorf("%+v: known %v, %q", unseen, known, fieldsLine(fields))
		}
	}
}

// TestPausedIsReportedAndNotTouched: the report has the steps that an unpause would bring.
func TestPausedIsReportedAndNotTouched(t *testing.T) {
	for name, c := range disturbances {
		if slices.Contains([]string{"deleted", "reinstalled"}, name) {
			continue // one continues, the other has not started
		}
		w := disturbed(t, c.made, c.do)
		w.change(func(c *desired.Container) { c.Paused = true })
		if name == "refused" { // which ends with a change
			continue
		}
		if fields, _ := plan.Drift(w.in); fieldsLine(fields) != c.want {
			t.Errorf("%s: got %q, want %q", name, fieldsLine(fields), c.want)
		}
		if d := w.decide(); d.Step != nil {
			t.Errorf("%s: the step %s", name, d.Step.Kind)
		}
	}
}

// TestSince is when a difference was first seen, for as long as it lasts.
func TestSince(t *testing.T) {
	w := ready(t, nil)
	w.change(func(c *desired.Container) { c.Paused = true })
	named(&w.in, "x")
	if fields, _ := plan.Drift(w.in); !fields[0].Since.Equal(w.in.Now) {
		t.Errorf("not seen before: %s", fields[0].Since)
	}
	first := w.in.Now
	w.decide()
	w.in.Now = w.in.Now.Add(time.Hour)
	w.in.Seen.Run.Limits.PIDs = 1
	w.decide()
	w.in.Now = w.in.Now.Add(time.Hour)
	fields, _ := plan.Drift(w.in)
	if len(fields) != 2 || !fields[0].Since.Equal(first) || !fields[1].Since.Equal(first.Add(time.Hour)) {
		t.Errorf("got %+v", fields)
	}
	w.in.Seen.Known = false // the engine is unreachable
	w.decide()
	w.in.Seen.Known = true
	if fields, _ := plan.Drift(w.in); len(fields) != 2 || !fields[0].Since.Equal(first) {
		t.Errorf("after the engine was unreachable: %+v", fields)
	}
	named(&w.in, "lightd-a")
	w.decide()
	named(&w.in, "y")
	if fields, _ := plan.Drift(w.in); !fields[0].Since.Equal(w.in.Now) {
		t.Errorf("a new difference is old: %+v", fields[0])
	}
}

// TestRecreationThatDoesNotHelp is not retried for the same difference: an engine that
// shows something else than was requested must not end a program over and over.
func TestRecreationThatDoesNotHelp(t *testing.T) {
	w := ready(t, nil)
	stubborn := func() {
		if w.in.Seen.Run != nil {
			w.in.Seen.Run.User = "nobody"
		}
	}
	settle := func() plan.Decision {
		for range 20 {
			stubborn()
			d := w.decide()
			if d.Step == nil {
				return d
			}
			w.steps = append(w.steps, string(d.Step.Kind))
			w.act(*d.Step)
		}
		t.Fatalf("no end: %v", w.steps)
		return plan.Decision{}
	}
	d := settle()
	w.events = nil
	w.expect("CheckHost StopContainer RemoveContainer CreateContainer StartContainer", "")
	if d.Status.Get(status.Synced).Status != status.True {
		t.Errorf("synced: %+v", d.Status.Get(status.Synced))
	}
	if fields, _ := plan.Drift(w.in); fieldsLine(fields) != "user=/nobody deferred" {
		t.Errorf("got %q", fieldsLine(fields))
	}
	w.in.Now = w.in.Now.Add(time.Hour)
	w.in.Seen.Run.Env = append(w.in.Seen.Run.Env, "A=1") // another reason
	settle()
	w.events = nil
	w.expect("CheckHost StopContainer RemoveContainer CreateContainer StartContainer", "")
	stubborn = func() {}
	w.in.Seen.Run.User = ""
	w.settle()
	w.story()
	w.in.Seen.Run.User = "nobody" // changed outside of Lightd again
	w.settle()
	if got := w.story(); !strings.Contains(got, "CreateContainer") {
		t.Errorf("not healed: %s", got)
	}
}

// TestReasonOfAChange: a new container is made for a reason that names the fields, but not
// too many of them.
func TestReasonOfAChange(t *testing.T) {
	for want, change := range map[string]func(*desired.Container){
		"ports changed":           func(c *desired.Container) { c.Ports = []desired.Port{{IP: "0.0.0.0", Port: 1, Protocol: desired.TCP}} },
		"startup_command changed": func(c *desired.Container) { c.StartupCommand = "x" },
		"tty, env.MAP changed":    func(c *desired.Container) { c.TTY = !c.TTY; c.Env["MAP"] = "q3dm17" },
		"env.A, env.B, env.C, env.D and 1 more changed": func(c *desired.Container) {
			for _, key := range []string{"A", "B", "C", "D", "E"} {
				c.Env[key] = "1"
			}
		},
	} {
		w := disturbed(t, nil, func(w *scenario) { w.change(change) })
		steps := plan.Simulate(w.in).Steps
		at := slices.IndexFunc(steps, func(s plan.Step) bool { return s.Kind == plan.StopContainer })
		if at < 0 || steps[at].Reason != want {
			t.Errorf("%v, want a stop because %q", steps, want)
		}
	}
}
