package main

import (
	"bufio"
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

	"lightd/cmd/lightd/command"
	"lightd/cmd/lightd/terminal"
	"lightd/hack/simengine"
)

// desk is a daemon in this process over a simulated engine, and a person who types
// commands.
type desk struct {
	t    *testing.T
	sim  *simengine.Sim
	dir  string
	url  string
	env  map[string]string
	stop func()
}

// game is what runs in the containers of a desk: it says that it is up, repeats what it is
// told, and ends when it is told to.
func game(ctx context.Context, p *simengine.Process) {
	if p.Labels()["lightd.role"] == "install" {
		fmt.Fprint(p.Stdout(), "fetching\r\nunpacking\r\n")
		if strings.Contains(p.Name(), "broken") {
			p.Exit(3)
		}
		return
	}
	fmt.Fprint(p.Stdout(), "up\n")
	lines := bufio.NewScanner(p.Stdin())
	for lines.Scan() {
		if lines.Text() == "quit" {
			return
		}
		fmt.Fprintf(p.Stdout(), "got %s\n", lines.Text())
	}
	<-ctx.Done()
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, sim: simengine.New(simengine.Options{}), dir: t.TempDir()}
	t.Cleanup(func() { _ = d.sim.Close() })
	d.sim.AddImage("game:1", simengine.ImageConfig{})
	d.sim.AddImage("game:2", simengine.ImageConfig{})
	d.sim.OnImage("game:1", game)
	d.sim.OnImage("game:2", game)
	socket := filepath.Join(d.dir, "docker.sock")
	if err := d.sim.Serve(socket); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	var log locked
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "--data-dir", d.dir, "--listen", "127.0.0.1:0", "--docker-host", "unix://" + socket},
			func(string) string { return "" }, in, &log)
		_ = in.Close()
	}()
	d.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the daemon said:\n%s", log.String())
		}
	}
	t.Cleanup(func() { d.stop() })
	if _, err := fmt.Fscanf(out, "lightd dev accepts requests on %s\n", &d.url); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	poll(t, func() error {
		answer, err := web.Get(d.url + "/readyz")
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("the daemon is not ready: %s", answer.Status)
		}
		return nil
	})
	d.env = map[string]string{"HOME": d.dir, "LIGHTD_DATA_DIR": d.dir, "LIGHTD_LISTEN": strings.TrimPrefix(d.url, "http://")}
	return d
}

// api returns a client of the daemon that speaks HTTP itself.
func (d *desk) api() *node {
	d.t.Helper()
	return &node{t: d.t, url: d.url, token: strings.TrimSpace(string(must[[]byte](d.t)(os.ReadFile(filepath.Join(d.dir, "token")))))}
}

// said is what a command printed.
type said struct {
	t           *testing.T
	what        string
	out, errOut string
	code        int
}

// do runs a command in this process.
func (d *desk) do(args ...string) said { return d.with("", args...) }

// with is do, with something on the standard input.
func (d *desk) with(stdin string, args ...string) said {
	d.t.Helper()
	var out, errOut bytes.Buffer
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	code := d.on(ctx, terminal.Streams{In: strings.NewReader(stdin), Out: &out, Err: &errOut}, args...)
	return said{d.t, strings.Join(args, " "), out.String(), errOut.String(), code}
}

// on runs a command on streams, and returns its exit code.
func (d *desk) on(ctx context.Context, streams terminal.Streams, args ...string) int {
	err := execute(ctx, rootCommand(func(name string) string { return d.env[name] }, streams), args)
	if message := command.Message(err); message != "" {
		fmt.Fprintln(streams.Err, "lightd:", message)
	}
	return command.ExitCode(err)
}

// want fails the test unless the command ended with code, and said each of texts, on the
// standard output or, after a "!", on the other one.
func (s said) want(code int, texts ...string) said {
	s.t.Helper()
	bad := s.code != code
	for _, text := range texts {
		in := s.out
		if rest, other := strings.CutPrefix(text, "!"); other {
			text, in = rest, s.errOut
		}
		bad = bad || !strings.Contains(in, text)
	}
	if bad {
		s.t.Fatalf("%s: exit code %d, want %d with %q in:\n%s\nand:\n%s", s.what, s.code, code, texts, s.out, s.errOut)
	}
	return s
}

var (
	varying = regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f-]{27}\b`)
	seconds = regexp.MustCompile(`\b(\d+m)?\d{1,3}s\b`)
	instant = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ?`)
	shortID = regexp.MustCompile(`\b[0-9a-f]{12}\b`)
	blanks  = regexp.MustCompile(`(\S) {2,}`)
)

// plain is text without what differs from run to run.
func plain(text string) string {
	text = varying.ReplaceAllString(text, "VOLUME")
	text = instant.ReplaceAllString(text, "TIME")
	text = shortID.ReplaceAllString(text, "CONTAINER")
	text = seconds.ReplaceAllString(text, "AGE")
	return blanks.ReplaceAllString(text, "$1  ")
}

// is fails the test unless the command printed exactly this.
func (s said) is(code int, text string) said {
	s.t.Helper()
	if got := plain(s.out); s.code != code || got != strings.TrimPrefix(text, "\n") {
		s.t.Fatalf("%s: exit code %d, want %d with:\n%s\ngot:\n%s\nand:\n%s", s.what, s.code, code, text, got, s.errOut)
	}
	return s
}

// file makes a file on the desk and returns its path.
func (d *desk) file(name, text string) string {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// web is a spec on a volume of its own.
func (d *desk) web(id, more string) string {
	volume := strings.TrimSpace(d.do("volume", "create").want(0).out)
	return fmt.Sprintf("internal_id: %s\nimage: game:1\nvolume_id: %s\nstartup_command: ./game\nstart_pattern: up\n%s\n", id, volume, more)
}

// pool are ports that nothing on this machine listens on: a daemon looks before it makes a
// container anew.
const pool = "127.77.0.1:15565-15567"

// TestDeclaring goes from a file to a container, through its changes, to its end.
func TestDeclaring(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("get").want(0, "!There is no container.")
	d.do("port", "add", pool, "127.0.0.1:27015/udp").is(0, pool+": added\n127.0.0.1:27015/udp: added\n")
	spec := d.web("web", "ports: [{ip: 127.77.0.1, port: 15565}]\nlabels: {game: quake}\ninstall_script: ./install\npower: running")
	file := d.file("web.yaml", spec)

	d.do("plan", "-f", file).is(0, `
web: create
  1.  PullImage  it is not known whether image game:1 is on this machine
  2.  CreateInstallContainer  the install script needs a container
  3.  StartInstallScript  the installation has a script
  4.  KeepInstallation  the install script ended well
  5.  RemoveInstallContainer  what the script did is kept
  6.  WriteEntrypoint  the installation is kept
  7.  CreateContainer  the installation is complete
  8.  StartContainer  power is running
  keeps volume VOLUME
`).want(0, "!1 to create, 0 to change, 0 to delete, 0 unchanged. Nothing was done.")
	d.do("apply", "-f", file, "--dry-run").is(0, "web: created, generation 1 (dry run)\n")
	d.do("get", "-o", "json").is(0, "{\n  \"containers\": []\n}\n")
	d.do("diff", "-f", file).want(1, "--- is/web\n+++ would be/web\n", "+image: game:1\n", "+  pids: 512\n")

	d.do("apply", "-f", file, "--wait=running", "--timeout=1m").is(0, "web: created, generation 1, running\n").
		want(0, "!web: RunningInstallScript", "!web: Running")
	d.do("apply", "-f", file).is(0, "web: unchanged, generation 1\n")
	d.do("diff", "-f", file).is(0, "")
	d.do("get").is(0, "ID  INSTALL  STATE  SYNCED  RESTARTS  AGE  IMAGE\nweb  ready  running  True  0  AGE  game:1\n")
	d.do("get", "web", "-o", "wide", "--no-headers").is(0, "web  ready  running  True  0  AGE  game:1  running  1  127.77.0.1:15565/tcp  -  -  CONTAINER  VOLUME  game=quake\n")
	d.do("get", "-l", "game=doom", "-o", "name").is(0, "")
	d.do("get", "-o", "name").is(0, "web\n")
	d.do("describe", "web").want(0, "State:           running, should be running\n", "Install script:  ./install\n", "Drift:           none\n", "Next:            none\n", "PatternMatched")
	d.do("drift").is(0, "").want(0, "!1 in sync, 0 drifted.")
	d.do("plan", "web").is(0, "web: nothing to do\n")

	// What was read can be changed and applied.
	read := d.do("get", "web", "-o", "yaml").want(0, "internal_id: web\n", "conditions:\n").out
	d.with(read, "apply", "-f", "-").is(0, "web: unchanged, generation 1\n")
	changed := strings.ReplaceAll(spec, "15565", "15566")
	d.with(changed, "plan", "-f", "-").want(0, "web: recreate, because ports changed\n", "loses what the process wrote")
	d.with(changed, "diff", "-f", "-").want(1, "-    port: 15565\n+    port: 15566\n")
	d.with(changed, "apply", "-f", "-", "--wait").is(0, "web: updated, generation 2, synced\n")

	d.do("delete", "-f", file, "--dry-run").want(0, "web: delete\n", "StopContainer")
	d.do("delete", "-f", file).is(0, "web: deleted\n")
	d.do("get", "web").want(3, "!lightd: web: Container not found")
	d.do("volume", "list").want(0, "ID", "CONTAINERS")
}

// TestActing does what one does to a container that is there.
func TestActing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("port", "add", strings.Replace(pool, "77.0.1", "77.0.2", 1)).want(0)
	d.do("apply", "-f", d.file("all.yaml", d.web("a", "labels: {game: quake}")+"---\n"+d.web("b", "labels: {game: quake}"))).want(0)
	d.do("start", "a", "b", "--wait").is(0, "a: running (generation 2)\nb: running (generation 2)\n")
	d.do("wait", "a", "b", "--for=running").is(0, "a is running\nb is running\n")
	d.do("stop", "-l", "game=quake", "--wait").is(0, "a: stopped (generation 3)\nb: stopped (generation 3)\n")
	d.do("wait", "a", "--for=running", "--timeout=1m").want(command.ExitGoalFailed, "!a: ") // it is to be stopped
	d.do("restart", "a").is(0, "a: restart initiated (generation 4)\n")
	d.do("wait", "a", "--for=running").want(0)
	d.do("kill", "a", "--wait").is(0, "a: stopped (generation 5)\n")
	d.do("rebind", "a", "-p", "127.77.0.2:15566:80", "-p", "0/tcp", "--wait").is(0, "a: synced (generation 6)\n")
	d.do("get", "a", "-o", "wide").want(0, "127.77.0.2:15566->80/tcp,127.77.0.2:15565/tcp")
	d.do("port", "list").is(0, "IP  PORT  PROTOCOL  IN USE  ID\n127.77.0.2  15565  tcp  yes  a\n127.77.0.2  15566  tcp  yes  a\n127.77.0.2  15567  tcp  no  -\n")
	d.do("port", "list", "--free", "-o", "yaml").want(0, "- ip: 127.77.0.2\n    port: 15567\n")
	d.do("port", "delete", "127.77.0.2:15566").want(4, "!in use")
	d.do("port", "delete", "127.77.0.2:15567").want(0)
	d.do("rebind", "a", "--none", "--dry-run").want(0, "a: recreate, because ports changed")
	d.do("reinstall", "a", "--image", "game:2", "--wait").is(0, "a: installed (generation 7)\n")
	d.with("./install\n", "reinstall", "a", "--install-script", "-", "--wait").want(0)
	d.do("logs", "a", "--install").is(0, "fetching\r\nunpacking\r\n")
	d.do("events", "a").want(0, "SEQ", "RunningInstallScript", "LimitsUpdated"[:0])
	d.do("events", "--tail", "1", "-o", "json").want(0, `"internal_id":"a","type":"Ready"`)
	d.do("start", "a", "--wait").want(0)
	if err := d.sim.Exit("lightd-a", 1); err != nil {
		t.Fatal(err)
	}
	poll(t, func() error {
		if out := d.do("get", "a", "-o", "json").out; !strings.Contains(out, `"restarts": 1`) || !strings.Contains(out, `"state": "running"`) {
			return errors.New(out)
		}
		return nil
	})
	d.do("logs", "a", "--tail", "1").is(0, "up\r\n")
	d.with("hello\n", "attach", "a").want(0)
	poll(t, func() error {
		if out := d.do("logs", "a").out; !strings.Contains(out, "got hello") {
			return fmt.Errorf("it printed %q", out)
		}
		return nil
	})
	d.do("delete", "-l", "game=quake", "--wait=false").want(0, "b: ")
	d.do("wait", "a", "b", "--for=deleted").want(0)
	d.do("delete", "a", "--ignore-not-found").is(0, "")
}
