package command

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"lightd/cmd/lightd/terminal"
	"lightd/controller/plan"
	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/observed/journal"
	"lightd/observed/status"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// sample is a container with something of everything, and with what no terminal must get.
func sample() api.Container {
	spec := desired.DefaultSpec()
	return api.Container{
		InternalID: "web", ContainerID: "a1b2c3d4e5f6", VolumeID: "vol", Image: "game:1", StartupCommand: "./game \x1b[31m\n--more",
		StartPattern: "up", InstallState: status.Ready, State: status.StateBackOff, Power: desired.PowerRunning,
		Ports:  []desired.Port{{IP: "0.0.0.0", Port: 25565, Protocol: "tcp", ContainerPort: 25565}, {IP: "::1", Port: 80, Protocol: "udp", ContainerPort: 8080}},
		Limits: desired.Limits{Memory: 512 << 20, CPU: 1.5, Swap: 1 << 30, PIDs: 512}, Mount: map[string]desired.Mount{"/in": {Source: "/out"}, "/maps": {Source: "/srv/maps", ReadOnly: true}},
		Env: map[string]string{"B": "2", "A": "line\nbreak"}, Labels: map[string]string{"game": "quake"}, Stop: spec.Stop, Restart: spec.Restart,
		TTY: true, Init: true, ImagePolicy: spec.ImagePolicy, ImagePull: spec.ImagePull, Generation: 3, ObservedGeneration: 2,
		Conditions: []status.Condition{{Type: status.Synced, Status: status.False, Reason: status.ReasonBackOff, Message: "it\u202eended\n", LastTransitionTime: noon.Add(-90 * time.Second)}},
		Restarts:   4, LastExit: &status.Exit{Code: 137, Signal: "SIGKILL", OOM: true, At: noon.Add(-time.Minute)},
		NextAttemptAt: noon.Add(69 * time.Second), Attempt: 9,
		CreatedAt: noon.Add(-48 * time.Hour).Unix(), UpdatedAt: noon.Add(-time.Hour).Unix(),
	}
}

func TestDescription(t *testing.T) {
	d := description{
		container: sample(),
		drift: &api.Drift{InternalID: "web", Known: true, Fields: []api.DriftField{
			{Path: "limits.memory", Desired: float64(512 << 20), Observed: float64(256 << 20), Since: noon.Add(-time.Hour), Step: plan.UpdateLimits, Kind: api.DriftSpec},
			{Path: "image", Desired: "sha256:1", Observed: "sha256:2", Since: noon, Kind: api.DriftMovedTag},
			{Path: "log.driver", Desired: "json-file", Since: noon, Kind: api.DriftDeferred},
		}},
		plan: &api.Plan{Steps: []plan.Step{{Kind: plan.UpdateLimits, Reason: "limits.memory differs"}}, Waits: &plan.Blocker{Reason: status.ReasonBackOff, Message: "for 5 s"},
			Attempt: plan.Attempt{At: noon.Add(69 * time.Second), Number: 9}},
		output: []string{"Loading 10%\rLoading", "\x1b[31mcannot open\t\u202ethe world\x1b[0m\r"},
		events: []journal.Event{{Seq: 42, Time: noon.Add(-time.Minute), InternalID: "web", Type: journal.Exited, Generation: 2, Message: "exit code 137 (SIGKILL)"}},
	}
	var b bytes.Buffer
	if err := d.write(&b, noon, 0); err != nil {
		t.Fatal(err)
	}
	want := `ID:              web
State:           backoff, should be running
Next attempt:    in 69s (attempt 9)
Install:         ready
Generation:      3, observed up to 2
Created:         2026-11-22T12:00:00Z (2d ago)
Changed:         2026-11-24T11:00:00Z (60m ago)
Container:       a1b2c3d4e5f6
Restarts:        4
Last exit:       code 137 (SIGKILL), out of memory, 60s ago
Image:           game:1 (image_pull: missing, image_policy: pinned)
Volume:          vol
Startup command: ./game \x1b[31m
                 --more
Start pattern:   up
Ports:           25565/tcp, [::1]:80->8080/udp
Limits:          512MiB of memory and 1GiB of swap, 1.5 cores, 512 processes
Restart:         on-failure
Stop:            the image's stop signal, then SIGKILL after 10s
Mounts:          /in <- /out
                 /maps <- /srv/maps (read-only)
Environment:     A=line\nbreak
                 B=2
Labels:          game=quake
Conditions:
  TYPE     STATUS   SINCE   REASON    MESSAGE
  Synced   False    90s     BackOff   it\u202eended\n
Drift:
  FIELD           SHOULD BE   IS         SINCE   FIXED BY
  limits.memory   512 MiB     256 MiB    60m     UpdateLimits
  image           sha256:1    sha256:2   0s      nothing: the image is pinned
  log.driver      json-file   (none)     0s      the next container
Next:
  STEP           BECAUSE
  UpdateLimits   limits.memory differs
When:            in 69s (attempt 9)
Waits:           BackOff: for 5 s
Events:
  SEQ   AGE   GENERATION   TYPE     MESSAGE
  42    60s   2            Exited   exit code 137 (SIGKILL)
Last output:
  Loading
  cannot open    \u202ethe world
Hint:            BackOff: read why it ends with "lightd logs web"; "lightd start web" starts it now
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// TestLinesAreWrittenWhole: a command says why one container fails while the steps of others are shown.
func TestLinesAreWrittenWhole(t *testing.T) {
	var b bytes.Buffer
	a := &app{Env: Env{Streams: terminal.Streams{Out: &b, Err: &b}, Getenv: func(string) string { return "" }}, clear: func() {}}
	var both sync.WaitGroup
	both.Go(func() {
		for range 100 {
			a.note("web: Started")
		}
	})
	both.Go(func() {
		for range 100 {
			a.fail(errors.New("no"))
		}
	})
	both.Wait()
	if got := b.String(); strings.Count(got, "web: Started\n") != 100 || strings.Count(got, "lightd: no\n") != 100 {
		t.Errorf("got\n%s", got)
	}
}

// TestWatchRows: a change that shows nothing new is no row, and a deletion is reported.
func TestWatchRows(t *testing.T) {
	var b bytes.Buffer
	a := &app{Env: Env{Streams: terminal.Streams{Out: &b, Err: &b}, Getenv: func(string) string { return "" }, Now: func() time.Time { return noon }}}
	show, err := a.printer(FormTable, false, false)
	if err != nil {
		t.Fatal(err)
	}
	show.goesOn = true
	c := sample()
	for _, err := range []error{
		show.list([]api.Container{c}), show.change(api.WatchEvent{Type: api.ChangeModified, Container: &c}),
		show.change(api.WatchEvent{Type: api.ChangeDeleted, Container: &c}), show.change(api.WatchEvent{Type: api.ChangeAdded, Container: &c}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"ID INSTALL STATE SYNCED RESTARTS AGE IMAGE", "web ready backoff BackOff 4 2d game:1",
		"web ready deleted BackOff 4 2d game:1", "web ready backoff BackOff 4 2d game:1",
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	for i, line := range lines {
		if got := strings.Join(strings.Fields(line), " "); i >= len(want) || got != want[i] {
			t.Fatalf("got\n%s\nwant\n%s", b.String(), strings.Join(want, "\n"))
		}
		if at := strings.Index(line, "ackoff"); i > 0 && at >= 0 && at != strings.Index(lines[1], "ackoff") {
			t.Errorf("columns moved:\n%s", b.String())
		}
	}
	if len(lines) != len(want) {
		t.Errorf("got\n%s", b.String())
	}
}

func TestHeadings(t *testing.T) {
	step := func(k plan.Kind, reason string) plan.Step { return plan.Step{Kind: k, Reason: reason} }
	cases := []struct {
		action desired.Action
		plan   *api.Plan
		want   string
	}{
		{desired.Unchanged, nil, "unchanged"},
		{desired.Created, &api.Plan{}, "create"},
		{desired.Deleted, &api.Plan{}, "delete"},
		{desired.Updated, &api.Plan{}, "change the spec, and nothing in Docker"},
		{desired.Unchanged, &api.Plan{}, "nothing to do"},
		{"", &api.Plan{Waits: &plan.Blocker{Reason: status.ReasonPaused}}, "nothing can be done now"},
		{desired.Updated, &api.Plan{Recreates: true, Restarts: true, Steps: []plan.Step{step(plan.StopContainer, "x"), step(plan.RemoveContainer, "ports changed")}}, "recreate, because ports changed"},
		{desired.Updated, &api.Plan{Restarts: true, Steps: []plan.Step{step(plan.StopContainer, "a restart was asked for"), step(plan.StartContainer, "y")}}, "restart, because a restart was asked for"},
		{desired.Updated, &api.Plan{Restarts: true, Steps: []plan.Step{step(plan.KillContainer, "power is stopped")}}, "stop, because power is stopped"},
		{desired.Updated, &api.Plan{Steps: []plan.Step{step(plan.UpdateLimits, "limits.memory changed")}}, "change in place, because limits.memory changed"},
		{desired.Updated, &api.Plan{Steps: []plan.Step{step(plan.StartContainer, "power is running")}}, "start, because power is running"},
		{"", &api.Plan{Steps: []plan.Step{step(plan.CreateContainer, "the container does not exist"), step(plan.StartContainer, "")}}, "create its container, because the container does not exist"},
		{"", &api.Plan{Steps: []plan.Step{step(plan.CreateInstallContainer, "the install script needs a container"), step(plan.CreateContainer, "the installation is complete")}},
			"install, because the install script needs a container"},
	}
	for _, c := range cases {
		if got := heading(api.Receipt{Action: c.action, Plan: c.plan}); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// TestLastErrorOfWebhook: one that is over is not taken for one of now.
func TestLastErrorOfWebhook(t *testing.T) {
	now := time.Now()
	w := api.Webhook{State: api.WebhookIdle, LastError: "the receiver answers 404", LastErrorAt: now.Add(-3 * time.Minute)}
	if got := lastError(now, w); got != "the receiver answers 404 (3m ago)" {
		t.Errorf("got %q", got)
	}
	if got := lastError(now, api.Webhook{}); got != "-" {
		t.Errorf("got %q", got)
	}
}
