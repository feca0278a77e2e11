package controller_test

import (
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestFaultsOfTheEngine plays a lifecycle (install, start, restart, stop) on an engine that
// fails in many ways. However it fails, each thing happens once, and the end is the same.
func TestFaultsOfTheEngine(t *testing.T) {
	rules := func(list ...simengine.Rule) func(*crashableDaemon) {
		return func(m *crashableDaemon) {
			for _, r := range list {
				m.sim.Inject(r)
			}
		}
	}
	const create, start = "/containers/create", "/containers/{id}/start"
	for name, fault := range map[string]func(*crashableDaemon){
		"none": rules(),
		"answers of creates lost": rules(
			simengine.Rule{Method: "POST", Route: create, Cut: true, After: true, Times: 2}),
		"answers of starts lost": rules(
			simengine.Rule{Method: "POST", Route: start, Cut: true, After: true, Times: 3}),
		"answers of removals lost": rules(
			simengine.Rule{Method: "DELETE", Route: "/containers/{id}", Cut: true, After: true, Times: 2}),
		"answers of signals lost": rules(
			simengine.Rule{Method: "POST", Route: "/containers/{id}/kill", Cut: true, After: true, Times: 1}),
		"answers of commits lost": rules(
			simengine.Rule{Method: "POST", Route: "/commit", Cut: true, After: true, Times: 1}),
		"creates fail": rules(simengine.Rule{Method: "POST", Route: create, Status: 500, Message: "no", Times: 2}),
		"starts fail":  rules(simengine.Rule{Method: "POST", Route: start, Status: 500, Message: "no", Times: 2}),
		"inspects fail": rules(
			simengine.Rule{Method: "GET", Route: "/containers/{id}/json", Status: 500, Message: "no", Chance: 0.3, Times: 6}),
		"everything is slow": rules(simengine.Rule{Delay: 20 * time.Millisecond, Chance: 0.5, Times: 100}),
		"events lost":        func(m *crashableDaemon) { m.sim.InterceptEvents(simengine.DropEvents(nil)) },
		"events doubled":     func(m *crashableDaemon) { m.sim.InterceptEvents(simengine.RepeatEvents(3)) },
		"events reordered":   func(m *crashableDaemon) { m.sim.InterceptEvents(simengine.ReorderEvents(3)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newCrashableDaemon(t, neverCrashes, func(o *setup) { o.resync = 500 * time.Millisecond })
			fault(m)
			l := lifecycle{script: true, starts: 2, installs: "1"}
			m.createIt(l.script, l.separate)
			m.settled()
			for _, w := range []func(*desired.Container){requestStart, requestRestart, requestStop} {
				m.set(w)
				m.settled()
			}
			m.check(l, false)
		})
	}
}

// TestEngineThatGoesAndComes makes the engine unreachable for a running container.
func TestEngineThatGoesAndComes(t *testing.T) {
	for name, c := range map[string]struct {
		fault  func(*testing.T, *crashableDaemon)
		starts int
	}{
		"unreachable, and the container keeps running": {func(t *testing.T, m *crashableDaemon) {
			m.sim.Refuse()
			m.away()
			m.sim.Up()
		}, 1},
		"restarted with live containers": {func(t *testing.T, m *crashableDaemon) { m.sim.Restart(true) }, 1},
		"restarted, containers ended":    {func(t *testing.T, m *crashableDaemon) { m.sim.Restart(false) }, 2},
		"back empty": {func(t *testing.T, m *crashableDaemon) {
			m.sim.Refuse()
			m.away()
			m.sim.Wipe()
			m.sim.AddImage(harness.Busybox(), simengine.ImageConfig{})
			m.sim.Up()
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newCrashableDaemon(t, neverCrashes, func(o *setup) { o.resync = 500 * time.Millisecond })
			m.createIt(false, false)
			m.settled()
			m.set(requestStart)
			m.settled()
			c.fault(t, m)
			m.until("as it should be", func(_ desired.Container, st status.Status) bool {
				up, _ := m.cache.Up()
				m.mu.Lock()
				defer m.mu.Unlock()
				return up && st.State == status.StateRunning && m.starts == c.starts && m.together == 1
			})
			m.set(requestStop)
			m.settled()
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.starts != c.starts || len(m.problems) > 0 {
				t.Errorf("%d starts, want %d; %v", m.starts, c.starts, m.problems)
			}
			if st, _ := m.statuses.Get("a"); st.Crashes != 0 {
				t.Errorf("%d crashes were held against a program that did nothing wrong", st.Crashes)
			}
		})
	}
}
