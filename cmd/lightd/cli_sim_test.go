package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"lightd/cmd/lightd/command"
)

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
	d.do("get", "web", "-o", "wide", "--no-headers").is(0, "web  ready  running  True  0  AGE  game:1  running  1  127.77.0.1:15565/tcp  -  -  CONTAINER  VOLUME  game=quake  runs (since TIME)\n")
	d.do("get", "-l", "game=doom", "-o", "name").is(0, "")
	d.do("get", "-o", "name").is(0, "web\n")
	d.do("describe", "web").want(0, "State:           running, should be running\n", "Install script:  ./install\n", "Drift:           none\n", "Next:            none\n", "PatternMatched")
	d.do("drift").is(0, "").want(0, "!1 in sync, 0 drifted.")
	d.do("plan", "web").is(0, "web: nothing to do\n")

	// What was read can be changed and applied.
	read := d.do("get", "web", "-o", "yaml").want(0, "internal_id: web\n", "conditions:\n").out
	d.with(read, "apply", "-f", "-").is(0, "web: unchanged, generation 1\n")
	more := strings.Replace(read, "pids: 512", "pids: 513", 1)
	if diff := d.with(more, "diff", "-f", "-").want(1, "-  pids: 512\n+  pids: 513\n").out; strings.Count(diff, "\n-") != 1+strings.Count(diff, "\n---") || strings.Contains(diff, "network: \"\"") {
		t.Errorf("diff shows what does not change:\n%s", diff)
	}
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
// TestDeclaringAll: a file brings what its containers need, all or nothing, and nothing that deletes them
// deletes that.
func TestDeclaringAll(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const volume = "d6764075-c5f1-4045-9fb3-85315b85cb0f"
	all := func(image, more string) string {
		return d.file("all.yaml", fmt.Sprintf(`
volumes:
- volume_id: %[1]s
ports:
- {ip: 127.77.0.1, ports: 15565-15567}
containers:
- {internal_id: web, image: "%[2]s", volume_id: %[1]s, startup_command: ./run, labels: {of: all}, ports: [{ip: 127.77.0.1, port: 15566}]}
%[3]s`, volume, image, more))
	}
	file := all("game:1", "")
	const made = "volume " + volume + ": created\nports of the pool: 3 created, 0 unchanged\nweb: create"
	d.do("plan", "-f", file).want(0, made+"\n", "!1 to create")
	d.do("diff", "-f", file).want(1, "--- is/node\n+++ would be/node\n", "+volume "+volume+"\n+3 ports of the pool\n", "+image: game:1\n")
	d.do("apply", "-f", file, "--dry-run").want(0, "volume "+volume+": created (dry run)\n", "web: created, generation 1 (dry run)\n")
	d.do("apply", "-f", all("", "")).want(1, "!all.yaml:7: image is required")
	d.do("apply", "-f", all("game:1", "---\nports: [{ip: 127.77.0.1, port: 70000}]\n")).want(1, "!all.yaml:9: port must be")
	d.do("apply", "-f", all("game:1", "---\nvolumes: [{volume_id: "+volume+"}]\n")).want(1, "!all.yaml:9: volume_id is given twice")
	d.do("port", "list", "-o", "json").is(0, "{\n  \"ports\": []\n}\n")

	file = all("game:1", "")
	d.do("apply", "-f", file, "--wait").is(0, "volume VOLUME: created\nports of the pool: 3 created, 0 unchanged\nweb: created, generation 1, synced\n")
	d.do("apply", "-f", file).is(0, "volume VOLUME: unchanged\nports of the pool: 0 created, 3 unchanged\nweb: unchanged, generation 1\n")
	d.do("diff", "-f", file).is(0, "")
	needs := d.file("needs.yaml", "ports: [{ip: 127.77.0.1, ports: 15565-15568}]\n")
	d.do("apply", "-f", needs, "--prune", "-l", "of=all").want(2, "!the files hold no container")
	d.do("delete", "-f", needs).want(2, "!the files hold no container")
	d.do("diff", "-f", needs).want(1, "+1 port of the pool")
	d.do("apply", "-f", needs).is(0, "ports of the pool: 1 created, 3 unchanged\n")

	// A prune deletes containers alone.
	other := d.file("other.yaml", fmt.Sprintf("containers:\n- {internal_id: other, image: \"game:1\", volume_id: %s, startup_command: ./run}\n", volume))
	d.do("apply", "-f", other, "--prune", "-l", "of=all", "--wait").want(0, "other: created", "web: deleted")
	d.do("port", "list").want(0, "15565", "15568")
	d.do("volume", "list").want(0, volume)
	d.do("delete", "-f", other).want(0, "other: deleted")
	d.do("volume", "list").want(0, volume)
}

func TestActing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("port", "add", strings.Replace(pool, "77.0.1", "77.0.2", 1)).want(0)
	d.do("apply", "-f", d.file("all.yaml", d.web("a", "labels: {game: quake}")+"---\n"+d.web("b", "labels: {game: quake}"))).want(0)
	d.do("start", "a", "b", "--wait").is(0, "a: running (generation 2)\nb: running (generation 2)\n")
	d.do("wait", "a", "b", "--for=running").is(0, "a is running\nb is running\n")
	d.do("wait", "-l", "game=quake", "--for=running").is(0, "a is running\nb is running\n")
	d.do("wait", "--all", "--for=running").is(0, "a is running\nb is running\n")
	d.do("wait", "-l", "game=doom", "--for=running").want(command.ExitNotFound, "!no container is chosen")
	d.do("wait", "--for=running").want(command.ExitUsage, "!wait")
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
	d.do("rebind", "a", "--none", "--image", "game:2", "--dry-run").want(0, "a: ", "image")
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
	d.do("send", "a", "say hi").is(0, "a: command sent\n")
	d.do("send", "b", "x").want(4, "!Container is not running")
	poll(t, func() error {
		if out := d.do("logs", "a").out; !strings.Contains(out, "got say hi") {
			return fmt.Errorf("it printed %q", out)
		}
		return nil
	})
	d.do("delete", "-l", "game=quake", "--wait=false").want(0, "b: ")
	d.do("wait", "a", "b", "--for=deleted").want(0)
	d.do("delete", "a", "--ignore-not-found").is(0, "")
}

// TestTokenThatLacksAScope: the error names where the token is from, which may be another one than was meant.
func TestTokenThatLacksAScope(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	token := strings.TrimSpace(d.do("token", "create", "--ttl", "1h", "--scopes", "read").want(0).out)
	d.do("cordon", "--token", token).want(1, "!The token lacks the scope admin; it is from --token")
}
