package main

import (
	"bufio"
	"bytes"
	"context"
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
	"lightd/hack/harness"
	"lightd/hack/simengine"
)

// desk is a daemon in this process over a simulated engine, and a person who types
// commands.
type desk struct {
	t    *testing.T
	sim  *simengine.Sim
	host string // of sim
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
	sim, host := harness.SimHost(t, simengine.Options{}, "game:1", "game:2")
	d := &desk{t: t, sim: sim, host: host, dir: t.TempDir()}
	d.sim.OnImage("game:1", game)
	d.sim.OnImage("game:2", game)
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	var log harness.Buffer
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "--data-dir", d.dir, "--listen", "127.0.0.1:0", "--docker-host", host},
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
	return &node{t: d.t, url: d.url, token: strings.TrimSpace(string(harness.Value[[]byte](d.t)(os.ReadFile(filepath.Join(d.dir, "token")))))}
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

// has is an error unless the command printed this too.
func (s said) has(text string) error {
	if !strings.Contains(s.out, text) {
		return fmt.Errorf("%s: %q is not in %q", s.what, text, s.out)
	}
	return nil
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
