package controller_test

import (
	"fmt"
	"testing"

	"lightd/desired"
)

// lifecycle is a story of writes, each settled before the next, and what must have
// happened at its end whenever the daemon died.
type lifecycle struct {
	script bool
	// separate gives the script an image of its own, which has to be pulled.
	separate bool
	writes   []func(*desired.Container)
	// drains has the node drained and put back into service after the writes.
	drains bool
	starts int
	// installs are the requests whose script ran.
	installs string
}

var lifecycles = map[string]lifecycle{
	"create":             {starts: 0},
	"create with script": {script: true, installs: "1"},
	"create with image":  {script: true, separate: true, installs: "1"},
	"start":              {writes: []func(*desired.Container){requestStart}, starts: 1},
	"stop":               {writes: []func(*desired.Container){requestStart, requestStop}, starts: 1},
	"kill":               {writes: []func(*desired.Container){requestStart, requestKill}, starts: 1},
	"restart twice":      {writes: []func(*desired.Container){requestStart, requestRestart, requestRestart}, starts: 3},
	"rebind":             {writes: []func(*desired.Container){requestStart, changeEnv}, starts: 2},
	"reinstall":          {script: true, writes: []func(*desired.Container){requestStart, reinstall}, starts: 2, installs: "1 2"},
	"reinstall in image": {script: true, separate: true, writes: []func(*desired.Container){requestStart, reinstall}, starts: 2, installs: "1 2"},
	"limits":             {writes: []func(*desired.Container){requestStart, limitMemory}, starts: 1},
	"drain":              {writes: []func(*desired.Container){requestStart}, drains: true, starts: 2},
	"delete":             {script: true, writes: []func(*desired.Container){requestStart, requestDelete}, starts: 1, installs: "1"},
}

func requestStop(c *desired.Container) { c.Power = desired.PowerStopped }
func requestKill(c *desired.Container) { c.Power, c.Kill = desired.PowerStopped, true }
func requestRestart(c *desired.Container) {
	c.Power, c.Kill = desired.PowerRunning, false
	c.Requests.Restart++
}
func changeEnv(c *desired.Container)     { c.Env = map[string]string{"A": "B"} }
func reinstall(c *desired.Container)     { c.Requests.Install++ }
func limitMemory(c *desired.Container)   { c.Limits.Memory = 64 << 20 }
func requestDelete(c *desired.Container) { c.Deleting = true }

func deletes(write func(*desired.Container)) bool {
	var probe desired.Container
	write(&probe)
	return probe.Deleting
}

// play runs a lifecycle in which the daemon dies at a point from its last write on, and
// returns how many there were.
func play(t *testing.T, l lifecycle, at int) int {
	m, erased := newCrashableDaemon(t, 0), false
	if len(l.writes) == 0 {
		m.failpoints.reset(at)
	}
	m.createIt(l.script, l.separate)
	m.settled()
	for i, w := range l.writes {
		if i == len(l.writes)-1 && !l.drains {
			m.failpoints.reset(at)
		}
		m.set(w)
		if erased = deletes(w); erased {
			m.gone()
			continue
		}
		m.settled()
	}
	if l.drains {
		m.failpoints.reset(at)
		m.drainAndBack()
	}
	m.alive()
	m.check(l, erased)
	m.converged(erased)
	m.node.stop()
	return m.failpoints.count
}

// TestCrashAnywhere lets the daemon die before and after every effect of every lifecycle:
// that of its last write, as each of the others is the last of a lifecycle of its own.
func TestCrashAnywhere(t *testing.T) {
	for name, l := range lifecycles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			points := play(t, l, 0)
			if points < 8 {
				t.Fatalf("only %d points: the failpoints count nothing", points)
			}
			for at := 1; at <= points; at++ {
				t.Run(fmt.Sprint(at), func(t *testing.T) { play(t, l, at) })
			}
		})
	}
}
