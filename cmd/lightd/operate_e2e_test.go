package main

import (
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"lightd/cmd/lightd/check"
	"lightd/cmd/lightd/docs"
	"lightd/hack/harness"
)

// guideScripts stand for what the machine of a test has not: systemd, and an fstab of its own.
var guideScripts = map[string]string{
	"sudo":       `exec "$@"`,
	"journalctl": `cat DIR/journal`,
	"mount":      `exec /bin/mount -T DIR/fstab "$@"`,
	"lightd":     `exec PROGRAM "$@"`,
	"systemctl": `begin() {
	: > DIR/ready
	lightd serve --config DIR/etc/lightd.yaml > DIR/ready 2>> DIR/journal & echo $! > DIR/pid
	for i in $(seq 1200); do grep -q 'accepts requests' DIR/ready && return; sleep 0.1; done; return 1
}
end() {
	[ -e DIR/pid ] || return 0
	kill "$(cat DIR/pid)"
	while kill -0 "$(cat DIR/pid)" 2> /dev/null; do sleep 0.1; done
}
case $1 in
reload) kill -HUP "$(cat DIR/pid)" ;;
stop | disable) end ;;
enable) ;;
restart) end; begin ;;
*) begin ;;
esac`,
}

// ofTheMachine are the items of a check that are up to the kernel and the engine of whoever runs the test.
var ofTheMachine = []string{"clock", "lsm", "kernel", "limits", "storage-driver", "engine-disk", "volume-quotas", "user-namespaces"}

// guide is a machine on which somebody does what the operator's guide says.
type guide struct {
	t       *testing.T
	dir     string
	engine  *ownEngine
	replace *strings.Replacer
}

func newGuide(t *testing.T) *guide {
	g := &guide{t: t, dir: t.TempDir(), engine: newOwnEngine(t, "")}
	g.replace = strings.NewReplacer("/etc/lightd", g.dir+"/etc", "/etc/fstab", g.dir+"/fstab", "/var/lib/lightd", g.dir+"/data", "/srv/", g.dir+"/srv/",
		"/run/", g.dir+"/", "/usr/bin/", g.dir+"/installed/", "debian:12", harness.Busybox())
	for _, dir := range []string{"bin", ".bin", "installed", "srv"} {
		if err := os.Mkdir(filepath.Join(g.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	fill := strings.NewReplacer("DIR", g.dir, "PROGRAM", harness.Value[string](t)(os.Executable()))
	for name, script := range guideScripts {
		if err := os.WriteFile(filepath.Join(g.dir, "bin", name), []byte("#!/bin/bash\n"+fill.Replace(script)+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../bin/lightd", filepath.Join(g.dir, ".bin/lightd")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.clear)
	return g
}

// clear ends what a test that has failed leaves.
func (g *guide) clear() {
	text, err := os.ReadFile(filepath.Join(g.dir, "pid"))
	if pid, atoi := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && atoi == nil {
		_ = syscall.Kill(pid, syscall.SIGTERM)
		poll(g.t, func() error { return ended(pid) })
	}
	_ = syscall.Unmount(filepath.Join(g.dir, "data"), syscall.MNT_DETACH)
}

// run types lines into a shell, and returns what they print.
func (g *guide) run(lines string) string {
	g.t.Helper()
	engine := strings.TrimSpace(string(harness.Value[[]byte](g.t)(os.ReadFile(filepath.Join(g.engine.dir, "docker.pid")))))
	// The engine has a network of its own, which is that of the guide's machine.
	cmd := exec.Command("nsenter", "-t", engine, "-n", "bash", "-e", "-o", "pipefail", "-c", lines)
	cmd.Dir = g.dir
	cmd.Env = []string{"PATH=" + g.dir + "/bin:" + os.Getenv("PATH"), "HOME=" + g.dir, "LIGHTD_CONFIG=" + g.dir + "/etc/lightd.yaml",
		"LIGHTD_DATA_DIR=" + g.dir + "/data", "DOCKER_HOST=unix://" + g.engine.socket, asProgram + "=1"}
	printed, err := cmd.CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(g.dir, "journal"))
		g.t.Fatalf("%s: %v:\n%s\n%s", lines, err, printed, log)
	}
	return string(printed)
}

// inspect fails the test where a check has found anything that is up to the guide.
func (g *guide) inspect() {
	g.t.Helper()
	var items []check.Item
	if err := json.Unmarshal([]byte(g.run("lightd check -o json")), &items); err != nil || len(items) < 15 {
		g.t.Fatalf("%v: %+v", err, items)
	}
	for _, i := range items {
		if i.Verdict != check.OK && !slices.Contains(ofTheMachine, i.Name) {
			g.t.Errorf("after the guide: %+v", i)
		}
	}
}

// TestOperatorsGuide does what the guide says, from an empty machine to the removal, on an engine of its own.
func TestOperatorsGuide(t *testing.T) {
	t.Parallel()
	g := newGuide(t)
	topic, found := docs.Find("operate")
	if !found {
		t.Fatal("there is no guide")
	}
	var text strings.Builder
	if err := topic.Write(&text, 1000); err != nil {
		t.Fatal(err)
	}
	var typed, checks int
	printed := map[string]string{}
	for _, command := range regexp.MustCompile(`(?m)^    (\S.*(?:\n      .*)*)$`).FindAllStringSubmatch(text.String(), -1) {
		typed++
		line, _, _ := strings.Cut(command[1], "\n")
		printed[line] = cmp.Or(printed[line], g.run(g.replace.Replace(command[1]))) // what is repeated is compared once
		if line == "sudo lightd check" {
			checks++
			g.inspect()
		}
	}
	if typed < 45 || checks != 5 {
		t.Errorf("%d commands were run, with %d checks", typed, checks)
	}
	for line, want := range map[string]string{
		"sudo lightd describe web": "Summary:         runs (since", "sudo lightd token list": "panel", "sudo lightd get -o wide": "runs (since",
		"sudo lightd delete --all --yes": "web: deleted", `curl -sk -H "Authorization: Bearer $(cat prometheus.token)" \`: "lightd_engine_up 1",
	} {
		if !strings.Contains(printed[line], want) {
			t.Errorf("%s prints %s", line, printed[line])
		}
	}
	if left, err := os.ReadFile(filepath.Join(g.dir, "fstab")); err != nil || len(left) > 0 || !g.engine.absent("lightd-web") {
		t.Errorf("it is not removed: %q, %v", left, err)
	}
}
