package simengine_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/client"

	"lightd/hack/simengine"
)

// bubble runs a test in simulated time, with an engine and a client of it.
func bubble(t *testing.T, test func(t *testing.T, sim *simengine.Sim, cli *client.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sim := simengine.New(simengine.Options{Seed: 1})
		sim.AddImage(busybox, simengine.ImageConfig{Cmd: []string{"/bin/sh"}})
		cli, err := sim.Client()
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = cli.Close()
			_ = sim.Close()
		}()
		test(t, sim, cli)
	})
}

// add makes a container, or fails the test.
func add(t *testing.T, sim *simengine.Sim, name string, running bool) {
	t.Helper()
	_, err := sim.Add(name, &container.Config{Image: busybox, Labels: map[string]string{"a": "b"}}, nil, running)
	if err != nil {
		t.Fatal(err)
	}
}

// status returns the phase of a container, or "" if there is none.
func status(sim *simengine.Sim, name string) string {
	c, err := sim.Inspect(name)
	if err != nil {
		return ""
	}
	return c.State.Status
}

func start(ctx context.Context, cli *client.Client, name string) error {
	return cli.ContainerStart(ctx, name, container.StartOptions{})
}

func TestDelay(t *testing.T) {
	bubble(t, func(t *testing.T, sim *simengine.Sim, cli *client.Client) {
		add(t, sim, "a", false)
		rule := sim.Inject(simengine.Rule{Route: "/containers/{id}/start", Delay: time.Hour})
		begun := time.Now()
		if err := start(t.Context(), cli, "a"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took != time.Hour || rule.Hits() != 1 {
			t.Errorf("the start took %v, %d hits", took, rule.Hits())
		}
	})
}

func TestHang(t *testing.T) {
	bubble(t, func(t *testing.T, sim *simengine.Sim, cli *client.Client) {
		add(t, sim, "a", false)
		rule := sim.Inject(simengine.Rule{Method: http.MethodPost, Route: "/containers/{id}/start", Hang: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := start(ctx, cli, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a call that hangs: %v", err)
		}
		synctest.Wait()
		if got := status(sim, "a"); got != "created" {
			t.Errorf("a call that was given up was done: %s", got)
		}
		done := make(chan error, 1)
		go func() { done <- start(t.Context(), cli, "a") }()
		if err := rule.Await(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if _, err := cli.ContainerInspect(t.Context(), "a"); err != nil {
			t.Errorf("another call while one hangs: %v", err)
		}
		rule.Release()
		if err := <-done; err != nil || status(sim, "a") != "running" {
			t.Errorf("a call that was let go: %v, %s", err, status(sim, "a"))
		}
	})
}

func TestLoseAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, sim *simengine.Sim, cli *client.Client) {
		add(t, sim, "a", false)
		rule := simengine.LoseAnswer(http.MethodPost, "/containers/*/start")
		rule.Times = 1
		sim.Inject(rule)
		if err := start(t.Context(), cli, "a"); err == nil {
			t.Fatal("an answer that was lost came")
		}
		if got := status(sim, "a"); got != "running" {
			t.Errorf("what was asked was not done: %s", got)
		}
		if err := start(t.Context(), cli, "a"); err != nil {
			t.Errorf("after the rule has ended: %v", err)
		}
	})
}

func TestRules(t *testing.T) {
	for _, test := range []struct {
		name string
		rule simengine.Rule
		want string // of six kills of a and b in turn: x for a failure
	}{
		{"all", simengine.Rule{Status: 500}, "xxxxxx"},
		{"third", simengine.Rule{Status: 500, Skip: 2, Times: 1}, "..x..."},
		{"target", simengine.Rule{Status: 404, Target: "b"}, ".x.x.x"},
		{"method", simengine.Rule{Status: 500, Method: "GET"}, "......"},
		{"route", simengine.Rule{Status: 500, Route: "/containers/json"}, "......"},
		{"pattern", simengine.Rule{Status: 500, Route: "/containers/*/kill"}, "xxxxxx"},
		{"cut", simengine.Rule{Cut: true, Times: 2}, "xx...."},
		{"hardly ever", simengine.Rule{Status: 500, Chance: 1e-9}, "......"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, sim *simengine.Sim, cli *client.Client) {
				add(t, sim, "a", true)
				add(t, sim, "b", true)
				cli.NegotiateAPIVersion(t.Context()) // now, so that it does not count
				sim.Inject(test.rule)
				got := ""
				for i := range 6 {
					if cli.ContainerKill(t.Context(), []string{"a", "b"}[i%2], "USR1") != nil {
						got += "x"
					} else {
						got += "."
					}
				}
				if got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
			})
		})
	}
}

func TestChance(t *testing.T) {
	bubble(t, func(t *testing.T, sim *simengine.Sim, cli *client.Client) {
		add(t, sim, "a", true)
		rule := sim.Inject(simengine.Rule{Route: "/containers/*/kill", Status: 503, Chance: 0.5})
		failed := 0
		for range 200 {
			if cli.ContainerKill(t.Context(), "a", "USR1") != nil {
				failed++
			}
		}
		if failed != rule.Hits() || failed < 60 || failed > 140 {
			t.Errorf("%d of 200 failed, %d hits", failed, rule.Hits())
		}
	})
}

func TestDown(t *testing.T) {
	bubble(t, func(t *testing.T, sim *simengine.Sim, cli *client.Client) {
		add(t, sim, "a", true)
		_, errs := cli.Events(t.Context(), events.ListOptions{})
		sim.Refuse()
		if err := <-errs; err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("the end of a stream of an engine that went down: %v", err)
		}
		if _, err := cli.Ping(t.Context()); !client.IsErrConnectionFailed(err) {
			t.Errorf("down: %v", err)
		}
		sim.Silence()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := cli.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("silent: %v", err)
		}
		if err := sim.Up(); err != nil {
			t.Fatal(err)
		}
		if _, err := cli.Ping(t.Context()); err != nil {
			t.Errorf("up: %v", err)
		}
		if got := status(sim, "a"); got != "running" {
			t.Errorf("a container of an engine that was down: %s", got)
		}
	})
}

func TestRestartAndWipe(t *testing.T) {
	bubble(t, func(t *testing.T, sim *simengine.Sim, cli *client.Client) {
		add(t, sim, "a", true)
		if err := sim.Restart(true); err != nil || status(sim, "a") != "running" {
			t.Errorf("live: %v, %s", err, status(sim, "a"))
		}
		if err := sim.Restart(false); err != nil || status(sim, "a") != "exited" {
			t.Errorf("not live: %v, %s", err, status(sim, "a"))
		}
		if err := sim.Wipe(); err != nil {
			t.Fatal(err)
		}
		list, err := cli.ContainerList(t.Context(), container.ListOptions{All: true})
		if err != nil || len(list) != 0 {
			t.Errorf("after it came back empty: %v, %v", list, err)
		}
	})
}

func TestEventFaults(t *testing.T) {
	isDie := func(m simengine.Message) bool { return m.Action == "die" }
	for _, test := range []struct {
		name      string
		intercept func(simengine.Message) []simengine.Message
		want      string
	}{
		{"none", nil, "create start kill die destroy"},
		{"drop", simengine.DropEvents(isDie), "create start kill destroy"},
		{"repeat", simengine.RepeatEvents(2), "create create start start kill kill die die destroy destroy"},
		{"reorder", simengine.ReorderEvents(5), "destroy die kill start create"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, sim *simengine.Sim, cli *client.Client) {
				only := events.ListOptions{Filters: containerEvents()}
				messages, _ := cli.Events(t.Context(), only)
				if kept := test.intercept; kept != nil {
					sim.InterceptEvents(func(m simengine.Message) []simengine.Message {
						if m.Type != events.ContainerEventType {
							return nil
						}
						return kept(m)
					})
				}
				add(t, sim, "a", true)
				if err := cli.ContainerRemove(t.Context(), "a", container.RemoveOptions{Force: true}); err != nil {
					t.Fatal(err)
				}
				sim.TellEvent(simengine.Message{Type: events.ContainerEventType, Action: "last"})
				var got []string
				for m := range messages {
					if m.Action == "last" {
						break
					}
					got = append(got, string(m.Action))
				}
				if told := strings.Join(got, " "); told != test.want {
					t.Errorf("told %s, want %s", told, test.want)
				}
			})
		})
	}
}

// TestSocketGoesDown is about what only a socket shows: it is refused while the file is
// there, and taken again.
func TestSocketGoesDown(t *testing.T) {
	on := simulation(t, firstAPI)
	cli, err := client.NewClientWithOpts(client.WithHost(on.host), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cli.Close() }()
	for range 3 {
		if _, err := cli.Ping(t.Context()); err != nil {
			t.Fatalf("up: %v", err)
		}
		on.sim.Refuse()
		if _, err := os.Stat(strings.TrimPrefix(on.host, "unix://")); err != nil {
			t.Errorf("the socket while down: %v", err)
		}
		if _, err := cli.Ping(t.Context()); !client.IsErrConnectionFailed(err) {
			t.Errorf("down: %v", err)
		}
		if err := on.sim.Up(); err != nil {
			t.Fatal(err)
		}
	}
}
