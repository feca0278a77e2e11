package controller_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"lightd/desired"
)

// sequence is writes that are made one on the heels of the other.
type sequence struct {
	// from is what was settled before them: a container that is running, one that is
	// stopped, or none: its creation is then the first write.
	from string
	// inScript has what follows the first write wait until the install script runs.
	inScript bool
	writes   []func(*desired.Container)
	// starts are the fewest and the most programs that they may start: a write that the next
	// one supersedes need not have had an effect.
	starts [2]int
}

const (
	fresh   = "fresh"
	stopped = "stopped"
	up      = "running"
)

type writes = []func(*desired.Container)

var sequences = map[string]sequence{
	"start, stop":                    {from: stopped, writes: writes{requestStart, requestStop}, starts: [2]int{0, 1}},
	"start, kill":                    {from: stopped, writes: writes{requestStart, requestKill}, starts: [2]int{0, 1}},
	"start, restart":                 {from: stopped, writes: writes{requestStart, requestRestart}, starts: [2]int{1, 2}},
	"start, stop, start":             {from: stopped, writes: writes{requestStart, requestStop, requestStart}, starts: [2]int{1, 2}},
	"start, delete":                  {from: stopped, writes: writes{requestStart, requestDelete}, starts: [2]int{0, 1}},
	"stop, start":                    {from: up, writes: writes{requestStop, requestStart}, starts: [2]int{0, 1}},
	"stop, kill":                     {from: up, writes: writes{requestStop, requestKill}},
	"kill, start":                    {from: up, writes: writes{requestKill, requestStart}, starts: [2]int{0, 1}},
	"restart, stop":                  {from: up, writes: writes{requestRestart, requestStop}, starts: [2]int{0, 1}},
	"restart, restart":               {from: up, writes: writes{requestRestart, requestRestart}, starts: [2]int{1, 2}},
	"restart, delete":                {from: up, writes: writes{requestRestart, requestDelete}, starts: [2]int{0, 1}},
	"rebind, restart":                {from: up, writes: writes{move, requestRestart}, starts: [2]int{1, 2}},
	"rebind, back":                   {from: up, writes: writes{move, back}, starts: [2]int{0, 2}},
	"limits, rebind":                 {from: up, writes: writes{limitMemory, move}, starts: [2]int{1, 1}},
	"reinstall, stop":                {from: up, inScript: true, writes: writes{reinstall, requestStop}, starts: [2]int{0, 1}},
	"reinstall, reinstall":           {from: up, writes: writes{reinstall, reinstall}, starts: [2]int{1, 2}},
	"reinstall, delete":              {from: up, inScript: true, writes: writes{reinstall, requestDelete}},
	"reinstall, rebind, restart":     {from: up, inScript: true, writes: writes{reinstall, move, requestRestart}, starts: [2]int{1, 1}},
	"create, start, restart":         {from: fresh, inScript: true, writes: writes{requestStart, requestRestart}, starts: [2]int{1, 1}},
	"create, reinstall":              {from: fresh, inScript: true, writes: writes{reinstall}},
	"create, delete":                 {from: fresh, inScript: true, writes: writes{requestDelete}},
	"create, delete before a script": {from: fresh, writes: writes{requestDelete}},
}

// Two ports that a container can have.
var ports = []desired.Endpoint{
	{IP: "127.0.0.1", Port: 30001, Protocol: desired.TCP},
	{IP: "127.0.0.1", Port: 30002, Protocol: desired.TCP},
}

func on(e desired.Endpoint) []desired.Port {
	return []desired.Port{{IP: e.IP, Port: e.Port, Protocol: e.Protocol}}
}

func back(c *desired.Container) { c.Ports = on(ports[0]) }
func move(c *desired.Container) { c.Ports = on(ports[1]) }

// scripted reports whether the container has an install script: when one is to run again.
func (s sequence) scripted() bool {
	return s.from == fresh || slices.ContainsFunc(s.writes, func(w func(*desired.Container)) bool {
		var probe desired.Container
		w(&probe)
		return probe.Requests.Install > 0
	})
}

// ready brings a node to where the sequence begins.
func ready(t *testing.T, s sequence) *crashableDaemon {
	m := newCrashableDaemon(t, 0)
	if err := m.store.AddPorts(t.Context(), ports); err != nil {
		t.Fatal(err)
	}
	if s.from != fresh {
		m.createIt(s.scripted(), false)
		m.set(back)
		m.settled()
	}
	if s.from == up {
		m.set(requestStart)
		m.settled()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.starts = 0 // those of the way here
	if s.inScript {
		m.hold = make(chan struct{})
	}
	return m
}

// first makes the first write, and returns those that remain.
func (m *crashableDaemon) first(s sequence) writes {
	m.t.Helper()
	if s.from == fresh {
		m.createIt(true, false)
		return s.writes
	}
	m.set(s.writes[0])
	return s.writes[1:]
}

// scriptRuns reports whether the script of the last request has started.
func (m *crashableDaemon) scriptRuns() bool {
	c, _ := m.store.Container("a")
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.scripts) > 0 && number(m.scripts[len(m.scripts)-1]) == int(c.Requests.Install)
}

// last waits for the end of the last write, and checks what came of all.
func (m *crashableDaemon) last(s sequence) {
	m.t.Helper()
	erased := deletes(s.writes[len(s.writes)-1])
	if m.hold != nil && !erased {
		close(m.hold)
	}
	m.converged(erased)
	m.alive()
	m.invariants()
	m.mu.Lock()
	if m.starts < s.starts[0] || m.starts > s.starts[1] {
		m.report("%d starts, want %d to %d", m.starts, s.starts[0], s.starts[1])
	}
	m.mu.Unlock()
	m.node.stop()
}

// TestCrashBetweenWrites makes the writes of each sequence at once. The daemon dies at
// every point from the first one on, or from when the script runs, and sometimes once
// more on its way back.
func TestCrashBetweenWrites(t *testing.T) {
	for name, s := range sequences {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play := func(t *testing.T, at int) int {
				m := ready(t, s)
				if at%3 == 0 {
					m.later = []int{1 + at%8}
				}
				if !s.inScript {
					m.failpoints.reset(at)
				}
				rest := m.first(s)
				if s.inScript {
					m.await("in its script", m.scriptRuns)
					m.failpoints.reset(at)
				}
				for _, w := range rest {
					m.set(w)
				}
				m.last(s)
				return m.failpoints.count
			}
			points := play(t, 0)
			if points < 5 {
				t.Fatalf("only %d points: the failpoints count nothing", points)
			}
			for at := 1; at <= points; at++ {
				t.Run(fmt.Sprint(at), func(t *testing.T) { play(t, at) })
			}
		})
	}
}

// TestWriteAtEveryMoment makes the first write of each sequence, and the others at a
// moment at which the daemon waits for the engine: every one, for as long as the first is
// under way. The daemon keeps running, or it dies as soon as they are acknowledged.
func TestWriteAtEveryMoment(t *testing.T) {
	for name, s := range sequences {
		for end, crashes := range map[string]bool{"": false, ", and die": true} {
			t.Run(name+end, func(t *testing.T) {
				t.Parallel()
				moments := 0
				for interrupted := true; interrupted; {
					t.Run(fmt.Sprint(moments+1), func(t *testing.T) { interrupted = interrupts(t, s, moments+1, crashes) })
					if interrupted {
						moments++
					}
				}
				if moments < 2 {
					t.Errorf("only %d moments: the failpoints interrupt nothing", moments)
				}
			})
		}
	}
}

// interrupts reports whether there was such a moment.
func interrupts(t *testing.T, s sequence, at int, crashes bool) bool {
	m := ready(t, s)
	rest, store, failpoints := s.writes, m.store, m.failpoints
	if s.from != fresh {
		rest = rest[1:]
	}
	before, _ := store.Container("a")
	started := func() bool {
		c, _ := store.Container("a")
		return c.Generation > before.Generation
	}
	failpoints.interruptAt(at, crashes, started, func() {
		for _, w := range rest {
			_, err := store.Change(context.Background(), "a", func(c *desired.Container) error { w(c); return nil })
			if err != nil {
				m.problem("a write was refused: %v", err)
			}
		}
	})
	m.first(s)
	m.await("interrupted, or where nothing more happens", func() bool {
		if s.inScript && m.scriptRuns() {
			return true
		}
		c, _ := m.store.Container("a")
		st, _ := m.statuses.Get("a")
		return failpoints.interrupting() || settled(c, st)
	})
	interrupted := failpoints.interrupted()
	if !interrupted {
		for _, w := range rest {
			m.set(w)
		}
	}
	m.last(s)
	return interrupted && !t.Failed()
}
