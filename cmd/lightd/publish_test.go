package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestEngineWithoutBridge publishes nothing of a container with a port, and says so of none.
func TestEngineWithoutBridge(t *testing.T) {
	t.Parallel()
	e := newOwnEngine(t, `{"bridge": "none"}`)
	n := newNode(t, "--docker-host", "unix://"+e.socket)
	volume, _ := n.volume()
	n.send("POST", "/network/ports", `{"ip":"0.0.0.0","port":19100}`).want(201, "")
	n.send("POST", "/containers", spec("unbridged", volume, `"power":"running","startup_command":"exec sleep 100000",
		"ports":[{"port":19100}]`)).want(201, "")
	got := n.until("unbridged", "reported", because("PortNotPublished"))
	if got.ObservedGeneration != got.Generation || !strings.Contains(fmt.Sprint(got.Conditions), ":19100/tcp") {
		t.Errorf("got %+v", got)
	}
	n.send("POST", "/containers/unbridged/stop", "").want(200, "")
	n.until("unbridged", "offline", offline)
	n.delete("unbridged")
}
