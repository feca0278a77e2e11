package engine_test

import (
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/docker/docker/api/types/container"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed/engine"
)

// TestCallsThatCameTooLate: a response 500 to a call for which the container is in the wrong state is a
// Conflict, whether Docker knows that by itself, shows it, or passes on the error of containerd.
func TestCallsThatCameTooLate(t *testing.T) {
	for name, c := range map[string]struct {
		paused, update bool
		message        string
		class          engine.Class
	}{
		"paused":                         {paused: true, class: engine.None},
		"not paused":                     {class: engine.Conflict},
		"not paused, in other words":     {message: "no", class: engine.Conflict},
		"paused, as Docker believes":     {paused: true, message: "Cannot unpause container x: cannot resume a running process: unknown", class: engine.Conflict},
		"ended, as Docker not yet knows": {paused: true, message: "Cannot unpause container x: cannot resume a stopped process: unknown", class: engine.Conflict},
		"paused, and the engine fails":   {paused: true, message: "Cannot unpause container x: disk I/O error", class: engine.Other},
		"limits of what ended":           {update: true, message: "Cannot update container x: cannot update a stopped container: unknown", class: engine.Conflict},
		"limits that cannot be set":      {update: true, message: "Cannot update container x: write memory.limit_in_bytes: device busy", class: engine.Other},
	} {
		t.Run(name, func(t *testing.T) {
			sim := harness.Sim(t, simengine.Options{AnyMounts: true}, "image")
			if _, err := sim.Add("x", &container.Config{Image: "image"}, nil, true); err != nil {
				t.Fatal(err)
			}
			docker, err := sim.Client()
			if err != nil {
				t.Fatal(err)
			}
			defer docker.Close()
			if c.paused {
				if err := docker.ContainerPause(t.Context(), "x"); err != nil {
					t.Fatal(err)
				}
			}
			if c.message != "" {
				sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/unpause", Status: http.StatusInternalServerError, Message: c.message})
				sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/update", Status: http.StatusInternalServerError, Message: c.message})
			}
			e := newEngine(t, engine.Config{Host: "unix:///none", Dial: func(ctx context.Context) (net.Conn, error) { return sim.Dial(ctx, "", "") }})
			if c.update {
				_, err = e.UpdateLimits(t.Context(), "x", desired.Limits{Memory: 64 << 20})
			} else {
				err = e.Unpause(t.Context(), "x")
			}
			if engine.Classify(err) != c.class {
				t.Errorf("%s: %v; want %s", engine.Classify(err), err, c.class)
			}
		})
	}
}
