package engine_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/pkg/stdcopy"

	"lightd/desired"
	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/engine"
)

// image is what the tests against a real engine run.
const image = "lightd-test/busybox:latest"

// uuid returns a random instance, so that no test sees the containers of another.
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// realEngine returns a client of the engine of this machine, with an instance of its own, and
// removes what the test leaves behind.
func realEngine(t *testing.T) *engine.Engine {
	t.Helper()
	harness.NeedEngine(t)
	e := newEngine(t, engine.Config{Instance: uuid()})
	if err := e.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		list, err := e.List(ctx)
		if err != nil {
			t.Error(err)
		}
		for _, c := range list {
			if err := e.Remove(ctx, c.ContainerID); err != nil && engine.Classify(err) != engine.NotFound {
				t.Error(err)
			}
		}
		images, err := e.Images(ctx)
		if err != nil {
			t.Error(err)
		}
		for _, i := range images {
			if err := e.RemoveImage(ctx, i.Ref); err != nil {
				t.Error(err)
			}
		}
	})
	return e
}

// scripted runs a script in a container of ours.
func scripted(e *engine.Engine, script string) blueprint.Blueprint {
	id := e.Instance()
	return blueprint.Blueprint{
		Name: observed.RunName(id), Image: image,
		Labels: map[string]string{
			observed.LabelInstance: id, observed.LabelRole: string(observed.RoleRun), observed.LabelID: id, observed.LabelHash: "h", observed.LabelGeneration: "3", observed.LabelInstall: "2",
		},
		Entrypoint: []string{"/bin/sh", "-c", script},
		Limits:     desired.Limits{PIDs: 64},
	}
}

func create(t *testing.T, e *engine.Engine, b blueprint.Blueprint) (containerID string) {
	t.Helper()
	containerID, _, err := e.Create(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return containerID
}

func start(t *testing.T, e *engine.Engine, containerID string) {
	t.Helper()
	if err := e.Start(t.Context(), containerID); err != nil {
		t.Fatal(err)
	}
}

func inspect(t *testing.T, e *engine.Engine, nameOrID string) observed.Container {
	t.Helper()
	c, _, err := e.Inspect(t.Context(), nameOrID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLifecycleOfAContainer(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	b := scripted(e, "exec sleep 1000")
	b.Ports = []desired.Port{{IP: "127.0.0.1", Port: 19871, Protocol: desired.UDP, ContainerPort: 5}}
	b.Limits = desired.Limits{Memory: 64 << 20, CPU: 0.5, PIDs: 64}
	id := create(t, e, b)
	if _, _, err := e.Create(t.Context(), b); engine.Classify(err) != engine.Conflict {
		t.Errorf("the same name again: %v", err)
	}
	c := inspect(t, e, b.Name)
	if c.ContainerID != id || c.Phase != observed.Created || !c.StartedAt.IsZero() || !c.FinishedAt.IsZero() ||
		c.Hash != "h" || c.Generation != 3 || c.Install != 2 || c.Role != observed.RoleRun || c.Image != image || c.ImageID == "" {
		t.Errorf("created: %+v", c)
	}
	if len(c.Binds) != 1 || c.Binds[0] != b.Ports[0] {
		t.Errorf("binds %v, want %v", c.Binds, b.Ports)
	}
	if c.Limits.Memory != b.Limits.Memory || c.Limits.CPU != 0.5 || c.Limits.PIDs != 64 || c.Limits.Swap > 0 {
		t.Errorf("limits %+v, want %+v", c.Limits, b.Limits)
	}
	if err := e.Kill(t.Context(), id, "SIGKILL"); engine.Classify(err) != engine.Conflict {
		t.Errorf("kill of what does not run: %v", err)
	}
	start(t, e, id)
	start(t, e, id) // again is no error
	if c := inspect(t, e, b.Name); !c.Running() || c.StartedAt.IsZero() {
		t.Errorf("started: %+v", c)
	}
	list, err := e.List(t.Context())
	if err != nil || len(list) != 1 || list[0].ContainerID != id || list[0].Phase != observed.Running || list[0].Names[0] != b.Name {
		t.Errorf("list %+v, %v", list, err)
	}
	if err := e.Kill(t.Context(), id, "SIGKILL"); err != nil {
		t.Error(err)
	}
	if c := inspect(t, e, b.Name); c.Phase != observed.Exited || c.ExitCode != 137 || c.FinishedAt.Before(c.StartedAt) || len(c.Binds) != 1 {
		t.Errorf("killed: %+v", c)
	}
	if err := e.Remove(t.Context(), id); err != nil {
		t.Error(err)
	}
	if _, _, err := e.Inspect(t.Context(), b.Name); engine.Classify(err) != engine.NotFound {
		t.Errorf("inspect of what is gone: %v", err)
	}
	if err := e.Remove(t.Context(), id); engine.Classify(err) != engine.NotFound {
		t.Errorf("removal of what is gone: %v", err)
	}
	if _, err := e.Attach(t.Context(), id, engine.AttachOptions{Output: true}); engine.Classify(err) != engine.NotFound {
		t.Errorf("attach to what is gone: %v", err)
	}
}

func TestWhatDockerWillNeverMake(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	b := scripted(e, "true")
	b.Mounts = []observed.Mount{{Source: "/no/such/source", Target: "/x"}}
	if _, _, err := e.Create(t.Context(), b); engine.Classify(err) != engine.Refused {
		t.Errorf("a mount of nothing: %v", err)
	}
	b = scripted(e, "true")
	b.Image = "lightd-test/no-such-image:latest"
	if _, _, err := e.Create(t.Context(), b); engine.Classify(err) != engine.NotFound {
		t.Errorf("no image: %v", err)
	}
}

func TestLimitsChangeInPlace(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	b := scripted(e, "exec sleep 1000")
	b.Limits = desired.Limits{Memory: 64 << 20, CPU: 0.5, PIDs: 64}
	id := create(t, e, b)
	start(t, e, id)
	before := inspect(t, e, id)
	for _, want := range []desired.Limits{
		{Memory: 128 << 20, CPU: 0.25, PIDs: 32},
		{Memory: 32 << 20, CPU: 1.5, PIDs: 128, Swap: 16 << 20},
		{Memory: 32 << 20, CPU: 1.5, PIDs: 0, Swap: 0},
	} {
		if _, err := e.UpdateLimits(t.Context(), id, want); err != nil {
			t.Fatal(err)
		}
		got := inspect(t, e, id)
		t.Logf("asked %+v, reads %+v", want, got.Limits)
		if got.Limits.Swap == desired.UnlimitedSwap {
			want.Swap = desired.UnlimitedSwap
		}
		if got.Limits != want || !got.StartedAt.Equal(before.StartedAt) {
			t.Errorf("reads %+v, want %+v", got.Limits, want)
		}
	}
}

func TestSignalsReachTheProgram(t *testing.T) {
	t.Parallel()
	for _, init := range []bool{true, false} {
		t.Run(fmt.Sprintf("init %v", init), func(t *testing.T) {
			e := realEngine(t)
			// The outer shell waits for an inner one, and passes nothing on. It must outlive the
			// signal itself: when it ends, init does, and the rest is killed.
			b := scripted(e, `trap : TERM; /bin/sh -c 'trap "echo got it; exit 7" TERM; echo ready; while :; do sleep 0.1; done'; exit $?`)
			b.Init, b.TTY = init, true
			if init {
				b.Env = []string{blueprint.SignalGroup + "=1"}
			}
			id := create(t, e, b)
			conn, err := e.Attach(t.Context(), id, engine.AttachOptions{Output: true})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			start(t, e, id)
			if err := awaitText(conn, "ready"); err != nil {
				t.Fatal(err)
			}
			signal := e.Kill
			if !init {
				signal = e.Signal
			}
			if err := signal(t.Context(), id, "SIGTERM"); err != nil {
				t.Fatal(err)
			}
			if err := awaitText(conn, "got it"); err != nil {
				t.Error(err)
			}
		})
	}
}

// awaitText reads until a text has come.
func awaitText(r io.Reader, text string) error {
	var all []byte
	for buffer := make([]byte, 256); ; {
		n, err := r.Read(buffer)
		if all = append(all, buffer[:n]...); bytes.Contains(all, []byte(text)) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w after %q", err, all)
		}
	}
}

// readOutput reads an output to its end: of both streams, in the order in which Docker sent them.
func readOutput(r io.Reader, tty bool) ([]byte, error) {
	if tty {
		return io.ReadAll(r)
	}
	var all bytes.Buffer
	_, err := stdcopy.StdCopy(&all, &all, r)
	return all.Bytes(), err
}

func TestOutputAndInput(t *testing.T) {
	t.Parallel()
	for _, tty := range []bool{true, false} {
		t.Run(fmt.Sprintf("tty %v", tty), func(t *testing.T) {
			e := realEngine(t)
			b := scripted(e, `echo first; echo second >&2; read x; echo "heard $x"`)
			b.TTY, b.OpenStdin = tty, true
			id := create(t, e, b)
			conn, err := e.Attach(t.Context(), id, engine.AttachOptions{Input: true, Output: true})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			start(t, e, id)
			if _, err := io.WriteString(conn, "hello\n"); err != nil {
				t.Fatal(err)
			}
			all, err := readOutput(conn, tty)
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range []string{"first", "second", "heard hello"} {
				if !strings.Contains(string(all), line) {
					t.Errorf("no %q in %q", line, all)
				}
			}
			eventually.Poll(t, func() error { // the log is a little behind the stream
				logs, err := e.Logs(t.Context(), id, engine.LogsOptions{Tail: 2})
				if err != nil {
					return err
				}
				defer func() { _ = logs.Close() }()
				// Which one of the outputs is the last in the log is a matter of chance.
				last, err := readOutput(logs, tty)
				if text := string(last); err != nil || strings.Count(text, "\n") != 2 || !strings.Contains(text, "heard hello") {
					return fmt.Errorf("the last two lines are %q, %v", last, err)
				}
				return nil
			})
		})
	}
}

func TestCloseEndsAReadThatWaits(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	id := create(t, e, scripted(e, "exec sleep 1000"))
	start(t, e, id)
	ctx, cancel := context.WithCancel(t.Context())
	conn, err := e.Attach(ctx, id, engine.AttachOptions{Output: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	done := make(chan error)
	go func() { _, err := io.ReadAll(conn); done <- err }()
	cancel()
	if err := <-done; err == nil {
		t.Error("the read ended as if the output had")
	}
	follow, err := e.Logs(t.Context(), id, engine.LogsOptions{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, err := io.ReadAll(follow); done <- err }()
	_ = follow.Close()
	<-done
}

func TestFiguresOfAContainer(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	b := scripted(e, "while :; do :; done")
	b.Limits.Memory = 64 << 20
	id := create(t, e, b)
	start(t, e, id)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []engine.Stats
	err := e.Stats(ctx, id, func(s engine.Stats) {
		if got = append(got, s); len(got) == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || len(got) < 2 {
		t.Fatalf("%v after %+v", err, got)
	}
	if s := got[1]; s.CPUPercent <= 0 || s.CPUPercent > 250 || s.Memory == 0 || s.MemoryLimit != 64<<20 || s.PIDs != 1 {
		t.Errorf("%+v", s)
	}
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	b := scripted(e, "echo kept > /kept")
	b.User = "0"
	id := create(t, e, b)
	events, died := make(chan engine.Event, 64), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	opened := make(chan struct{})
	go func() {
		died <- e.ContainerEvents(ctx, time.Time{}, func(time.Time) { close(opened) }, func(ev engine.Event) { events <- ev })
	}()
	<-opened
	start(t, e, id)
	for ev := range events {
		if ev.Action == "die" && ev.ID == id { // others tell of theirs
			if code, ok := ev.ExitCode(); !ok || code != 0 || ev.Attributes[observed.LabelID] != e.Instance() {
				t.Errorf("%+v", ev)
			}
			break
		}
	}
	cancel()
	if err := <-died; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	var changes []engine.Change
	err := e.Changes(t.Context(), id, func(c engine.Change) bool {
		changes = append(changes, c)
		return true
	})
	if err != nil || len(changes) != 1 || changes[0] != (engine.Change{Path: "/kept", Kind: engine.Added}) {
		t.Errorf("changes %v, %v", changes, err)
	}
	ref := engine.Repository(e.Instance()) + ":Some_id.1"
	made, err := e.Commit(t.Context(), id, ref, "nobody")
	if err != nil {
		t.Fatal(err)
	}
	found, err := e.Image(t.Context(), ref)
	if err != nil || !found.Present || found.ImageID != made || found.User != "nobody" {
		t.Errorf("%+v, %v", found, err)
	}
	images, err := e.Images(t.Context())
	if err != nil || len(images) != 1 || images[0].Ref != ref || images[0].ImageID != made {
		t.Errorf("%+v, %v", images, err)
	}
	if err := e.RemoveImage(t.Context(), ref); err != nil {
		t.Error(err)
	}
	if err := e.RemoveImage(t.Context(), ref); engine.Classify(err) != engine.NotFound {
		t.Error(err)
	}
	if found, err := e.Image(t.Context(), ref); err != nil || !found.Known || found.Present {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestPullOfNothing(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	if err := e.Pull(t.Context(), "Not A Reference", func(engine.Progress) {}); engine.Classify(err) != engine.Refused {
		t.Errorf("no reference: %v", err)
	}
	if err := e.Pull(t.Context(), "127.0.0.1:1/none:latest", func(engine.Progress) {}); err == nil {
		t.Error("a registry that is not there gave an image")
	} else {
		t.Logf("no registry: %v (%v)", err, engine.Classify(err))
	}
}
