package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"

	"lightd/cmd/lightd/check"
)

// configure writes the daemon's file.
func (n *node) configure(text string) {
	n.t.Helper()
	if err := os.WriteFile(filepath.Join(n.dir, "lightd.yaml"), []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// hangUp sends SIGHUP and waits for a line of the log that it brings.
func (n *node) hangUp(line string) {
	n.t.Helper()
	before := len(n.log.String())
	if err := n.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		n.t.Fatal(err)
	}
	match := regexp.MustCompile(line)
	poll(n.t, func() error {
		if text := n.log.String()[before:]; !match.MatchString(text) {
			return fmt.Errorf("%q is not in %q", line, text)
		}
		return nil
	})
}

// TestReload: SIGHUP puts in force what needs no restart, and names the rest. A file that is broken
// changes nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	n := &node{t: t, dir: t.TempDir()}
	shared := t.TempDir()
	n.configure("origins: []\n")
	n.start("--docker-host", "unix:///nonexistent/docker.sock", "--config", filepath.Join(n.dir, "lightd.yaml"))
	volume, _ := n.volume()
	mounting := func(id string, status int) {
		t.Helper()
		n.send("PUT", "/containers/"+id, spec(id, volume, fmt.Sprintf(`"mount":{"/in":%q}`, shared))).want(status, "")
	}
	connect := func(origin string) int {
		t.Helper()
		conn, answer, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(n.url, "http")+"/ws/plain", &websocket.DialOptions{
			HTTPHeader: http.Header{"Authorization": {"Bearer " + n.token}, "Origin": {origin}}})
		if err == nil {
			t.Cleanup(func() { _ = conn.CloseNow() })
		}
		return answer.StatusCode
	}
	n.send("PUT", "/containers/plain", spec("plain", volume, "")).want(201, "")
	mounting("a", 400)
	if got := connect("http://panel"); got != 403 {
		t.Errorf("a foreign origin is answered with %d", got)
	}

	n.configure("origins: ['http://panel']\nmounts:\n  allowed: [" + shared + "]\nconsoles: {per_container: 1, total: 9}\nlogs: {max_size: 1m}\n")
	n.hangUp(`level=INFO msg="configuration reloaded" changed="mounts.allowed logs.max_size consoles.per_container consoles.total origins"`)
	mounting("a", 201)
	for i, want := range []int{101, 429} {
		if got := connect("http://panel"); got != want {
			t.Errorf("connection %d is answered with %d, want %d", i, got, want)
		}
	}

	// What is broken changes nothing, and says where.
	for text, says := range map[string]string{
		"mounts:\n  allowed: [srv]\n":                         `lightd.yaml:2: mounts.allowed: .*srv`,
		"origins:\n- nonsense\n":                              `lightd.yaml:1: origins: .*nonsense`,
		"mounts:\n  alowed: []\n":                             `lightd.yaml:2: mounts.alowed: there is no such setting`,
		"logs:\n  max_file: 3\n  max_size: 10q\n":             `lightd.yaml:3: logs.max_size: .*10q`,
		"timeouts:\n  stop: 0s\n":                             `lightd.yaml:2: timeouts.stop`,
		"listen: [\n":                                         `lightd.yaml:1: `,
		"consoles:\n  total: 0\n":                             `lightd.yaml:1: consoles`,
		"mounts: {allowed: []}\norigins: []\nlog_format: x\n": `lightd.yaml:3: log_format: .*x`,
	} {
		n.configure(text)
		n.hangUp(`level=ERROR msg="configuration not reloaded; the one before stays in force" error=.*` + says)
	}
	mounting("b", 201)

	// The rest is named, with no value.
	n.configure("mounts: {allowed: []}\norigins: ['http://panel']\nconsoles: {per_container: 1, total: 9}\nlogs: {max_size: 1m}\ntoken: lightd_01234567890123456789\ntimeouts: {stop: 9s}\n")
	n.hangUp(`level=WARN msg="configuration reloaded; some settings need a restart" changed=mounts.allowed needs_restart="token timeouts.stop"`)
	mounting("c", 400)
	if strings.Contains(n.log.String(), "lightd_0123") {
		t.Error("a token is in the log")
	}
	n.configure("origins: ['http://panel']\nconsoles: {per_container: 1, total: 9}\nlogs: {max_size: 1m}\n")
	n.hangUp(`level=INFO msg="configuration reloaded" changed=""`)
	n.send("GET", "/containers/a", "").want(200, shared)
}

// TestCheckComparesTheRunningDaemon: what the file says otherwise is named, until it is in force.
func TestCheckComparesTheRunningDaemon(t *testing.T) {
	t.Parallel()
	w := newWired(t, "listen: ['unix://DIR/l.sock']\norigins: []\n")
	item := func(verdict check.Verdict, text string) {
		t.Helper()
		printed, _ := w.lightd("check", "-o", "json")
		var items []check.Item
		if err := json.NewDecoder(strings.NewReader(printed)).Decode(&items); err != nil {
			t.Fatalf("%v: %s", err, printed)
		}
		if !slices.ContainsFunc(items, func(i check.Item) bool {
			return i.Name == "running-settings" && i.Verdict == verdict && strings.Contains(i.Text, text)
		}) {
			t.Errorf("no item of the running daemon is %s with %q: %s", verdict, text, printed)
		}
	}
	item(check.OK, "")
	change := "listen: ['unix://" + w.dir + "/l.sock']\norigins: ['https://a']\ntimeouts: {stop: 9s}\n"
	if err := os.WriteFile(filepath.Join(w.dir, "lightd.yaml"), []byte(change), 0o600); err != nil {
		t.Fatal(err)
	}
	item(check.Warning, "need a reload: origins")
	item(check.Warning, "need a restart: timeouts.stop")
}

// TestOtherSignals end nothing: a tool that has logs opened again, and a reader of the log that
// goes away.
func TestOtherSignals(t *testing.T) {
	t.Parallel()
	n := &node{t: t, dir: t.TempDir()}
	n.start("--docker-host", "unix:///nonexistent/docker.sock")
	for _, signal := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE} {
		if err := n.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		n.send("GET", "/containers", "").want(200, "")
	}
	n.terminate()
}

// TestBrokenLogPipe: the daemon goes on without whoever read its log.
func TestBrokenLogPipe(t *testing.T) {
	t.Parallel()
	n := &node{t: t, dir: t.TempDir()}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	n.startWith(writer, "--docker-host", "unix:///nonexistent/docker.sock")
	_ = writer.Close()
	_ = reader.Close()
	for range 3 {
		n.send("POST", "/volumes", "").want(201, "") // each is a line in the log
	}
	n.terminate()
}

// TestHelpNamesWhatAReloadChanges: by its key, or by that of the group that it is in.
func TestHelpNamesWhatAReloadChanges(t *testing.T) {
	_, list, _ := strings.Cut(serveHelp, "SIGHUP reads the file again: ")
	list, _, _ = strings.Cut(list, " hold for what comes after")
	named := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
	for _, key := range reloadable {
		group, _, _ := strings.Cut(key, ".")
		if !slices.Contains(named, key) && !slices.Contains(named, group) {
			t.Errorf("the help of serve says nothing of %s: %q", key, named)
		}
	}
}

// TestEverySettingIsReloadableOrNamed: a key that a reload does not know would be told of nobody.
func TestEverySettingIsReloadableOrNamed(t *testing.T) {
	var a config
	b := config{Listen: "x", TLS: tlsFiles{"x", "x", "x", true}, UnixSocket: unixSocket{"x", "x"}, InsecurePlainHTTP: true,
		Hosts: []string{"x"}, TrustedProxies: []string{"x"}, Limits: limits{1, 1, 1, "x"}, DataDir: "x", DockerHost: "x", Token: "x", TokenFile: "x", LogFormat: "x", LogLevel: "x",
		Mounts: mounts{[]string{"x"}}, Logs: logs{"x", 1}, Consoles: consoles{1, 1}, Timeouts: timeouts{1, 1, 1, 1, 1, 1}, Origins: []string{"x"}, Metrics: metricsShown{true}, Tracing: tracingTo{"x", 1}}
	want := []string{"listen", "tls.cert", "tls.key", "tls.client_ca", "tls.self_signed", "unix_socket.mode", "unix_socket.group", "insecure_plain_http",
		"hosts", "trusted_proxies", "limits.connections", "limits.connections_per_address", "limits.requests_per_token", "limits.memory", "data_dir", "docker_host", "token", "token_file", "log_format", "log_level", "mounts.allowed",
		"logs.max_size", "logs.max_file", "consoles.per_container", "consoles.total", "timeouts.database", "timeouts.remove",
		"timeouts.create", "timeouts.install", "timeouts.pull", "timeouts.stop", "origins", "metrics.per_container", "tracing.endpoint", "tracing.sample"}
	if got := differingKeys(a, b); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := differingKeys(b, b); len(got) > 0 {
		t.Errorf("one and the same differs in %q", got)
	}
}
