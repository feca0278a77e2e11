package main

import (
	"strings"
	"testing"
)

// TestCommandsWithNarrowTokens: a command uses what the token allows, and does without what only adds to it.
func TestCommandsWithNarrowTokens(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	spec := d.web("web", "power: running")
	d.do("apply", "-f", d.file("web.yaml", spec), "--wait=running").want(0)
	token := func(args ...string) {
		t.Helper()
		delete(d.env, "LIGHTD_TOKEN")
		made := d.do(append([]string{"token", "create", "--ttl", "1h"}, args...)...).want(0)
		for _, word := range strings.Fields(made.out) {
			if strings.HasPrefix(word, "lightd_") {
				d.env["LIGHTD_TOKEN"] = word
			}
		}
		if d.env["LIGHTD_TOKEN"] == "" {
			t.Fatal(made.out)
		}
	}

	token("--scopes", "console,power", "--container", "web")
	p := d.sit("attach", "web")
	p.sees("attached to web; ")
	p.types("hello\n")
	p.sees("got hello")
	p.types("\x10\x11")
	p.leaves(0)
	d.with("hi\n", "attach", "web").want(0)
	d.do("logs", "web").want(0, "got hello")
	logs := d.sit("logs", "-f", "web")
	logs.sees("got hi")
	d.with("again\n", "attach", "web").want(0)
	logs.sees("got again")
	logs.cancel()
	for _, args := range [][]string{{"attach", "other"}, {"logs", "-f", "other"}} {
		d.do(args...).want(3, "!not found")
	}
	d.do("stop", "web", "--wait").want(0, "stopped")
	d.do("start", "web", "--wait").want(0, "running")
	d.do("get", "web").want(1, "!read")

	token("--scopes", "power")
	d.do("restart", "web", "--wait").want(0, "running")
	d.do("attach", "web").want(1, "!console")
	d.do("logs", "-f", "web").want(1, "!console")

	token("--scopes", "read")
	out := d.do("describe", "web").want(0, "Last output:     not shown: ").out
	if !strings.Contains(out, "console") || !strings.Contains(out, "Events:") {
		t.Error(out)
	}
	d.do("get", "web").want(0, "running")
	d.do("wait", "web", "--for=running").want(0, "web is running")
	d.do("events", "web").want(0, "Running")

	token("--scopes", "write")
	file := d.file("web.yaml", strings.Replace(spec, "game:1", "game:2", 1))
	d.do("diff", "-f", file).want(1, "+image: game:2")
	d.do("apply", "-f", file, "--wait").want(0, "synced")
}
