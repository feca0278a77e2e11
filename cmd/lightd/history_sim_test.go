package main

import (
	"strings"
	"testing"

	"lightd/cmd/lightd/command"
)

// TestUndo: the specs of a container are listed, and one is written again after its difference and its plan were shown, and
// after a yes. The power stays, and so does everything where the answer is no, or the container was changed meanwhile.
func TestUndo(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("apply", "-f", d.file("web.yaml", d.web("web", "env: {KEY: one}\nlimits: {memory: 64Mi}")), "--wait").want(0)
	d.do("undo", "web").want(command.ExitNotFound, "!there is no spec before the present one")
	d.do("patch", "web", "-p", "env: {KEY: two}").want(0)
	d.do("start", "web", "--wait").want(0)
	d.do("patch", "web", "-p", "limits: {memory: 128Mi}", "--wait").want(0)
	table := d.do("history", "web").want(0).out
	rows := strings.Split(strings.TrimSpace(table), "\n")
	if len(rows) != 4 || !strings.HasPrefix(rows[0], "GENERATION") || !strings.HasPrefix(rows[1], "4 ") || !strings.HasSuffix(rows[1], "limits.memory") ||
		!strings.HasPrefix(rows[2], "2 ") || !strings.HasSuffix(rows[2], "env.KEY") || !strings.HasSuffix(rows[3], "created") {
		t.Errorf("got\n%s", table)
	}
	d.do("history", "web", "-o", "json").want(0, `"generation": 4`, `"limits.memory"`)

	d.do("undo", "web", "--dry-run").want(0, "-  memory: 134217728", "+  memory: 67108864", "web: change in place, because memory from 128 MiB to 64 MiB", "UpdateLimits")
	d.do("undo", "web").want(command.ExitUsage, "!undo needs --yes where nobody can be asked")
	d.do("get", "web", "-o", "yaml").want(0, "memory: 134217728")
	d.do("undo", "web", "--yes", "--wait").want(0, "web: synced (generation 5), as in generation 2")
	d.do("get", "web", "-o", "yaml").want(0, "memory: 67108864", "KEY: two", "power: running", "state: running")
	d.do("undo", "web", "--to", "1", "--yes", "--wait=running").want(0, "KEY: one", "recreate, because env.KEY changed", "as in generation 1")
	d.do("undo", "web", "--to", "6", "--yes").want(0, "!the spec is that of generation 6 already")
	d.do("undo", "web", "--to", "4", "--yes").want(0, "memory: 134217728", "as in generation 4")

	d.do("undo", "web", "--to", "99", "--yes").want(command.ExitNotFound, "!the spec of generation 99 is not kept")
	d.do("undo", "web", "--to", "0").want(command.ExitUsage, "!--to must be a generation")
	d.do("undo", "none").want(command.ExitNotFound, "!none: Container not found")
	d.do("undo", "web", "--dry-run", "--wait").want(command.ExitUsage, "!waited for")
	d.do("history", "none").want(command.ExitNotFound, "!none: Container not found")
	d.do("patch", "web", "-p", "{suspended: true, labels: {a: b}}").want(0)
	d.do("undo", "web", "--yes").want(0)
	d.do("get", "web", "-o", "yaml").want(0, "suspended: true", "power: running")

	p := d.sit("undo", "web", "--to", "2")
	p.sees("Write the spec of generation 2? [y/N] ")
	p.types("n\r")
	p.sees("Nothing was changed.")
	p.leaves(command.ExitFailed)
	p = d.sit("undo", "web", "--to", "2")
	p.sees("Write the spec of generation 2? [y/N] ")
	d.do("patch", "web", "-p", "labels: {c: d}").want(0)
	p.types("y\r")
	p.leaves(command.ExitConflict)
}
