package main

import (
	"strings"
	"testing"
)

// TestDescriptionEndsAnIncident: what went wrong, what it printed last, what comes next and when,
// and what to do about it, all in one place.
func TestDescriptionEndsAnIncident(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("apply", "-f", d.file("broken.yaml", d.web("broken", "install_script: exit 3")), "--wait").want(7)
	out := d.do("describe", "broken").want(0).out
	for _, want := range []string{
		"ID:              broken\nSummary:         was not installed (since 20", "): the install script ended with exit code 3; Lightd does not run it again by itself; " +
			"read its output with \"lightd logs --install broken\", correct the script with \"lightd edit broken\", and run \"lightd reinstall broken\"\n" +
			"Last output of the installation:\n  fetching\n  unpacking\nState:",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}

	d.do("apply", "-f", d.file("web.yaml", d.web("web", "power: running")), "--wait=running").want(0)
	api := d.api()
	for ends := 1; ends < 6; ends++ {
		if err := d.sim.Exit("lightd-web", 1); err != nil {
			t.Fatal(err)
		}
		if ends < 5 {
			api.until("web", "running again", func(c view) bool { return c.Restarts == ends && c.State == "running" })
		}
	}
	api.until("web", "in its backoff", func(c view) bool { return c.State == "backoff" })
	out = d.do("describe", "web").want(0).out
	for _, want := range []string{
		"\nNext attempt:    in ", "s (attempt 6)\n", "\nWhen:            in ", "StartContainer   power is running\n",
		"\nSummary:         ends again and again (since 20", "): its exit code was 1; each restart waits longer, up to 5 min; " +
			"read why it ends with \"lightd logs web\"; \"lightd start web\" starts it now\nLast output:\n  up\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	// What the summary says is no hint as well, and what has printed nothing no output.
	d.do("apply", "-f", d.file("off.yaml", d.web("off", "")), "--wait").want(0)
	if out := d.do("describe", "off").want(0).out; strings.Contains(out, "Hint") || strings.Contains(out, "output") {
		t.Errorf("of a container that is as it should be:\n%s", out)
	}
}

// TestDescriptionWithoutTheEngine: one that hangs, or is away, takes the output away, and nothing else.
func TestDescriptionWithoutTheEngine(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("apply", "-f", d.file("web.yaml", d.web("web", "power: running")), "--wait=running").want(0)
	d.sim.Silence()
	d.do("describe", "web").want(0, "Summary:         runs (since 20", "Last output:     not shown: it does not come within 5s\n")
	d.sim.Refuse()
	d.api().until("web", "unknown", func(c view) bool { return c.State == "unknown" })
	d.do("describe", "web").want(0, "Summary:         is in an unknown state, as Docker does not answer (since 20", "not shown: Docker does not answer\n")
}
