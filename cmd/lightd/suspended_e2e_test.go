package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"lightd/hack/harness"
)

// TestSuspendedOnARealEngine: a suspended server is stopped and stays so, whoever starts it, goes through a
// reinstall, and runs again in the same power once the suspension is lifted.
func TestSuspendedOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	d := newDocker(t)
	volume, path := n.volume()
	const id = "e2e-suspended"
	n.send("POST", "/containers?wait=running", spec(id, volume, `"power":"running","start_pattern":"up"`)).want(201, `"met":true`)
	made := d.inspect("lightd-" + id).ID

	n.send("PATCH", "/containers/"+id+"?wait=stopped", `{"suspended":true}`).want(200, `"met":true`)
	n.send("POST", "/containers/"+id+"/start", "").want(409, `{"error":"Container is suspended","code":"suspended"}`)
	n.send("POST", "/containers/"+id+"/restart", "").want(409, "Container is suspended")
	ws := n.record("/ws/" + id)
	ws.say(`{"event":"power","action":"start"}`)
	ws.await("a refusal", func(m message) bool { return strings.Contains(m.Message+m.Data, "Container is suspended") })
	if c := n.get(id); c.State != "offline" || c.Power != "running" {
		t.Errorf("got state %s, power %s", c.State, c.Power)
	}
	n.send("GET", "/containers/"+id, "").want(200, `"type":"Running","status":"False","reason":"Suspended"`).want(200, `"suspended":true`)

	ctx, cancel := d.bounded()
	defer cancel()
	if err := d.ContainerStart(ctx, "lightd-"+id, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	n.until(id, "stopped again", func(c view) bool {
		return c.State == "offline" && strings.Count(strings.Join(n.events(id), " "), "Exited") == 2
	})

	n.send("PATCH", "/containers/"+id+"?wait=synced", `{"suspended":false}`).want(200, `"met":true`)
	n.until(id, "running again", running)
	if now := d.inspect("lightd-" + id).ID; now != made {
		t.Errorf("container %s took the place of %s", now, made)
	}
	n.send("PATCH", "/containers/"+id+"?wait=stopped", `{"suspended":true}`).want(200, `"met":true`)
	n.send("POST", "/containers/"+id+"/reinstall?wait=synced", `{"install_script":"echo installed > /home/container/installed"}`).want(200, `"met":true`)
	if got := string(harness.Value[[]byte](t)(os.ReadFile(filepath.Join(path, "installed")))); got != "installed\n" {
		t.Errorf("the script left %q", got)
	}
	if c := n.get(id); c.State != "offline" || c.InstallState != "ready" {
		t.Errorf("after a reinstall: %s, %s", c.State, c.InstallState)
	}
	n.send("PATCH", "/containers/"+id+"?wait=running", `{"suspended":false}`).want(200, `"met":true`)
}
