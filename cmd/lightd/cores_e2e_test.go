package main

import (
	"fmt"
	"runtime"
	"testing"
)

// TestMoreCoresThanTheMachineHas: the container gets all of them, made with them and changed to them in
// place, and is in sync.
func TestMoreCoresThanTheMachineHas(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	d := newDocker(t)
	volume, _ := n.volume()
	const id = "e2e-cores"
	all := int64(runtime.NumCPU()) * 1e9
	n.send("POST", "/containers?wait=running", spec(id, volume, fmt.Sprintf(`"power":"running","start_pattern":"up","limits":{"cpu":%d}`, runtime.NumCPU()+62))).
		want(201, `"met":true`).want(201, `"warnings":[{"field":"limits.cpu"`)
	made := d.inspect("lightd-" + id)
	if made.HostConfig.NanoCPUs != all {
		t.Errorf("made with %d, want %d", made.HostConfig.NanoCPUs, all)
	}
	n.send("GET", "/containers/"+id+"/drift", "").want(200, `"in_sync":true`)
	n.send("PATCH", "/containers/"+id+"?wait=synced", `{"limits":{"cpu":0.5}}`).want(200, `"met":true`)
	n.send("PATCH", "/containers/"+id+"?wait=synced", `{"limits":{"cpu":1000}}`).want(200, `"met":true`).want(200, "the container gets these")
	if now := d.inspect("lightd-" + id); now.HostConfig.NanoCPUs != all || now.ID != made.ID {
		t.Errorf("container %s has %d, want %s with %d", now.ID, now.HostConfig.NanoCPUs, made.ID, all)
	}
	n.send("GET", "/containers/"+id+"/drift", "").want(200, `"in_sync":true`)
	n.send("GET", "/containers/"+id, "").want(200, `"cpu":1000`)
}
