package engine_test

import (
	"context"
	"net"
	"testing"

	"github.com/docker/docker/api/types/container"

	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed/engine"
)

// TestSignalStaysInTheContainer: the shell that signals all processes runs in a container with a PID
// namespace of its own, and in no other: "kill -1" reaches all that it can see.
func TestSignalStaysInTheContainer(t *testing.T) {
	for mode, runs := range map[container.PidMode]bool{"": true, "private": true, "host": false, "container:x": false} {
		sim := harness.Sim(t, simengine.Options{AnyMounts: true}, "image")
		if _, err := sim.Add("x", &container.Config{Image: "image"}, &container.HostConfig{PidMode: mode}, true); err != nil {
			t.Fatal(err)
		}
		e := newEngine(t, engine.Config{Host: "unix:///none", Dial: func(ctx context.Context) (net.Conn, error) { return sim.Dial(ctx, "", "") }})
		// WINCH: the process goes on, so that the shell finds it.
		if err := e.Signal(t.Context(), "x", "SIGWINCH"); err != nil {
			t.Fatal(err)
		}
		killed := sim.CountCalls(simengine.Rule{Method: "POST", Route: "/containers/{id}/kill"})
		ran := sim.CountCalls(simengine.Rule{Method: "POST", Route: "/containers/{id}/exec"})
		if killed != 1 || ran > 0 != runs {
			t.Errorf("PID mode %q: %d signals, %d shells", mode, killed, ran)
		}
	}
}
