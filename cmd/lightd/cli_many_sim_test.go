package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"lightd/cmd/lightd/command"
	"lightd/hack/simengine"
)

// TestMany: what is done with one container is done with several, with those of a selector and with all.
func TestMany(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("stop", "--all").is(0, "")
	d.do("delete", "--all", "--yes").is(0, "")
	d.do("apply", "-f", d.file("all.yaml", d.web("a", "labels: {of: x}\npower: running")+"---\n"+d.web("b", "labels: {of: x}\npower: running")+"---\n"+d.web("c", "install_script: x")), "--wait").want(0)
	d.running("a")
	d.running("b")
	d.do("send", "b", "hi").want(0)
	poll(t, func() error {
		return d.do("logs", "b").has("got hi")
	})
	d.do("logs", "a", "b").is(0, "a | up\nb | up\nb | hi\nb | got hi\n")
	d.do("logs", "-l", "of=x", "-n", "1").is(0, "a | up\nb | got hi\n")
	const stamp = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z `
	if got := d.do("logs", "-t", "b", "-n", "2").want(0).out; !regexp.MustCompile("^" + stamp + "hi\r?\n" + stamp + "got hi\r?\n$").MatchString(got) {
		t.Errorf("with times: %q", got)
	}
	d.do("logs", "a", "nope").want(3, "a | up\n", "!nope: Container not found")
	d.do("logs", "--install", "c", "a").want(3, "c | fetching\nc | unpacking\n")
	d.do("logs").want(2, "!the id of a container is needed")
	d.do("logs", "a", "-l", "of").want(2, "!ids or a selector, not both")
	d.do("logs", "-l", "of=nothing").want(3, `!no container is chosen by "of=nothing"`)

	events := d.do("events", "a", "b", "-o", "custom-columns=SEQ:.seq,ID:.internal_id").want(0, "a", "b").out
	if strings.Contains(events, " c") || d.do("events", "-l", "of=x", "-o", "custom-columns=SEQ:.seq,ID:.internal_id").out != events {
		t.Errorf("events:\n%s", events)
	}
	d.do("events", "a", "b", "--tail", "1", "-o", "jsonpath={.type}").is(0, "Running\n")
	d.do("describe", "-l", "of=x").want(0, "ID:              a\n", "\n\nID:              b\n")
	d.do("stop", "--all", "--wait").is(0, "a: stopped (generation 2)\nb: stopped (generation 2)\nc: stopped (generation 1)\n")
	d.do("stop", "a", "--all").want(2, "!--all leaves nothing to choose")
	d.do("rebind", "a", "--all", "--none").want(2, "!rebind takes one id")
	d.do("rebind", "a", "-l", "of", "--none").want(2, "!rebind takes one id")

	d.do("delete", "--all").want(2, "!--all needs --yes where nobody can be asked")
	d.do("delete", "a", "--yes").want(2, "!--yes has no meaning without --all")
	d.do("delete", "a", "--all").want(2, "!one of them")
	d.do("delete", "--all", "--dry-run").want(0, "a: delete\n", "c: delete\n")
	p := d.sit("delete", "--all")
	p.sees("Delete 3 containers: a, b, c? Their volumes stay. [y/N] ")
	p.types("no\r")
	p.sees("Nothing was deleted.")
	p.leaves(command.ExitFailed)
	p = d.sit("delete", "--all")
	p.sees("[y/N] ")
	p.cancel()
	p.leaves(command.ExitInterrupted)
	p = d.sit("rm", "--all")
	p.sees("[y/N] ")
	p.types("y\r")
	p.sees("c: deleted")
	p.leaves(0)
	d.do("get").want(0, "!There is no container.")
}

// TestFollowingMany: the lines of several containers stand below each other, each whole.
func TestFollowingMany(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("apply", "-f", d.file("all.yaml", d.web("a", "labels: {of: x}\npower: running")+"---\n"+d.web("b", "labels: {of: x}\npower: running"))).want(0)
	d.running("a")
	d.running("b")
	logs, events := d.sit("logs", "-f", "-l", "of=x"), d.sit("events", "a", "b", "-w", "--tail", "0")
	logs.sees("a | up\r\n")
	logs.sees("b | up\r\n")
	d.do("send", "a", "one").want(0)
	logs.sees("a | got one\r\n")
	d.do("send", "b", "\x1b]0;title\atwo").want(0)
	logs.sees(`b | got \x1b]0;title\atwo` + "\r\n")
	d.do("kill", "b", "--wait").want(0)
	events.sees("Exited")
	d.do("delete", "a", "b").want(0)
	logs.leaves(0) // nothing more can come
	d.do("apply", "-f", d.file("c.yaml", d.web("c", "power: running")), "--wait=running").want(0)
	logs = d.sit("logs", "-f", "c", "nope")
	logs.sees(" nope: Container not found")
	d.do("delete", "c").want(0)
	logs.leaves(3)
	events.sees("Deleted")
	events.cancel()
	events.leaves(command.ExitInterrupted)
}

// TestMistypedIDs: an id that no container has is answered with the one that is nearly the same.
func TestMistypedIDs(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("apply", "-f", d.file("all.yaml", d.web("survival-001", "")+"---\n"+d.web("creative", "")+"---\n"+d.web("hub", ""))).want(0)
	for args, want := range map[string]string{
		"get survval-001": `survval-001: Container not found; did you mean "survival-001"?`, "describe surv": `surv: Container not found; did you mean "survival-001"?`, "start hubb": `did you mean "hub"?`,
		"logs creatvie": `did you mean "creative"?`, "delete hug": `did you mean "hub"?`, "get xyz": "xyz: Container not found\n", "get pots": `did you mean "ports"?`, "describe pots": "pots: Container not found\n",
		"describe container/hubb": `hubb: Container not found; did you mean "hub"?`, "attach c": "c: Container not found\n", "patch HUB -p {}": "HUB: Container not found\n",
		"get hub creativ": `creativ: Container not found; did you mean "creative"?`,
	} {
		d.do(strings.Fields(args)...).want(3, "!"+want)
	}
}

// TestStopWithin: a stop may be given its own time, once, and a second one another.
func TestStopWithin(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.sim.OnCommand("entrypoint.sh", func(ctx context.Context, p *simengine.Process) {
		fmt.Fprintln(p.Stdout(), "up")
		for {
			select {
			case <-ctx.Done():
				return
			case <-p.Signals(): // it does not end
			}
		}
	})
	d.do("apply", "-f", d.file("web.yaml", d.web("web", "power: running\nstop: {timeout: 5m}")), "--wait=running").want(0)
	d.do("stop", "web", "-t", "1", "--wait").is(0, "web: stopped (generation 2)\n")
	d.do("events", "web").want(0, "SIGKILL after 1s without an end")
	d.do("start", "web", "--wait").want(0)
	d.do("stop", "web").is(0, "web: stop initiated (generation 4)\n")
	d.do("stop", "web", "--grace", "100ms", "--wait").is(0, "web: stopped (generation 5)\n")
	d.do("stop", "web", "-t", "1h").want(1, "!grace must be one duration from 0s to 10m0s")
}
