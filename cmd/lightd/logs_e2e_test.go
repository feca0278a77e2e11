package main

import (
	"bufio"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"lightd/hack/harness"
	"lightd/httpapi/api"
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

// untilLogged waits until the last lines of the log are those: it is a little behind the
// stream in which a start pattern is seen.
func (n *node) untilLogged(id, last string) {
	n.t.Helper()
	path := fmt.Sprintf("/containers/%s/logs?tail=%d", id, strings.Count(last, "\n"))
	poll(n.t, func() error {
		if a := n.send("GET", path, "").want(200, ""); a.text != last {
			return fmt.Errorf("the last lines are %q, want %q", a.text, last)
		}
		return nil
	})
}

// TestLogsAreBounded floods the log of a container whose engine keeps no logs unless told:
// little of it stays on the disk, the last lines can be read, and the output goes on. Other
// limits leave the container as it is until it is made anew for another reason.
func TestLogsAreBounded(t *testing.T) {
	t.Parallel()
	e := newOwnEngine(t, `{"log-driver": "none"}`)
	bounds := func(size string, files int) string {
		return settingsFile(t, fmt.Sprintf("logs:\n  max_size: %s\n  max_file: %d\n", size, files))
	}
	n := newNode(t, "--docker-host", "unix://"+e.socket, "--config", bounds("200k", 2))
	volume, _ := n.volume()
	id := "e2e-flood"
	n.send("POST", "/containers", spec(id, volume, `"power":"running","start_pattern":"^ready$","install_script":"echo installing; sleep 2",
		"startup_command":"seq 1000001 1100000; echo ready; while read line; do echo \"heard $line\"; done"`)).want(201, "")
	poll(t, func() error {
		if e.absent("lightd_install-" + id) {
			return fmt.Errorf("no install container")
		}
		return nil
	})
	e.wantLogs("lightd_install-"+id, "200k", "2")
	before := n.until(id, "running", running)
	e.wantLogs("lightd-"+id, "200k", "2")
	const last = "1099999\r\n1100000\r\nready\r\n"
	n.untilLogged(id, last)
	// A file may end with the line that filled it.
	const most = 2*200_000 + 2*16<<10
	if got := e.logsOnDisk("lightd-" + id); got > most || got < 200_000 {
		t.Errorf("%d bytes of the flood are on the disk, want at most %d", got, most)
	}
	ws := n.record("/ws/" + id)
	ws.say(`{"event":"request_logs","lines":3}`)
	ws.await("the last lines", func(m message) bool { return m.Event == "logs" && m.Data == last })
	ws.say(`{"event":"send_command","command":"me\n"}`)
	ws.await("an answer", func(m message) bool { return m.Event == "console" && strings.Contains(m.Data, "heard me") })

	n.terminate()
	ws.closed(websocket.StatusGoingAway, "daemon is stopping")
	n.start("--docker-host", "unix://"+e.socket, "--config", bounds("300k", 3))
	n.until(id, "as it was", func(c view) bool { return running(c) && c.ContainerID == before.ContainerID })
	e.wantLogs("lightd-"+id, "200k", "2")
	// The daemon answers from what it has on disk before it has looked at the engine.
	poll(t, func() error {
		if a := n.send("GET", "/containers/"+id+"/drift", ""); strings.Contains(a.text, `"known":false`) {
			return fmt.Errorf("drift is not known yet: %s", a.text)
		}
		return nil
	})
	for _, want := range []string{`"path":"log.max_size","desired":"300k","observed":"200k"`, `"path":"log.max_file"`, `"kind":"deferred"`} {
		n.send("GET", "/containers/"+id+"/drift", "").want(200, want)
	}
	n.send("PATCH", "/containers/"+id, `{"env":{"A":"B"}}`).want(200, "")
	n.until(id, "made anew", func(c view) bool { return running(c) && c.ContainerID != before.ContainerID })
	e.wantLogs("lightd-"+id, "300k", "3")
	n.send("GET", "/containers/"+id+"/drift", "").want(200, `"in_sync":true`)
	n.untilLogged(id, last)
	if got := e.logsOnDisk("lightd-" + id); got > 3*300_000+3*16<<10 || got < most {
		t.Errorf("%d bytes of the second flood are on the disk", got)
	}
}

// TestLogsRoute reads without a WebSocket: the last lines, each line once by asking again and
// again, and what is printed next.
func TestLogsRoute(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	volume, _ := n.volume()
	id := "e2e-logs"
	path := "/containers/" + id + "/logs"
	n.send("POST", "/containers", spec(id, volume, `"power":"running","tty":false,"start_pattern":"^ready$",
		"startup_command":"seq 1 10000; echo ready; while read line; do echo \"heard $line\"; done"`)).want(201, "")
	n.until(id, "running", running)
	// The engine's log may be behind what the daemon has matched.
	if a := n.send("GET", path+"?tail=3", ""); a.text != "9999\n10000\nready\n" {
		t.Errorf("the last three lines are %q", a.text)
	}
	a := n.send("GET", path+"?tail=5000", "")
	if got := strings.Count(a.text, "\n"); got != 5000 || !strings.HasPrefix(a.text, "5002\n") {
		t.Errorf("the last 5,000 lines are %d, from %.20q", got, a.text)
	}
	ws := n.record("/ws/" + id)
	for _, word := range []string{"one", "two"} {
		ws.say(fmt.Sprintf(`{"event":"send_command","command":"%s\n"}`, word))
		ws.await("an answer", func(m message) bool { return m.Event == "console" && strings.Contains(m.Data, "heard "+word) })
		a = n.send("GET", path+"?since="+url.QueryEscape(a.trailer.Get(api.TrailerPosition)), "")
		if want := "heard " + word + "\n"; a.text != want {
			t.Fatalf("after the last position comes %q, want %q", a.text, want)
		}
	}

	r := harness.Value[*http.Request](t)(http.NewRequest("GET", n.url+path+"?tail=1&follow=true", http.NoBody))
	r.Header.Set("Authorization", "Bearer "+n.token)
	response := harness.Value[*http.Response](t)(web.Do(r))
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewReader(response.Body)
	next := func() string { return harness.Value[string](t)(lines.ReadString('\n')) }
	if got := next(); got != "heard two\n" {
		t.Errorf("it begins with %q", got)
	}
	ws.say(`{"event":"send_command","command":"three\n"}`)
	if got := next(); got != "heard three\n" {
		t.Errorf("it goes on with %q", got)
	}
	n.delete(id)
	if rest, err := lines.ReadString('\n'); rest != "" || err == nil || response.Trailer.Get(api.TrailerEnd) != "container deleted" {
		t.Errorf("it ends with %q, %v, %v", rest, err, response.Trailer)
	}
	ws.closed(websocket.StatusNormalClosure, "container deleted")
}
