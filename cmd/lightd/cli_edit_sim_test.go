package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/cmd/lightd/command"
	"lightd/hack/harness"
)

// TestRunFromFlags makes containers from flags, with what they need, as one does with docker run.
func TestRunFromFlags(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.env["SECRET"] = "s3cret"
	run := func(more ...string) said {
		return d.do(append([]string{"run", "web", "--image", "game:1"}, more...)...)
	}
	d.do("port", "add", "127.77.0.1:15566/udp").want(0)
	run("--dry-run", "--", "./game").want(0, "volume ", ": created\nweb: create\n", "StartContainer")
	run("-p", "127.77.0.1:15565:80", "-p", "0/udp", "-v", "d6764075-c5f1-4045-9fb3-85315b85cb0f", "-e", "A=b", "-e", "SECRET", "-m", "64Mi", "--cpu", "500m", "--label", "of=x", "--dry-run", "-o", "yaml", "--", "./game", "it's").is(0, `
volumes:
  - volume_id: VOLUME
ports:
  - ip: 127.77.0.1
    port: 15565
    protocol: tcp
containers:
  - internal_id: web
    image: game:1
    volume_id: VOLUME
    startup_command: ./game 'it'\''s'
    ports:
      - ip: 127.77.0.1
        port: 15565
        container_port: 80
      - protocol: udp
    limits:
      cpu: 0.5
      memory: 67108864
    env:
      A: b
      SECRET: s3cret
    labels:
      of: x
    power: running
`)
	d.do("get").want(0, "!There is no container.")
	run("-p", "0", "--", "./game").want(command.ExitConflict, "!web: ports[0]: No available ports in pool for tcp")
	d.do("volume", "list", "-o", "name").is(0, "")
	run("-p", "127.77.0.1:15565", "-m", "64Mi", "--start-pattern", "up", "--wait", "--", "./game").
		want(0, "volume ", ": created\nports of the pool: 1 created, 0 unchanged\nweb: created, generation 1, running\n", "!web: Running")
	d.do("get", "web", "-o", "jsonpath={.limits.memory} {.startup_command} {.ports[0].port}").is(0, "67108864 ./game 15565")
	run("--", "./game").want(command.ExitConflict, `!web: there is a container of that id: "lightd edit" and "lightd apply" change one`)
	d.do("run", "b", "--image", "game:1", "-p", "127.77.0.1:15565", "-o", "name", "--", "./game").want(command.ExitConflict, "!b: ", "!Port already in use")
	d.do("volume", "list", "-o", "jsonpath={.volumes[*].containers}").is(0, `["web"]`)

	// Without an address a port is of all of them, and one of the pool is not added.
	d.do("run", "d", "--image", "game:1", "-p", "15590/udp", "--", "./game").want(0, "ports of the pool: 1 created")
	d.do("rm", "d").want(0)
	s := d.do("run", "d", "--image", "game:1", "-p", "15590/udp", "--", "./game").want(0)
	if strings.Contains(s.out, "pool") {
		t.Error(s.out)
	}

	// What a printed manifest holds is what run makes.
	file := d.file("c.yaml", d.do("run", "c", "--image", "game:2", "--restart", "never", "--dry-run", "-o", "yaml", "--", "./game", "x").want(0).out)
	d.do("apply", "-f", file, "--wait=running").want(0, "c: created")
	d.do("apply", "-f", file).want(0, "c: unchanged")

	for args, want := range map[string]string{
		"run": "the id of the container is needed", "run x -- a": "--image is needed", "run --image i -- a": "the id of the container is needed", "run x b --image i": `run takes one id, and the command behind "--": "run x [flags] -- b"`, "run x b --image i -- a": "run takes one id", "run x --image i": `the command is needed behind "--"`,
		"run x --image i -m 5X -- a": `--memory: "5X" has an unknown unit`, "run x --image i -m 5G -- a": "can mean two sizes", "run x --image i --cpu lots -- a": "--cpu: ",
		"run x --image i -v /srv:/data -- a": "is no id of a volume", "run x --image i -p 1:2:3:4 -- a": "has too many parts", "run x --image i -e NOT_SET -- a": "has no value",
		"run x --image i --label a -- a": "is not as in a=b", "run x --image i --wait --dry-run -- a": "nothing that could be waited for",
	} {
		d.do(strings.Fields(args)...).want(command.ExitUsage, "!"+want)
	}
	d.do("run", "x", "--image", "game:1", "--restart", "unless-stopped", "--", "a").want(1, "!x: restart must be ")
	d.do("run", "x", "--image", "game:1", "-v", "vol", "--", "a").want(1, "!x: volume_id must be ")
	d.do("run", "..", "--image", "game:1", "--", "a").want(1, "!internal_id ")
	d.do("get", "x").want(3)
}

// TestPatch changes fields of one container, and of those that a selector chooses.
func TestPatch(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("apply", "-f", d.file("all.yaml", d.web("a", "labels: {of: x}\nenv: {A: b}")+"---\n"+d.web("b", "labels: {of: x}"))).want(0)
	d.do("patch", "a", "-p", `{"limits": {"memory": "64Mi", "cpu": "500m"}, "env": {"A": null, "C": "d"}}`, "--wait").want(0, "a: synced (generation 2)\n")
	d.do("get", "a", "-o", "jsonpath={.limits.memory} {.limits.cpu} {.env}").is(0, `67108864 0.5 {"C":"d"}`)
	d.do("patch", "-l", "of=x", "-f", d.file("patch.yaml", "user: '1000'\nlabels:\n  of: y\n"), "-o", "jsonpath={.containers[*].generation}").is(0, "3 2")
	d.with(`{"user": ""}`, "patch", "a", "-f", "-", "--dry-run", "-o", "jsonpath={.action}").is(0, "updated")
	d.do("patch", "a", "-p", "[]").want(1, "!--patch: one object is expected")
	d.do("patch", "a", "-p", "{").want(1, "!--patch")
	d.do("patch", "a", "-p", "limits: {memory: 5X}").want(1, `!--patch:1: limits.memory "5X" has an unknown unit`)
	d.do("patch", "a", "-p", `{"imgae": "x"}`).want(1, "!imgae is not a known field")
	d.do("patch", "a").want(2, "!give the patch with -p")
	d.do("patch", "a", "-p", "{}", "-f", "x").want(2, "!give the patch with -p")
	d.do("patch", "nope", "-p", "{}").want(3, "!nope: Container not found")
}

// editor makes a program that edits: a script of sed for the first, the second, ... time that it is opened.
func (d *desk) editor(scripts ...string) {
	d.t.Helper()
	count := filepath.Join(d.t.TempDir(), "count")
	text := "#!/bin/sh\nn=$(cat " + count + " 2>/dev/null || echo 1)\necho $((n + 1)) > " + count + "\ncp \"$1\" " + d.dir + "/seen.$n\ncase $n in\n"
	for i, script := range scripts {
		text += fmt.Sprintf("%d) %s ;;\n", i+1, script)
	}
	path := d.file("editor", text+"*) exit 9 ;;\nesac\n")
	if err := os.Chmod(path, 0o700); err != nil {
		d.t.Fatal(err)
	}
	d.env["EDITOR"] = path
}

// TestEdit: what is saved is written, what is refused is opened again, and what is given up is kept.
func TestEdit(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("apply", "-f", d.file("web.yaml", d.web("web", "env: {A: b}"))).want(0)
	seen := func(n int) string {
		return string(harness.Value[[]byte](t)(os.ReadFile(fmt.Sprintf("%s/seen.%d", d.dir, n))))
	}

	d.editor("true")
	d.do("edit", "web").want(0, "!web: nothing was changed.")
	if text := seen(1); !strings.HasPrefix(text, "# The spec of web. ") || !strings.Contains(text, "\nenv:\n  A: b\n") || strings.Contains(text, "conditions") {
		t.Errorf("the editor shows\n%s", text)
	}
	d.editor(`sed -i 's/A: b/A: c/; s/memory: 0/memory: 64Mi/' "$1"`)
	d.do("edit", "web", "--wait").want(0, "web: synced (generation 2)\n")
	d.do("get", "web", "-o", "jsonpath={.env.A} {.limits.memory}").is(0, "c 67108864")
	d.editor(`: > "$1"`)
	d.do("edit", "web").want(0, "!nothing was changed.")

	// A slip is opened again, with what is wrong and where.
	d.editor(`sed -i 's/A: c/A: d/; s/^restart: .*/restart: maybe/' "$1"`, `sed -i 's/^restart: .*/restart: [/' "$1"`, `sed -i 's/^internal_id: .*/internal_id: other/; s/^restart: .*/restart: never/' "$1"`, `sed -i 's/^internal_id: .*/internal_id: web/' "$1"`)
	d.do("edit", "web", "-o", "jsonpath={.generation}").is(0, "3")
	for n, want := range map[int]string{2: "# It was refused: restart must be ", 3: "# It was refused: in line ", 4: `# It was refused: internal_id must stay "web"`} {
		if text := seen(n); !strings.Contains(text, want) || !strings.Contains(text, "A: d") {
			t.Errorf("opened for the %d. time: %q is not in\n%s", n, want, text)
		}
	}
	d.do("get", "web", "-o", "jsonpath={.env.A} {.restart}").is(0, "d never")

	// Given up, and overtaken: the work is in a file.
	kept := func(code int, want string) {
		t.Helper()
		s := d.do("edit", "web").want(code, "!"+want, "!the edit is in ")
		_, after, _ := strings.Cut(s.errOut, "the edit is in ")
		file, _, _ := strings.Cut(after, ": ")
		if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "A: mine") {
			t.Errorf("%q has %v\n%s", file, err, text)
		}
		_ = os.Remove(file)
	}
	d.editor(`sed -i 's/A: d/A: mine/; s/^restart: .*/restart: maybe/' "$1"`, "true")
	kept(1, "the edit was given up: restart must be ")
	d.editor(`sed -i 's/A: d/A: mine/' "$1"; exit 3`)
	kept(1, "exit status 3")
	d.editor(`sed -i 's/A: d/A: mine/' "$1"; touch ` + d.dir + `/now; while [ -e ` + d.dir + `/now ]; do sleep 0.05; done`)
	done := make(chan said, 1)
	go func() { done <- d.do("edit", "web") }()
	poll(t, func() error { _, err := os.Stat(filepath.Join(d.dir, "now")); return err })
	d.do("patch", "web", "-p", "user: '1000'").want(0)
	if err := os.Remove(filepath.Join(d.dir, "now")); err != nil {
		t.Fatal(err)
	}
	(<-done).want(command.ExitConflict, "!web: it was changed meanwhile; the edit is in ")
	d.editor("exit 4")
	d.do("edit", "web").want(1, "!web: the editor ", "!exit status 4")
	delete(d.env, "EDITOR")
	d.do("edit", "web").want(2, "!there is no terminal to edit on")
	d.do("edit", "nope").want(3, "!nope: Container not found")

	// A token that does not see the environment would empty it.
	d.env["LIGHTD_TOKEN"] = strings.TrimSpace(d.do("token", "create", "--ttl", "1h", "--scopes", "read").want(0).out)
	d.do("edit", "web").want(1, "!web: the token may not see the environment")
}
