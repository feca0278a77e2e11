package main

import (
	"strings"
	"testing"

	"lightd/cmd/lightd/command"
)

// TestCommandsWithoutAnEngine: what only the engine can answer names it as what is away, and not the daemon.
func TestCommandsWithoutAnEngine(t *testing.T) {
	t.Parallel()
	sim, n := onSim(t)
	volume, _ := n.volume()
	n.send("PUT", "/containers/web?wait=running&timeout=10m", spec("web", volume, `"power":"running"`)).want(201, "")
	sim.Refuse()
	n.until("web", "out of sight", func(c view) bool { return c.State == "unknown" })
	for _, args := range [][]string{{"logs", "web"}, {"send", "web", "say hi"}} {
		out, errOut, code := n.tool(args...)
		if out != "" || code != command.ExitUnreachable || !strings.HasPrefix(errOut, "lightd: web: The ") || !strings.Contains(errOut, "Docker, which does not answer, or fails") ||
			!strings.Contains(errOut, "systemctl status docker") || strings.Contains(errOut, n.url) {
			t.Errorf("%v: exit code %d, %s%s", args, code, out, errOut)
		}
	}
}
