package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"

	"lightd/hack/simengine"
	"lightd/observed"
)

// TestNoActAfterATakeOver that no event has reported: the daemon that was taken over reads the mark
// before each act, ends and has done nothing.
func TestNoActAfterATakeOver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ power, method, path, body string }{
		"start":  {"stopped", "POST", "/containers/web/start", ""},
		"stop":   {"running", "POST", "/containers/web/stop", ""},
		"kill":   {"running", "POST", "/containers/web/kill", ""},
		"limits": {"running", "PATCH", "/containers/web", `{"limits":{"memory":67108864}}`},
		"create": {"running", "PATCH", "/containers/web", `{"env":{"A":"b"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, n := onSim(t)
			v, _ := n.volume()
			n.send("PUT", "/containers/web?wait=synced", spec("web", v, `"limits":{"memory":33554432},"power":"`+c.power+`"`)).want(201, `"met":true`)
			replaceMark(t, sim)
			before := len(sim.Calls())
			n.send(c.method, c.path, c.body).want(200, "")
			n.awaitExit()
			if code := n.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(n.log.String(), "was taken over") {
				t.Errorf("it ended with %d:\n%s", code, n.log)
			}
			for _, call := range sim.Calls()[before:] {
				if !slices.Contains([]string{"GET", "HEAD"}, call.Method) && !strings.HasSuffix(call.Route, "/attach") {
					t.Errorf("it called %s %s", call.Method, call.Route)
				}
			}
		})
	}
}

// replaceMark puts the mark of another daemon in the place of the one that is there.
func replaceMark(t *testing.T, sim *simengine.Sim) {
	t.Helper()
	docker, err := sim.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer docker.Close()
	found, err := docker.VolumeList(t.Context(), volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", observed.LabelOwner))})
	if err != nil || len(found.Volumes) != 1 {
		t.Fatalf("marks %+v, %v", found.Volumes, err)
	}
	mark := found.Volumes[0]
	if err := docker.VolumeRemove(t.Context(), mark.Name, false); err != nil {
		t.Fatal(err)
	}
	mark.Labels[observed.LabelOwnerEpoch] = "another"
	if _, err := docker.VolumeCreate(t.Context(), volume.CreateOptions{Name: mark.Name, Driver: "local", Labels: mark.Labels}); err != nil {
		t.Fatal(err)
	}
}
