package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/goleak"

	"lightd/cmd/lightd/command"
	"lightd/hack/eventually"
	"lightd/hack/harness"
)

// call runs the program in this process and returns what it printed, and its exit code.
func call(t *testing.T, env map[string]string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errOut bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := run(ctx, args, func(name string) string { return env[name] }, &out, &errOut); err != nil {
		fmt.Fprintln(&errOut, "lightd:", command.Message(err))
		code = command.ExitCode(err)
	}
	return out.String(), errOut.String(), code
}

// TestBadCalls gives what is wrong on the command line, in the environment and in the
// file: told clearly, and nothing is made.
func TestBadCalls(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "lightd.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	contexts := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(contexts, "lightd"), 0o700), os.WriteFile(filepath.Join(contexts, "lightd", "contexts.yaml"), []byte("contexts: ["), 0o600)); err != nil {
		t.Fatal(err)
	}
	serve := func(more ...string) []string { return append([]string{"serve"}, more...) }
	cases := []struct {
		name string
		args []string
		env  map[string]string
		code int
		text string
	}{
		{"nothing", nil, nil, 2, "Usage"},
		{"an unknown command", []string{"dance"}, nil, 2, `there is no command "dance"`},
		{"an unknown flag", serve("--lisen", "x"), nil, 2, "lisen"},
		{"a flag without a value", serve("--listen"), nil, 2, "listen"},
		{"an argument too many", serve("now"), nil, 2, `"now"`},
		{"a listen address of another kind", serve("--listen", "ftp://x:1"), nil, 2, "is none of host:port"},
		{"a relative unix socket", serve("--listen", "unix://x.sock"), nil, 2, "absolute"},
		{"TLS without a certificate", serve("--config", file("listen: ['127.0.0.1:0', 'https://127.0.0.1:0']")), map[string]string{"LIGHTD_LISTEN": ""}, 2, "lightd.yaml:1: listen: \"https://127.0.0.1:0\" needs a certificate"},
		{"a certificate without its key", serve("--config", file("tls: {cert: /x}")), nil, 2, "cert and key go together"},
		{"a certificate that is not there", serve("--config", file("tls: {cert: /nonexistent/cert, key: /nonexistent/key}")), nil, 2, "/nonexistent/cert"},
		{"authorities without a certificate", serve("--config", file("tls: {client_ca: /x}")), nil, 2, "client_ca needs cert and key"},
		{"two certificates", serve("--config", file("tls: {cert: /x, key: /x, self_signed: true}")), nil, 2, "self_signed makes a certificate of its own"},
		{"a host with a port", serve("--config", file("hosts: ['node:1']")), nil, 2, "hosts: \"node:1\""},
		{"a proxy by name", serve("--config", file("trusted_proxies: [proxy]")), nil, 2, "trusted_proxies: \"proxy\""},
		{"everybody as a proxy", serve("--config", file("trusted_proxies: [0.0.0.0/0]")), nil, 2, "trusts everybody"},
		{"no memory", serve("--config", file("limits: {memory: 1m}")), nil, 2, "at least 32m"},
		{"a negative limit", serve("--config", file("limits: {connections: -1}")), nil, 2, "limits: connections"},
		{"a mode that is none", serve("--config", file("unix_socket: {mode: rw}")), nil, 2, "unix_socket.mode"},
		{"a group that is not there", serve("--listen", "unix://"+filepath.Join(t.TempDir(), "s"), "--config", file("unix_socket: {group: nonexistent-group}")), nil, 2, "nonexistent-group"},
		{"a log format", serve("--log-format", "xml"), nil, 2, `"xml" is neither text nor json`},
		{"a log format in the environment", serve(), map[string]string{"LIGHTD_LOG_FORMAT": "xml"}, 2, "xml"},
		{"a log level", serve("--log-level", "loud"), nil, 2, "loud"},
		{"an empty directory", serve("--data-dir", ""), nil, 2, "data directory"},
		{"a listen address", serve("--listen", "here"), nil, 2, `"here" has no port`},
		{"a listener twice", serve("--listen", "127.0.0.1:70,127.0.0.1:70"), nil, 2, `"127.0.0.1:70" is given twice`},
		{"a missing certificate", serve("--config", file("tls:\n  cert: /nonexistent/c\n  key: /nonexistent/k")), nil, 2, "lightd.yaml:2: tls.cert: read certificate: open /nonexistent/c"},
		{"a missing authority", serve("--config", file("tls: {cert: /dev/null, key: /dev/null,\n  \n  client_ca: /nonexistent/ca}")), nil, 2, "lightd.yaml:3: tls.client_ca: read certificate: open /nonexistent/ca"},
		{"a certificate that is none", serve("--config", file("\ntls: {cert: /dev/null, key: /dev/null}")), nil, 2, "lightd.yaml:2: tls: read certificate /dev/null"},
		{"an unknown group", serve("--config", file("unix_socket:\n  group: nobody-has-it")), nil, 2, `lightd.yaml:2: unix_socket.group: there is no group "nobody-has-it"`},
		{"a token file of a context", []string{"context", "set", "a", "--server", "http://x", "--token-file", "/nonexistent/t"}, nil, 2, "context set: read the token file"},
		{"contexts of nonsense", []string{"context", "list"}, map[string]string{"XDG_CONFIG_HOME": contexts}, 2, "read contexts from"},
		{"a file of a client", []string{"token", "list"}, map[string]string{"LIGHTD_CONFIG": file("listen: [")}, 2, "lightd.yaml"},
		{"a listen port", serve("--listen", "127.0.0.1:70000"), nil, 2, "70000"},
		{"a Docker host", serve("--docker-host", "carrier-pigeon"), nil, 2, "carrier-pigeon"},
		{"a short token", serve("--token", "lightd_x"), nil, 2, "token"},
		{"a token of another kind", serve("--token", "secret_0123456789012345"), nil, 2, "lightd_"},
		{"a missing file", serve("--config", "/nonexistent/lightd.yaml"), nil, 2, "/nonexistent/lightd.yaml"},
		{"a missing file of the environment", serve(), map[string]string{"LIGHTD_CONFIG": "/nonexistent/env.yaml"}, 2, "/nonexistent/env.yaml"},
		{"a missing file of the flag", serve("--config", "/nonexistent/lightd.yaml"), map[string]string{"LIGHTD_CONFIG": file("log_format: xml")}, 2, "/nonexistent/lightd.yaml"},
		{"a mistake in the file of the environment", serve(), map[string]string{"LIGHTD_CONFIG": file("\nlog_format: xml")}, 2, "lightd.yaml:2: log_format"},
		{"a file that is no YAML", serve("--config", file("listen: [")), nil, 2, "lightd.yaml"},
		{"a file that is a list", serve("--config", file("- listen")), nil, 2, "lightd.yaml"},
		{"an unknown key", serve("--config", file("lisen: 127.0.0.1:0")), nil, 2, "lisen"},
		{"an unknown key below", serve("--config", file("mounts:\n  alowed: []")), nil, 2, "alowed"},
		{"a key twice", serve("--config", file("listen: a\nlisten: b")), nil, 2, "listen"},
		{"a relative mount", serve("--config", file("mounts:\n  allowed: [srv]")), nil, 2, `"srv" is not an absolute`},
		{"the whole host to mount from", serve("--config", file("mounts:\n  allowed: [/]")), nil, 2, `"/" is the whole host`},
		{"the directory of the engine to mount from", serve("--config", file("mounts:\n  allowed: [/var/lib/docker/volumes]")), nil, 2, "no container may see"},
		{"logs without a bound", serve("--config", file("logs:\n  max_size: 0")), nil, 2, "logs.max_size"},
		{"logs of a negative size", serve("--config", file("logs:\n  max_size: -1")), nil, 2, "logs.max_size"},
		{"a bound that is none", serve("--config", file("containers:\n  max_memory: lots")), nil, 2, `:2: containers.max_memory: "lots" is not a size of at least 6m`},
		{"an installation bound that is none", serve("--config", file("containers:\n  max_installation: lots")), nil, 2, `:2: containers.max_installation: "lots" is neither a size of at least 1m, as in 10Gi, nor 0 for no bound`},
		{"an installation bound below any installation", serve("--config", file("containers: {max_installation: 10}")), nil, 2, `"10" is neither a size`},
		{"a default above its bound", serve("--config", file("containers: {max_cpu: 1, default_cpu: 2}")), nil, 2, `containers.default_cpu: it must be at most max_cpu`},
		{"a capability that gives the host away", serve("--config", file("containers:\n  capabilities: [CHOWN, SYS_ADMIN]")), nil, 2, `containers.capabilities: "SYS_ADMIN" is no capability that containers can be given`},
		{"logs of a size without a unit", serve("--config", file("logs:\n  max_size: 10")), nil, 2, `"10" is not a size`},
		{"logs of an unknown unit", serve("--config", file("logs:\n  max_size: 10mb")), nil, 2, `"10mb" is not a size`},
		{"logs in one file", serve("--config", file("logs:\n  max_file: 1")), nil, 2, "logs.max_file: it must be from 2 to 1000"},
		{"logs in a number of files that is none", serve("--config", file("logs:\n  max_file: few")), nil, 2, "few"},
		{"an unknown key of logs", serve("--config", file("logs:\n  driver: journald")), nil, 2, "driver"},
		{"credentials by a relative path", serve("--config", file("images:\n  credentials: config.json")), nil, 2, "images.credentials: \"config.json\" is not an absolute path"},
		{"no consoles", serve("--config", file("consoles:\n  total: 0")), nil, 2, "consoles: per_container and total must be above zero"},
		{"a timeout of no time", serve("--config", file("timeouts:\n  remove: 0s")), nil, 2, "timeouts.remove"},
		{"a timeout that is no time", serve("--config", file("timeouts:\n  remove: soon")), nil, 2, `:2: timeouts.remove: it is "soon", and must be a duration with its unit, as in 10s`},
		{"token alone", []string{"token"}, nil, 2, "create, list, reset, revoke, show"},
		{"an unknown token command", []string{"token", "forge"}, nil, 2, `"forge"`},
		{"no token yet", []string{"token", "show"}, nil, 1, "there is no token yet"},
		{"a token without an end", []string{"token", "create"}, nil, 2, "ttl"},
		{"a token for ever", []string{"token", "create", "--ttl", "31d"}, nil, 2, `token create: --ttl "31d" must be from 1s to 30d`},
		{"an unknown scope", []string{"token", "create", "--ttl", "1h", "--scopes", "root"}, nil, 2, `token create: --scopes "root" is none of read,console`},
		{"a token for an unset variable", []string{"token", "create", "--ttl", "1h", "--container", ""}, nil, 2, "token create: --container is empty"},
		{"a quota of nothing", []string{"token", "create", "--ttl", "1h", "-l", "a", "--quota", "disks=1"}, nil, 2, `token create: --quota "disks" is none of containers, ports, volumes`},
		{"no token to revoke", []string{"token", "revoke"}, nil, 2, "token revoke: the id or the name of a token is needed"},
		{"an old token for ever", []string{"token", "reset", "--keep-old", "1y"}, nil, 2, `token reset: --keep-old "1y" must be a number and a unit`},
		{"a token of nonsense", []string{"token", "create", "--ttl", "soon"}, nil, 2, "soon"},
		{"show with an argument", []string{"token", "show", "it"}, nil, 2, `"it"`},
		{"help", []string{"help"}, nil, 0, "lightd serve"},
		{"help of a command", []string{"serve", "--help"}, nil, 0, "-data-dir"},
		{"help with the default", []string{"serve", "--help"}, nil, 0, `(default "127.0.0.1:8070")`},
		{"version", []string{"version"}, nil, 0, "lightd dev (go1."},
		{"version as JSON", []string{"version", "-o", "json"}, nil, 0, `"engine_api": "1.41"`},
		{"version of the formats", []string{"version"}, nil, 0, ", engine API 1.41 to 1.51, database format 1)"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			env := map[string]string{"LIGHTD_DATA_DIR": dir, "LIGHTD_LISTEN": "127.0.0.1:0", "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
			for k, v := range c.env {
				env[k] = v
			}
			stdout, stderr, code := call(t, env, c.args...)
			if code != c.code || !strings.Contains(stdout+stderr, c.text) {
				t.Errorf("exit code %d, want %d with %q in:\n%s%s", code, c.code, c.text, stdout, stderr)
			}
			if strings.Contains(stdout, "accepts requests") {
				t.Error("it ran all the same")
			}
			if _, err := os.Stat(dir); c.code == 2 && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("it made its data directory: %v", err)
			}
		})
	}
}

// TestStrongestSettingWins gives one setting in all the places there are.
func TestStrongestSettingWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lightd.yaml")
	text := "listen: file:1\nlog_level: warn\nlog_format: json\nmounts:\n  allowed: [/srv]\ntimeouts:\n  install: 3m\nlogs:\n  max_size: 5M\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"LIGHTD_LISTEN": "env:1", "LIGHTD_LOG_LEVEL": "error", "HOME": "/home/me"}
	flags := pflag.NewFlagSet("lightd serve", pflag.ContinueOnError)
	settings := newSettings(flags, func(k string) string { return env[k] })
	if err := flags.Parse([]string{"--config", path, "--listen", "flag:1"}); err != nil {
		t.Fatal(err)
	}
	cfg, err := settings.load()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen != "flag:1" || cfg.LogLevel != "error" || cfg.LogFormat != "json" {
		t.Errorf("got %+v", cfg)
	}
	if cfg.Timeouts.Install != 3*time.Minute || cfg.Timeouts.Remove != 30*time.Second || len(cfg.Mounts.Allowed) != 1 {
		t.Errorf("got %+v", cfg)
	}
	if cfg.Logs.MaxSize != "5m" || cfg.Logs.MaxFile != 3 {
		t.Errorf("got %+v", cfg.Logs)
	}
	if cfg.TokenFile != filepath.Join(cfg.DataDir, "token") {
		t.Errorf("the token is in %s", cfg.TokenFile)
	}
}

// TestUsualConfiguration: the daemon and its clients on the machine read the same file where none is named,
// if it is there.
func TestUsualConfiguration(t *testing.T) {
	dir := t.TempDir()
	usual, other := filepath.Join(dir, "usual.yaml"), filepath.Join(dir, "other.yaml")
	env := map[string]string{"HOME": "/home/me"}
	listens := func() (daemon, client string) {
		t.Helper()
		s := newSettings(pflag.NewFlagSet("lightd", pflag.ContinueOnError), func(k string) string { return env[k] })
		s.usual = usual
		cfg := harness.Value[config](t)(s.load())
		return string(cfg.Listen), string(harness.Value[config](t)(s.loadForClient()).Listen)
	}
	check := func(what, want string) {
		t.Helper()
		if daemon, client := listens(); daemon != want || client != want {
			t.Errorf("%s: %q and %q, not %q", what, daemon, client, want)
		}
	}
	check("no file", "127.0.0.1:8070")
	for file, listen := range map[string]string{usual: "127.0.0.1:1", other: "127.0.0.1:2"} {
		if err := os.WriteFile(file, []byte("listen: "+listen+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check("the usual file", "127.0.0.1:1")
	env["LIGHTD_CONFIG"] = other
	check("another one", "127.0.0.1:2")
}

// TestStrongestTokenWins: a token and the file of one are two ways to say the same.
func TestStrongestTokenWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lightd.yaml")
	for _, c := range []struct {
		name, file  string
		env         map[string]string
		args        []string
		token, from string
	}{
		{"a file in the environment before a token in the file", "token: lightd_of-the-configuration", map[string]string{"LIGHTD_TOKEN_FILE": "/env"}, nil, "", "/env"},
		{"a file by flag before a token in the environment", "", map[string]string{"LIGHTD_TOKEN": "lightd_of-the-environment"}, []string{"--token-file", "/flag"}, "", "/flag"},
		{"a token by flag before all", "token_file: /file", map[string]string{"LIGHTD_TOKEN": "lightd_of-the-environment"}, []string{"--token", "lightd_of-the-command-line"}, "lightd_of-the-command-line", "/d/token"},
		{"a token in the file", "token: lightd_of-the-configuration", nil, nil, "lightd_of-the-configuration", "/d/token"},
	} {
		if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		flags := pflag.NewFlagSet("lightd serve", pflag.ContinueOnError)
		settings := newSettings(flags, func(k string) string { return c.env[k] })
		if err := flags.Parse(append(c.args, "--config", path, "--data-dir", "/d")); err != nil {
			t.Fatal(err)
		}
		if cfg, err := settings.load(); err != nil || cfg.Token != c.token || cfg.TokenFile != c.from {
			t.Errorf("%s: got %q and %q, %v", c.name, cfg.Token, cfg.TokenFile, err)
		}
	}
}

// TestWholeProgramLeavesNothingBehind runs it in this process, without an engine.
func TestWholeProgramLeavesNothingBehind(t *testing.T) {
	others := goleak.IgnoreCurrent()
	defer func() {
		if err := eventually.Leaks(others, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon")); err != nil {
			t.Error(err)
		}
	}()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out, in := io.Pipe()
	var log harness.Buffer
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--docker-host", "unix://" + dir + "/no.sock"},
			func(string) string { return "" }, in, &log)
		_ = in.Close()
	}()
	var line string
	if _, err := fmt.Fscanf(out, "lightd dev accepts requests on %s\n", &line); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	n := &node{t: t, dir: dir, url: line, token: strings.TrimSpace(string(harness.Value[[]byte](t)(os.ReadFile(filepath.Join(dir, "token")))))}
	a := n.send("GET", "/readyz", "", "Authorization:").want(503, `"field":"engine"`)
	if strings.Contains(a.text, "database") {
		t.Errorf("got %s", a.text)
	}
	volume, _ := n.volume()
	n.send("POST", "/containers", spec("e2e-in-process", volume, "")).want(201, "")
	n.send("GET", "/containers/e2e-in-process", "").want(200, `"state":"unknown"`)
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	if _, err := web.Get(n.url + "/healthz"); err == nil {
		t.Error("it still answers")
	}
}

// lonely starts a daemon as a process, without an engine.
func lonely(t *testing.T) *node {
	t.Helper()
	n := &node{t: t, dir: t.TempDir()}
	n.start("--docker-host", "unix:///nonexistent/docker.sock")
	return n
}

// tool runs another process of the program beside the daemon.
func (n *node) tool(args ...string) (stdout, stderr string, code int) {
	n.t.Helper()
	var out, errOut bytes.Buffer
	cmd := program(n.t, []string{"LIGHTD_DATA_DIR=" + n.dir, "LIGHTD_LISTEN=" + strings.TrimPrefix(n.url, "http://")}, args...)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		n.t.Fatal(err)
	}
	return strings.TrimSpace(out.String()), errOut.String(), cmd.ProcessState.ExitCode()
}

func TestSecondDaemonIsRefused(t *testing.T) {
	t.Parallel()
	n := lonely(t)
	stdout, stderr, code := n.tool("serve", "--listen", "127.0.0.1:0", "--docker-host", "unix:///nonexistent/docker.sock")
	if code != 1 || stdout != "" || !strings.Contains(stderr, n.dir) || !regexp.MustCompile(`(?i)another|in use|already`).MatchString(stderr) {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	if strings.Count(stderr, "\n") > 3 {
		t.Errorf("it says more than one needs to know:\n%s", stderr)
	}
	n.send("GET", "/containers", "").want(200, "")
	// The first one's end, even a bad one, lets the next one in.
	n.crash()
	n.start("--docker-host", "unix:///nonexistent/docker.sock")
	n.send("GET", "/containers", "").want(200, "")
	n.terminate()
}

// TestSignals ends the daemon with requests and a WebSocket open.
func TestSignals(t *testing.T) {
	t.Parallel()
	n := lonely(t)
	volume, _ := n.volume()
	n.send("POST", "/containers", spec("e2e-held", volume, "")).want(201, "")
	ws := n.record("/ws/e2e-held")
	ws.await("the present", func(m message) bool { return m.Event == "event" })
	deleted := make(chan int, 1)
	go func() {
		// Without an engine a deletion waits: it is answered, not cut off.
		a, err := n.try("DELETE", "/containers/e2e-held", "")
		if err != nil {
			a.status = http.StatusTeapot
		}
		deleted <- a.status
	}()
	n.until("e2e-held", "marked", func(c view) bool { return n.send("GET", "/containers/e2e-held", "").json["deleting"] == true })
	n.terminate()
	if status := <-deleted; status != http.StatusAccepted {
		t.Errorf("the deletion was answered with %d", status)
	}
	ws.await("the end", func(message) bool { _, end := ws.all(); return end != nil })
	n.start("--docker-host", "unix:///nonexistent/docker.sock")
	n.send("GET", "/containers/e2e-held", "").want(200, `"deleting":true`)
	n.send("POST", "/containers/e2e-held/start", "").want(409, "being deleted")
}
