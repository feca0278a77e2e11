package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// settingsFile writes a configuration file and returns its path.
func settingsFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lightd.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// logsOnDisk is what the engine keeps of a container's output, in bytes.
func (d *docker) logsOnDisk(name string) (total int64) {
	d.t.Helper()
	files, err := filepath.Glob(d.inspect(name).LogPath + "*")
	if err != nil || len(files) == 0 {
		d.t.Fatalf("no log of %s: %v", name, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if os.IsNotExist(err) {
			continue // rotated this very moment
		}
		if err != nil {
			d.t.Fatal(err)
		}
		total += info.Size()
	}
	return total
}

func (d *docker) wantLogs(name, size, files string) {
	d.t.Helper()
	kept := d.inspect(name).HostConfig.LogConfig
	if kept.Type != "json-file" || kept.Config["max-size"] != size || kept.Config["max-file"] != files {
		d.t.Errorf("the output of %s is kept as %+v", name, kept)
	}
}

// TestLogsAreBounded floods the log of a container whose engine keeps no logs unless told:
// little of it stays on the disk, the last lines can be read, and the output goes on. Other
// limits leave the container as it is until it is made anew for another reason.
func TestLogsAreBounded(t *testing.T) {
	t.Parallel()
	e := newOwnEngine(t, `{"log-driver": "none"}`)
	bounds := func(size string, files int) string {
		return settingsFile(t, fmt.Sprintf("docker_host: unix://%s\nlogs:\n  max_size: %s\n  max_file: %d\n", e.socket, size, files))
	}
	n := newNode(t, "--config", bounds("200k", 2))
	volume, _ := n.volume()
	id := "e2e-flood"
	n.send("POST", "/containers", spec(id, volume, `"power":"running","start_pattern":"^ready$","install_script":"echo installing; sleep 2",
		"startup_command":"seq 1000001 1100000; echo ready; while read line; do echo \"heard $line\"; done"`)).want(201, "")
	eventually(t, func() error {
		if e.absent("lightd_install-" + id) {
			return fmt.Errorf("no install container")
		}
		return nil
	})
	e.wantLogs("lightd_install-"+id, "200k", "2")
	before := n.until(id, "running", running)
	e.wantLogs("lightd-"+id, "200k", "2")
	// A file may end with the line that filled it.
	const most = 2*200_000 + 2*16<<10
	if got := e.logsOnDisk("lightd-" + id); got > most || got < 200_000 {
		t.Errorf("%d bytes of the flood are on the disk, want at most %d", got, most)
	}
	ws := n.record("/ws/" + id)
	ws.say(`{"event":"request_logs","lines":3}`)
	ws.await("the last lines", func(m message) bool {
		return m.Event == "logs" && m.Data == "1099999\r\n1100000\r\nready\r\n"
	})
	ws.say(`{"event":"send_command","command":"me\n"}`)
	ws.await("an answer", func(m message) bool { return m.Event == "console" && strings.Contains(m.Data, "heard me") })

	n.terminate()
	ws.closed(websocket.StatusGoingAway, "daemon is stopping")
	n.start("--config", bounds("300k", 3))
	n.until(id, "as it was", func(c view) bool { return running(c) && c.ContainerID == before.ContainerID })
	e.wantLogs("lightd-"+id, "200k", "2")
	n.send("PATCH", "/containers/"+id, `{"env":{"A":"B"}}`).want(200, "")
	n.until(id, "made anew", func(c view) bool { return running(c) && c.ContainerID != before.ContainerID })
	e.wantLogs("lightd-"+id, "300k", "3")
	if got := e.logsOnDisk("lightd-" + id); got > 3*300_000+3*16<<10 || got < most {
		t.Errorf("%d bytes of the second flood are on the disk", got)
	}
}
