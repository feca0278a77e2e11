package simengine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"lightd/hack/eventually"
	"lightd/hack/simengine"
)

func containerEvents() filters.Args { return filters.NewArgs(filters.Arg("type", "container")) }

func TestForgetAndRestart(t *testing.T) {
	bubble(t, func(t *testing.T, sim *simengine.Sim, cli *client.Client) {
		add(t, sim, "a", true)
		before, err := sim.Inspect("a")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := sim.RestartContainer("a"); err != nil {
			t.Fatal(err)
		}
		after, err := sim.Inspect("a")
		if err != nil || after.State.StartedAt == before.State.StartedAt || after.ID != before.ID {
			t.Errorf("restarted: %v, started at %s and then at %s", err, before.State.StartedAt, after.State.StartedAt)
		}
		if err := sim.Forget("a"); err != nil {
			t.Fatal(err)
		}
		if _, err := cli.ContainerInspect(t.Context(), "a"); !cerrdefs.IsNotFound(err) {
			t.Errorf("forgotten: %v", err)
		}
	})
}

func TestSlowRemoval(t *testing.T) {
	bubble(t, func(t *testing.T, sim *simengine.Sim, cli *client.Client) {
		add(t, sim, "app", true)
		sim.SetRemovalTime(time.Minute)
		done := make(chan error, 1)
		go func() { done <- cli.ContainerRemove(t.Context(), "app", container.RemoveOptions{Force: true}) }()
		synctest.Wait()
		err := cli.ContainerRemove(t.Context(), "app", container.RemoveOptions{Force: true})
		if !cerrdefs.IsConflict(err) || !strings.Contains(err.Error(), "already in progress") {
			t.Errorf("a second removal: %v", err)
		}
		if got := status(sim, "app"); got != "removing" {
			t.Errorf("while it is removed it is %s", got)
		}
		_, err = cli.ContainerCreate(t.Context(), &container.Config{Image: busybox}, nil, nil, nil, "app")
		if !cerrdefs.IsConflict(err) {
			t.Errorf("the name meanwhile: %v", err)
		}
		if err := <-done; err != nil || status(sim, "app") != "" {
			t.Errorf("the first removal: %v, and then %q", err, status(sim, "app"))
		}
	})
}

func TestOccupiedPort(t *testing.T) {
	bubble(t, func(t *testing.T, sim *simengine.Sim, cli *client.Client) {
		host := published("0.0.0.0", "80")
		if _, err := sim.Add("a", &container.Config{Image: busybox}, &host, false); err != nil {
			t.Fatal(err)
		}
		sim.OccupyPort(80, "tcp")
		err := start(t.Context(), cli, "a")
		if !cerrdefs.IsInternal(err) || !strings.Contains(err.Error(), "address already in use") || status(sim, "a") != "created" {
			t.Errorf("a port of another process: %v, %s", err, status(sim, "a"))
		}
		sim.FreePort(80, "tcp")
		if err := start(t.Context(), cli, "a"); err != nil {
			t.Errorf("a port that is free again: %v", err)
		}
	})
}

// pull pulls an image and returns the stream, and the error with which it broke off.
func pull(ctx context.Context, cli *client.Client, ref string) (string, error) {
	body, err := cli.ImagePull(ctx, ref, image.PullOptions{})
	if err != nil {
		return "", err
	}
	defer func() { _ = body.Close() }()
	text, err := io.ReadAll(body)
	return string(text), err
}

func TestPull(t *testing.T) {
	bubble(t, func(t *testing.T, sim *simengine.Sim, cli *client.Client) {
		const ref = "example.com/app:1"
		if _, err := pull(t.Context(), cli, "nobody/has-it"); !cerrdefs.IsNotFound(err) {
			t.Errorf("what the registry does not have: %v", err)
		}
		sim.Publish(ref, simengine.Remote{Layers: []int64{100, 200}, Pace: time.Minute, Config: simengine.ImageConfig{User: "7"}})
		begun := time.Now()
		text, err := pull(t.Context(), cli, ref)
		if err != nil || !strings.Contains(text, `"current":200,"total":200`) || !strings.Contains(text, "Downloaded newer image") {
			t.Errorf("pull: %v, %s", err, text)
		}
		if took := time.Since(begun); took != 2*time.Minute {
			t.Errorf("the pull took %v", took)
		}
		first, err := cli.ImageInspect(t.Context(), ref)
		if err != nil || first.Config.User != "7" {
			t.Errorf("pulled: %v, %v", err, first.Config)
		}
		if text, err = pull(t.Context(), cli, ref); err != nil || !strings.Contains(text, "up to date") {
			t.Errorf("again: %v, %s", err, text)
		}
		sim.Publish(ref, simengine.Remote{Version: "2"})
		if _, err = pull(t.Context(), cli, ref); err != nil {
			t.Fatal(err)
		}
		if second, err := cli.ImageInspect(t.Context(), ref); err != nil || second.ID == first.ID {
			t.Errorf("a tag that moved: %v, %s", err, second.ID)
		}
	})
}

func TestPullFails(t *testing.T) {
	bubble(t, func(t *testing.T, sim *simengine.Sim, cli *client.Client) {
		sim.Publish("broken", simengine.Remote{Layers: []int64{1, 1}, FailAfter: 1, Failure: "unexpected EOF"})
		if text, err := pull(t.Context(), cli, "broken"); err != nil || !strings.Contains(text, `"error":"unexpected EOF"`) {
			t.Errorf("a failure inside the stream: %v, %s", err, text)
		}
		sim.Publish("stalls", simengine.Remote{Layers: []int64{1, 1}, StallAfter: 1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := pull(ctx, cli, "stalls"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a pull that stalls: %v", err)
		}
		for _, ref := range []string{"broken", "stalls"} {
			if _, err := cli.ImageInspect(t.Context(), ref); !cerrdefs.IsNotFound(err) {
				t.Errorf("%s is there: %v", ref, err)
			}
		}
	})
}

func TestDiskFull(t *testing.T) {
	bubble(t, func(t *testing.T, sim *simengine.Sim, cli *client.Client) {
		add(t, sim, "a", false)
		sim.Publish("app", simengine.Remote{})
		sim.SetDiskFull(true)
		_, create := cli.ContainerCreate(t.Context(), &container.Config{Image: busybox}, nil, nil, nil, "app")
		_, commit := cli.ContainerCommit(t.Context(), "a", container.CommitOptions{Reference: "x:y"})
		for what, err := range map[string]error{"create": create, "commit": commit, "start": start(t.Context(), cli, "a")} {
			if !cerrdefs.IsInternal(err) || !strings.Contains(fmt.Sprint(err), "no space left") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if text, err := pull(t.Context(), cli, "app"); err != nil || !strings.Contains(text, "no space left") {
			t.Errorf("pull: %v, %s", err, text)
		}
		sim.SetDiskFull(false)
		if err := start(t.Context(), cli, "a"); err != nil {
			t.Errorf("start, with space again: %v", err)
		}
	})
}

// TestSlowReaderHoldsTheProgram: a client that is attached and does not read stops the
// program in the end, and lets it go on by closing.
func TestSlowReaderHoldsTheProgram(t *testing.T) {
	bubble(t, func(t *testing.T, sim *simengine.Sim, cli *client.Client) {
		sim.OnImage(busybox, func(_ context.Context, p *simengine.Process) {
			for range 1000 {
				_, _ = io.WriteString(p.Stdout(), "line\n")
			}
		})
		add(t, sim, "a", false)
		conn, err := cli.ContainerAttach(t.Context(), "a", container.AttachOptions{Stream: true, Stdout: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := start(t.Context(), cli, "a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := status(sim, "a"); got != "running" {
			t.Errorf("with a reader that does not read the program is %s", got)
		}
		conn.Close()
		synctest.Wait()
		if got := status(sim, "a"); got != "exited" {
			t.Errorf("with the reader gone the program is %s", got)
		}
		if n := sim.OpenStreams(""); n != 0 {
			t.Errorf("%d streams are open", n)
		}
	})
}

func TestCutStreams(t *testing.T) {
	bubble(t, func(t *testing.T, sim *simengine.Sim, cli *client.Client) {
		add(t, sim, "a", true)
		add(t, sim, "b", true)
		attach := func(name string) io.Reader {
			conn, err := cli.ContainerAttach(t.Context(), name, container.AttachOptions{Stream: true, Stdout: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(conn.Close)
			return conn.Reader
		}
		a, b := attach("a"), attach("b")
		messages, errs := cli.Events(t.Context(), events.ListOptions{Filters: containerEvents()})
		if n := sim.CutStreamsOf("a"); n != 1 {
			t.Errorf("%d streams were cut", n)
		}
		if text, err := io.ReadAll(a); len(text) > 0 || err != nil {
			t.Errorf("the stream that was cut: %q, %v", text, err)
		}
		if got := status(sim, "a"); got != "running" {
			t.Errorf("a container whose stream was cut is %s", got)
		}
		if err := sim.Print("b", "on\n"); err != nil {
			t.Fatal(err)
		}
		frame := make([]byte, 8+3)
		if _, err := io.ReadFull(b, frame); err != nil || string(frame[8:]) != "on\n" {
			t.Errorf("the other stream: %q, %v", frame, err)
		}
		if n := sim.CutStreams("/events"); n != 1 {
			t.Errorf("%d event streams were cut", n)
		}
		select {
		case err := <-errs:
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("an event stream that was cut: %v", err)
			}
		case m := <-messages:
			t.Errorf("an event: %v", m)
		}
	})
}

func TestRecorder(t *testing.T) {
	bubble(t, func(t *testing.T, sim *simengine.Sim, cli *client.Client) {
		add(t, sim, "a", true)
		if _, err := cli.ContainerInspect(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		sim.ResetCalls()
		for range 3 {
			if _, err := cli.ContainerInspect(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := cli.ImageInspect(t.Context(), busybox); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := sim.CountCalls(simengine.Rule{Route: "/containers/{id}/json", Target: "a"}); n != 3 {
			t.Errorf("%d inspections", n)
		}
		calls := sim.Calls()
		last := calls[len(calls)-1]
		if len(calls) != 4 || last.Method != "GET" || last.Route != "/images/{name}/json" || last.Target != busybox || last.Done.IsZero() {
			t.Errorf("calls: %+v", calls)
		}
	})
}

func TestReplacedEngineHasAnotherVersion(t *testing.T) {
	bubble(t, func(t *testing.T, sim *simengine.Sim, cli *client.Client) {
		if _, err := cli.Info(t.Context()); err != nil || cli.ClientVersion() != "1.41" {
			t.Errorf("%v, version %s", err, cli.ClientVersion())
		}
		sim.SetAPIVersion("1.40")
		if _, err := cli.Info(t.Context()); !cerrdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "too new") {
			t.Errorf("a version that is too new: %v", err)
		}
	})
}

// TestTenThousand holds what benchmarks hold, and bounds the time of what they do often.
func TestTenThousand(t *testing.T) {
	sim := simengine.New(simengine.Options{})
	defer func() { _ = sim.Close() }()
	sim.AddImage(busybox, simengine.ImageConfig{})
	const many = 10_000
	for i := range many {
		add(t, sim, fmt.Sprintf("c%d", i), i%2 == 0)
	}
	cli, err := sim.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cli.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 5*eventually.Bound)
	defer cancel()
	begun := time.Now()
	list, err := cli.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", "a=b"))})
	if err != nil || len(list) != many {
		t.Fatalf("list: %d, %v", len(list), err)
	}
	t.Logf("a list took %v", time.Since(begun))
	begun = time.Now()
	const some = 500
	for i := range some {
		if _, err := cli.ContainerInspect(ctx, fmt.Sprintf("c%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("an inspection took %v", time.Since(begun)/some)
}
