package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"testing"

	"lightd/httpapi/api"
)

// TestStatsOfContainers: the figures are those of the processes, from the files of the kernel.
func TestStatsOfContainers(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	volume, _ := n.volume()
	create := func(id, command string) {
		n.send("POST", "/containers", spec(id, volume, `"power":"running","limits":{"memory":67108864},"labels":{"of":"stats"},"startup_command":"`+command+`"`)).want(201, "")
		n.until(id, "running", running)
	}
	create("stats-busy", "echo up; dd if=/dev/urandom of=data bs=1024 count=1024; sync; while :; do :; done")
	create("stats-idle", "echo up; exec sleep 1000")
	stats := func(id string) (s api.Stats) {
		t.Helper()
		if err := json.Unmarshal([]byte(n.send("GET", "/containers/"+id+"/stats", "").want(200, "usage").text), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	poll(t, func() error {
		if s := stats("stats-busy"); s.Usage == nil || s.Usage.CPUUsage < 10 || s.Usage.MemoryUsage == 0 || s.Usage.MemoryLimit != 64<<20 || s.StartedAt.IsZero() || s.Usage.Age > 1 {
			return fmt.Errorf("busy: %+v %+v", s, s.Usage)
		}
		return nil
	})
	if s := stats("stats-idle"); s.Usage == nil || s.Usage.CPUUsage > 5 || s.State != "running" {
		t.Errorf("idle: %+v %+v", s, s.Usage)
	}
	if s := stats("stats-idle"); s.Disk != nil {
		t.Errorf("disk use before a measurement: %+v", s.Disk)
	}
	poll(t, func() error {
		if _, _, code := n.tool("volume", "list", "--measure"); code != 0 {
			return fmt.Errorf("exit code %d", code)
		}
		if s := stats("stats-idle"); s.Disk == nil || s.Disk.VolumeBytes < 1<<20 || s.Disk.MeasuredAt.IsZero() || s.Disk.Age < 0 {
			return fmt.Errorf("disk use %+v", s.Disk)
		}
		return nil
	})
	out, _, code := n.tool("top", "--no-stream", "-l", "of=stats")
	if code != 0 || !regexp.MustCompile(`(?s)^ID +STATE +CPU % .*\nstats-busy +running +[0-9.]+ +.* / 64MiB .* 1MiB \([0-9]+[sm]\) .*\nstats-idle +running +0\.`).MatchString(out) {
		t.Errorf("exit code %d: %s", code, out)
	}
	n.send("POST", "/containers/stats-idle/kill", "").want(200, "")
	n.until("stats-idle", "offline", func(v view) bool { return v.State == "offline" })
	if s := stats("stats-idle"); s.Usage != nil || !s.StartedAt.IsZero() || s.Uptime != 0 {
		t.Errorf("offline: %+v", s)
	}
	var node api.Node
	if err := json.Unmarshal([]byte(n.send("GET", "/node", "").want(200, "").text), &node); err != nil {
		t.Fatal(err)
	}
	if !node.Engine.Up || node.Engine.Storage == "" || node.Containers != 2 || node.States["running"] != 1 || node.Memory.Promised != 128<<20 ||
		node.Cores.Unlimited != 2 || node.Memory.Used <= 0 || node.LoadAverage <= 0 || node.Cores.Used != 0 || node.Memory.Used >= node.Memory.Total || len(node.Disks) != 2 || node.Kernel == "" {
		t.Errorf("node %+v", node)
	}
}
