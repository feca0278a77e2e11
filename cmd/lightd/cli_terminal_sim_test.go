package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lightd/cmd/lightd/command"
	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/hack/simengine"
)

func TestAttach(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("apply", "-f", d.file("all.yaml", d.web("tty", "power: running")+"---\n"+d.web("plain", "power: running\ntty: false"))).want(0)
	d.running("tty")
	d.running("plain")

	p := d.sit("attach", "tty")
	p.sees("attached to tty")
	p.types("hello\n")
	p.sees("got hello")
	p.types("\x10\x11")
	p.leaves(0)

	p = d.sit("attach", "plain")
	p.sees("attached to plain")
	p.types("hel\x7flo\r")
	p.sees("got helo\r\n")
	p.types("\x03")
	p.leaves(0)

	// A program that is told to end, and a container that goes, leave the terminal well.
	p = d.sit("attach", "tty")
	p.sees("attached to tty")
	p.cancel()
	p.leaves(command.ExitInterrupted)
	p = d.sit("attach", "plain", "--tail", "5")
	p.sees("got helo\r\n")
	d.do("delete", "plain").want(0)
	p.sees("the container was deleted")
	p.leaves(0)
}

// TestWatching follows a container from a terminal, which a diff may colour.
func TestWatching(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	file := d.file("web.yaml", d.web("web", "labels: {game: quake}"))
	p := d.sit("diff", "-f", file)
	p.sees("\x1b[32m+image: game:1\x1b[m")
	p.leaves(1)
	d.env["NO_COLOR"] = "1"
	p = d.sit("diff", "-f", file)
	p.leaves(1)
	if strings.Contains(p.screen.String(), "\x1b") {
		t.Errorf("coloured all the same: %q", p.screen.String())
	}

	watch := d.sit("get", "-w", "-l", "game=quake")
	events := d.sit("events", "-w")
	d.do("apply", "-f", file).want(0)
	watch.sees("web ")
	d.do("start", "web").want(0)
	watch.sees("running")
	events.sees("Running")
	logs := d.sit("logs", "-f", "web")
	logs.sees("up")
	d.with("hi\n", "attach", "web").want(0)
	logs.sees("got hi")
	d.with("\x1b]0;title\a\n", "attach", "web").want(0)
	logs.sees(`got \x1b]0;title\a`)
	raw := d.sit("logs", "--raw", "web")
	raw.sees("got \x1b]0;title\a")
	raw.leaves(0)
	d.do("delete", "web").want(0)
	watch.sees("deleted")
	events.sees("Deleted")
	logs.leaves(0) // nothing more can come
	for _, p := range []*person{watch, events} {
		p.cancel()
		p.leaves(command.ExitInterrupted)
	}
}

// TestWaitingForAPull shows on a terminal how far it has come, and elsewhere plain lines.
func TestWaitingForAPull(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.sim.Publish("slow:1", simengine.Remote{Layers: []int64{40_000_000, 1}, Pace: 3 * time.Second, StallAfter: 1})
	file := d.file("web.yaml", strings.Replace(d.web("web", "power: running"), "game:1", "slow:1", 1))
	p := d.sit("apply", "-f", file, "--wait=running")
	p.sees("web: PullingImage  slow:1")
	p.sees("\r\x1b[K  pulling image slow:1: ")
	p.sees("0.0 of 40.0 MB")
	var piped said
	eventually.Grow(t, 100*time.Millisecond, func(limit time.Duration) error {
		piped = d.do("wait", "web", "--for=running", "--timeout="+limit.String())
		if piped.code != command.ExitTimeout || !strings.Contains(piped.errOut, "pulling image slow:1: ") {
			return fmt.Errorf("exit code %d, and it said %q", piped.code, piped.errOut)
		}
		return nil
	})
	if strings.ContainsAny(piped.errOut, "\r\x1b") || strings.Count(piped.errOut, "\n") != 1 {
		t.Errorf("without a terminal: %q", piped.errOut)
	}
	p.cancel()
	p.leaves(command.ExitInterrupted)
}

// TestMistakes makes every one that can be made, and some twice.
func TestMistakes(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	file := d.file("web.yaml", d.web("web", "labels: {game: quake}"))
	d.do("apply", "-f", file, "--wait").want(0)
	before := d.do("get", "-o", "yaml").out
	for _, c := range []struct {
		args string
		code int
		text string
	}{
		{"get nope", 3, "nope: Container not found"},
		{"get nope web", 3, "nope: Container not found"},
		{"get web -l a=b", 2, "ids or a selector"},
		{"get -l =", 2, "selector"},
		{"get -o xml", 2, `"xml" is none of table, wide, json, yaml, name`},
		{"get -w nope", 3, "Container not found"},
		{"describe", 2, "the id of a container is needed"},
		{"describe nope", 3, "Container not found"},
		{"start nope", 3, "nope: Container not found"},
		{"start", 2, "id"},
		{"start web -l a=b", 2, "not both"},
		{"stop -l game=doom", 3, "no container is chosen"},
		{"start web --wait=done", 2, "none of installed"},
		{"start web --wait running", 2, "as in --wait=running"},
		{"apply -f " + file + " --wait running", 2, "as in --wait=running"},
		{"start web --wait=stopped", 1, "web: wait cannot come true: power is running"},
		{"start web --wait --timeout=soon", 2, "--timeout"},
		{"start web --timeout=1s", 2, "without --wait"},
		{"start web --wait --timeout=0s", 2, "above zero"},
		{"start web --wait --dry-run", 2, "waited for"},
		{"delete", 2, "one of them"},
		{"delete web -l game=quake", 2, "one of them"},
		{"delete nope", 3, "Container not found"},
		{"wait web", 2, "--for"},
		{"wait web --for=done", 2, `"done"`},
		{"wait nope --for=running", 3, "Container not found"},
		{"apply", 2, "-f FILE"},
		{"apply -f /nonexistent", 1, "/nonexistent"},
		{"apply -f " + file + " --prune", 2, "selector"},
		{"apply -f " + file + " -l game=quake", 2, "without --prune"},
		{"apply web", 2, `"web"`},
		{"plan web -f " + file, 2, "not both"},
		{"plan", 2, "-f FILE is needed, or the id"},
		{"plan nope", 3, "Container not found"},
		{"diff -f /nonexistent", 2, "/nonexistent"},
		{"drift nope", 3, "Container not found"},
		{"rebind web", 2, "--none"},
		{"rebind web -p 70000", 2, "65535"},
		{"rebind web --none --image=", 2, "--image is empty"},
		{"rebind web web -p 1", 2, "one id"},
		{"rebind web -p 15565", 1, `Port not found in network pool: 0.0.0.0:15565/tcp; "lightd port add PORT" puts one into the pool`},
		{"reinstall web --install-script /nonexistent", 1, "/nonexistent"},
		{"port", 2, "add, delete, list"},
		{"port dance", 2, `"dance"`},
		{"port add", 2, "25565"},
		{"port add 9-1", 2, "9-1"},
		{"port delete 15565", 3, "not found"},
		{"volume delete nope", 3, "Volume not found"},
		{"volume create x", 1, "must be a UUID"},
		{"apply web.yaml", 2, "a file is named with -f"},
		{"logs nope", 3, "Container not found"},
		{"logs web --tail 5001", 2, "5000"},
		{"logs web --install", 3, "nstall"},
		{"attach nope", 3, "Container not found"},
		{"attach", 2, "id"},
		{"send web", 2, "takes an id and a command"},
		{"send web say hi", 2, "put it in quotes"},
		{"send nope hi", 3, "Container not found"},
		{"events nope", 3, "Container not found"},
		{"events --tail=-1", 2, "below zero"},
		{"events --tail x", 2, `--tail: "x" is no number that it could be; see "lightd events --help"`},
		{"explain limits.memroy", 3, "limits has cpu, cpuset, io_weight, memory"},
		{"explain a b", 2, "one field"},
		{"context use nope", 3, "no context"},
		{"context set prod", 2, "--server"},
		{"context set a/b --server http://x", 2, "can be no name"},
		{"get --context nope", 2, "no context"},
		{"get --server http://127.0.0.1:1", 5, "cannot be reached"},
		{"get --server http://example.com", 2, "no token is given"},
		{"get --server nonsense", 2, `--server: the URL of a daemon is as in "http://127.0.0.1:8070"`},
		{"get --token-file " + filepath.Join(d.dir, "token") + " --server " + d.url + "/else", 5, d.url + "/else: Route not found (is that the URL of a Lightd daemon?)"},
		{"help dance", 2, "dance"},
		{"help port dance", 2, "port dance"},
		{"completion tcsh", 2, "there are bash, fish, powershell, zsh"},
		{"completion", 2, "one of bash"},
		{"get --token-file /nonexistent", 2, "/nonexistent"},
		{"suspend web", 2, `patch ID -p '{"suspended": true}'`},
		{"gett", 2, `there is no command "gett"; did you mean "get"?`},
		{"get --nope", 2, "--nope"},
	} {
		d.do(strings.Fields(c.args)...).want(c.code, "!"+c.text)
	}
	eventually.Grow(t, 50*time.Millisecond, func(limit time.Duration) error {
		if s := d.do("wait", "web", "--for=deleted", "--timeout="+limit.String()); s.code != 6 || !strings.Contains(s.errOut, "still there") {
			return fmt.Errorf("exit code %d, and it said %q", s.code, s.errOut)
		}
		return nil
	})
	d.do("get", "").want(2, "!empty")
	d.with("internal_id: web\nimagee: x\n", "apply", "-f", "-").want(1, "!stdin:2: imagee is not a known field")
	const inline = "internal_id: web, image: game:1, volume_id: none, startup_command: x"
	five := strings.ReplaceAll(inline, ", ", "\n") + "\nhostname: web\n"
	for text, want := range map[string]string{ // what the daemon refuses is mapped to the lines of the file
		five + "limits:\n  memroy: 1\n":                                "!stdin:7: limits.memroy is not a known field",
		five + "---\ninternal_id: b\nimagee: x\n":                      "!stdin:8: imagee is not a known field",
		"- {" + inline + "}\n- internal_id: b\n  imagee: x\n":          "!stdin:3: imagee is not a known field",
		five + "env:\n  PORT: 25565\n":                                 `!stdin:7: env.PORT must be a string: quote it, as in "25565"`,
		five + "user: 1000\n":                                          `!stdin:6: user must be a string: quote it, as in "1000"`,
		five + "tmpfs: {/tmp: 64}\n":                                   `!stdin:6: tmpfs./tmp must be a string: quote it, as in "64"`,
		five + "env: {EULA: true}\n":                                   `!stdin:6: env.EULA must be a string: quote it, as in "true"`,
		five + "ports: [~]\n":                                          "!stdin:6: ports[0] null is not allowed",
		five + "env: {A: }\n":                                          "!stdin:6: env.A must not be null",
		five + "stop: {timeout: soon}\n":                               "!stdin:6: stop.timeout must be a duration",
		five + "user: \"a\\0b\"\n":                                     "!stdin:6: user must not contain a NUL",
		"{\n \"internal_id\": \"web\",\n \"imagee\": \"x\"\n}":         "!stdin:3: imagee is not a known field",
		"{\"internal_id\":\"web\"}\n{\"internal_id\":\"two\",\"x\":1}": "!stdin:2: x is not a known field",
		"{\"internal_id\":\"a\",\n\"ports\":[\nnull]}":                 "!stdin:3: ports[0] null is not allowed",
	} {
		d.with(text, "apply", "-f", "-").want(1, want)
	}
	d.with("internal_id: two\nimage: game:1\nvolume_id: none\nstartup_command: x\nlimits: {cpu: 100000}\n", "apply", "-f", "-").want(1, "!stdin:5: limits.cpu")
	d.env["LIGHTD_TOKEN"] = "lightd_0123456789abcdef"
	d.do("get").want(1, "!does not accept the token from LIGHTD_TOKEN")
	delete(d.env, "LIGHTD_TOKEN")
	if after := d.do("get", "-o", "yaml").out; after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	if data, err := os.ReadFile(filepath.Join(d.dir, ".config")); err == nil {
		t.Errorf("contexts were written: %s", data)
	}
}

// TestElsewhere names a daemon in every way there is, and asks for completions.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("apply", "-f", d.file("web.yaml", d.web("web", ""))).want(0)
	token := filepath.Join(d.dir, "token")
	secret := string(harness.Value[[]byte](t)(os.ReadFile(token)))
	away := map[string]string{"HOME": d.dir, "LIGHTD_DATA_DIR": filepath.Join(d.dir, "nothing")}
	d.env = away
	d.do("get").want(2, "!no daemon has run on this machine")
	d.do("get", "-o", "name", "--server", d.url, "--token-file", token).is(0, "web\n")
	d.with(secret, "get", "-o", "name", "--server", d.url, "--token-file", "-").is(0, "web\n")
	d.do("get", "-o", "name", "--server", d.url, "--token", strings.TrimSpace(secret)).is(0, "web\n")
	d.env = map[string]string{"HOME": d.dir, "LIGHTD_URL": d.url, "LIGHTD_TOKEN": strings.TrimSpace(secret)}
	d.do("get", "-o", "name").is(0, "web\n")
	d.env = away
	d.do("context", "list").want(0, "!There is no context")
	d.do("context", "set", "here", "--server", d.url, "--token-file", token).want(0, "Commands talk to here ("+d.url+").")
	d.do("context", "set", "there", "--server", "https://there", "--token-file", token).want(0, "talk to here")
	d.do("context", "list").want(0, "*         here ", "          there")
	d.do("get", "-o", "name").is(0, "web\n")
	d.do("context", "use", "--none").want(0, "this machine")
	d.do("get", "-o", "name", "--context", "here").is(0, "web\n")
	d.do("context", "use", "here").want(0)

	for _, shell := range []string{"bash", "zsh", "fish"} {
		d.do("completion", shell).want(0, "lightd")
	}
	d.do("__complete", "describe", "").want(0, "web\toffline, game:1\n")
	d.do("__complete", "start", "web", "").is(0, ":4\n")
	d.do("volume", "create").want(0)
	d.do("__complete", "volume", "delete", "").is(0, "VOLUME\tmade AGE ago\n:4\n") // not the one that web names
	d.do("__complete", "get", "--context", "").want(0, "here\t"+d.url)
	d.do("__complete", "get", "-o", "").want(0, "yaml\n")
	d.do("__complete", "explain", "limits.m").want(0, "limits.memory\n")
	d.do("context", "delete", "here").want(0)
	d.do("__complete", "describe", "").is(0, ":4\n") // no daemon, no offer, no noise
}
