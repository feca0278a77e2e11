package main

import (
	"path/filepath"
	"testing"

	"github.com/docker/docker/api/types/filters"
)

// TestPruneOfEverything, as by `docker system prune -af` every night: a server that is stopped
// loses its container, its image and the image below. It is made again from the copy of its
// installation, and its script runs no second time.
func TestPruneOfEverything(t *testing.T) {
	t.Parallel()
	e := newOwnEngine(t, "")
	n := newNode(t, "--docker-host", "unix://"+e.socket)
	runs := map[string]string{}
	for id, power := range map[string]string{"stopped": "stopped", "runs": "running"} {
		volume, path := n.volume()
		runs[id] = filepath.Join(path, "installs")
		n.send("POST", "/containers", spec(id, volume,
			`"power":"`+power+`","start_pattern":"up","install_script":"echo ran >> installs; echo tool > /usr/tool"`)).want(201, "")
		poll(t, func() error { return copiedTo(filepath.Join(n.dir, "snapshots", "manifests"), id) })
	}
	n.until("runs", "running", running)
	before := n.until("stopped", "installed", installed)
	for range 2 { // two nights
		ctx, cancel := e.bounded()
		_, err := e.ContainersPrune(ctx, filters.Args{})
		if err == nil {
			_, err = e.ImagesPrune(ctx, filters.NewArgs(filters.Arg("dangling", "false")))
		}
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		before = n.until("stopped", "made again", func(c view) bool {
			return c.ContainerID != "" && c.ContainerID != before.ContainerID && c.reason("Synced", "True") == "Synced"
		})
	}
	n.send("POST", "/containers/stopped/start", "").want(200, "")
	for id, path := range runs {
		n.until(id, "running", running)
		if got := e.exec("lightd-"+id, "cat", "/usr/tool"); got != "tool\n" {
			t.Errorf("%s: what the script made is %q", id, got)
		}
		if got := lines(t, path); len(got) != 1 {
			t.Errorf("%s: the script ran %d times", id, len(got))
		}
	}
}
