package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestEngineWithoutBridge publishes the ports of containers: they are on a network of Lightd's.
func TestEngineWithoutBridge(t *testing.T) {
	t.Parallel()
	e := newOwnEngine(t, `{"bridge": "none"}`)
	n := newNode(t, "--docker-host", "unix://"+e.socket)
	volume, _ := n.volume()
	n.send("POST", "/network/ports", `{"ip":"0.0.0.0","port":19100}`).want(201, "")
	n.send("POST", "/containers", spec("unbridged", volume, `"power":"running","startup_command":"exec sleep 100000",
		"ports":[{"port":19100}]`)).want(201, "")
	got := n.until("unbridged", "running", running)
	if fmt.Sprint(got.Conditions) == "" || strings.Contains(fmt.Sprint(got.Conditions), "PortNotPublished") {
		t.Errorf("got %+v", got)
	}
	n.send("POST", "/containers/unbridged/stop", "").want(200, "")
	n.until("unbridged", "offline", offline)
	n.delete("unbridged")
}

// TestManyPublishedPorts: an engine that takes its time for the ports of a container is waited for, at the
// start, at the kill and at the removal.
func TestManyPublishedPorts(t *testing.T) {
	t.Parallel()
	e := newOwnEngine(t, `{"userland-proxy": false}`)
	n := newNode(t, "--docker-host", "unix://"+e.socket)
	volume, _ := n.volume()
	n.send("POST", "/network/ports", `{"ip":"127.0.0.1","ports":"20000-20099"}`).want(201, "")
	var ports []string
	for port := 20000; port < 20100; port++ {
		ports = append(ports, fmt.Sprintf(`{"ip":"127.0.0.1","port":%d}`, port))
	}
	n.send("POST", "/containers", spec("wide", volume, `"ports":[`+strings.Join(ports, ",")+`]`)).want(201, `"warnings"`)
	n.patiently("/containers/wide/start?wait=running&timeout=30s")
	n.patiently("/containers/wide/kill?wait=stopped&timeout=30s")
	for _, event := range n.events("wide") {
		if strings.Contains(event, "StepFailed") || strings.Contains(event, "Blocked") {
			t.Errorf("event %s", event)
		}
	}
	n.delete("wide")
}

// patiently repeats a write that waits until what it waits for has come, for some minutes.
func (n *node) patiently(target string) {
	n.t.Helper()
	var last answer
	for range 12 {
		if last = n.send("POST", target, ""); last.status == 200 {
			return
		}
		last.want(202, `"reason":"Timeout"`)
	}
	n.t.Fatalf("%s: %s", target, last.text)
}
