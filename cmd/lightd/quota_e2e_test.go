package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestQuotaOnARealEngine: a server whose volume takes more than its quota is stopped, stays so whoever starts it, goes
// on by itself with a greater quota, and is told of alone where its spec says so.
func TestQuotaOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	volume, path := n.volume()
	const id = "e2e-quota"
	quota := func(bytes string) {
		t.Helper()
		n.send("PUT", "/volumes/"+volume, `{"quota_bytes":`+bytes+`}`).want(200, `"quota_bytes":`)
	}
	condition := func(what, want string) {
		t.Helper()
		n.until(id, what, func(view) bool { return strings.Contains(n.send("GET", "/containers/"+id, "").text, want) })
	}
	n.send("POST", "/containers?wait=running", spec(id, volume, `"power":"running","start_pattern":"up","quota_exceeded":"stop",
		"startup_command":"echo up; dd if=/dev/zero of=/home/container/world bs=1M count=4 && echo written; exec sleep 1000"`)).want(201, `"met":true`)
	n.until(id, "its file", func(view) bool {
		info, err := os.Stat(filepath.Join(path, "world"))
		return err == nil && info.Size() == 4<<20
	})
	quota("104857600")
	condition("within the quota", `"type":"QuotaExceeded","status":"False","reason":"WithinQuota"`)
	quota("2097152")
	n.until(id, "stopped", func(c view) bool { return c.State == "offline" })
	n.send("GET", "/containers/"+id, "").want(200, `"type":"QuotaExceeded","status":"True","reason":"OverQuota"`).want(200, `"type":"Running","status":"False","reason":"OverQuota"`)
	n.send("POST", "/containers/"+id+"/start?wait=running&timeout=1s", "").want(202, "OverQuota")
	if c := n.get(id); c.State != "offline" || c.Power != "running" {
		t.Errorf("state %s, power %s", c.State, c.Power)
	}
	n.send("GET", "/containers/"+id+"/plan", "").want(200, `"plan":[]`)
	n.send("GET", "/containers/"+id+"/drift", "").want(200, `"in_sync":true`)

	quota("209715200")
	n.until(id, "running by itself", running)
	n.send("PATCH", "/containers/"+id+"?wait=synced", `{"quota_exceeded":"tell"}`).want(200, `"met":true`)
	quota("1048576")
	condition("told alone", `"reason":"OverQuota"`)
	if c := n.get(id); c.State != "running" {
		t.Errorf("state %s", c.State)
	}
	quota("0")
	n.until(id, "no quota", func(view) bool {
		return !strings.Contains(n.send("GET", "/containers/"+id, "").text, "QuotaExceeded\",")
	})
	events := strings.Join(n.events(id), " ")
	if over, below := strings.Count(events, "QuotaExceeded"), strings.Count(events, "QuotaRecovered"); over != 2 || below != 2 {
		t.Errorf("%d and %d events: %s", over, below, events)
	}
}
