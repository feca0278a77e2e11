package controller_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// latency is how long a call of the simulated engine takes in a bubble: its time stands
// still unless a goroutine waits.
const latency = time.Millisecond

// inBubble plays with a whole node on a simulated engine, in simulated time.
func inBubble(t *testing.T, play func(t *testing.T, sim *simengine.Sim, n *node), tune ...func(*setup)) {
	t.Helper()
	dir := harness.MemoryDir(t)
	synctest.Test(t, func(t *testing.T) {
		slow := func(engine http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(latency)
				engine.ServeHTTP(w, r)
			})
		}
		t.Cleanup(func() { time.Sleep(latency) }) // of calls that are under way when the engine ends
		sim := harness.Sim(t, simengine.Options{AnyMounts: true, Before: slow}, harness.Busybox())
		play(t, sim, newNode(t, dir, append(tune, func(o *setup) {
			o.host = "tcp://simulated:1"
			o.dial = func(ctx context.Context) (net.Conn, error) { return sim.Dial(ctx, "", "") }
		})...))
	})
}

// startedAt is when the present or last run of a container began.
func startedAt(t *testing.T, sim *simengine.Sim, id string) time.Time {
	t.Helper()
	c, err := sim.Inspect(observed.RunName(id))
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339Nano, c.State.StartedAt)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// lastEvent returns the newest event of a type.
func (n *node) lastEvent(id string, of journal.Type) (last journal.Event) {
	n.t.Helper()
	page, _, err := n.journal.Page(id, 0, 1000)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, e := range page {
		if e.Type == of {
			last = e
		}
	}
	return last
}

// dies ends the program of a container, and returns how long it took until it ran again.
func (n *node) dies(t *testing.T, sim *simengine.Sim, id string, end func() error) time.Duration {
	t.Helper()
	before, ended := startedAt(t, sim, id), time.Now()
	if err := end(); err != nil {
		t.Fatal(err)
	}
	for startedAt(t, sim, id).Equal(before) {
		if time.Since(ended) > 10*time.Minute {
			t.Fatalf("%s does not run again; events %s", id, n.events(id))
		}
		time.Sleep(100 * time.Millisecond)
	}
	took := startedAt(t, sim, id).Sub(ended)
	n.waitState(id, status.StateRunning)
	return took
}

// TestCrashLoop has a program end again and again: it is started again at once, then after
// one second, doubling to 270 s, each up to a tenth longer and five minutes at most; a run of ten minutes
// clears the count. The events and the status show it meanwhile.
func TestCrashLoop(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("a", status.StateRunning)
		fails := func() error { return sim.Exit("lightd-a", 3) }
		soon := 100 * time.Millisecond
		for i, want := range []time.Duration{0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 272, 272} {
			want *= time.Second
			took := n.dies(t, sim, "a", fails)
			if took < want || took > min(want+want/10+time.Second, 5*time.Minute)+soon {
				t.Errorf("end %d: it ran again after %s, want %s and at most a tenth more", i+1, took, want)
			}
			st, _ := n.statuses.Get("a")
			if exit := st.LastExit; st.Restarts != i+1 || exit == nil || exit.Code != 3 || exit.Signal != "" || exit.OOM {
				t.Errorf("end %d: %d restarts, last exit %+v", i+1, st.Restarts, st.LastExit)
			}
			event := n.lastEvent("a", journal.BackOff)
			// The message has whole seconds, and a start takes a moment.
			ran := startedAt(t, sim, "a")
			if want > 0 && !strings.Contains(event.Message, ran.Format(time.RFC3339)) && !strings.Contains(event.Message, ran.Add(-soon).Format(time.RFC3339)) {
				t.Errorf("end %d: message %q, and it ran at %s", i+1, event.Message, ran)
			}
		}
		time.Sleep(10 * time.Minute)
		if took := n.dies(t, sim, "a", fails); took > soon {
			t.Errorf("after ten minutes of running it ran again after %s", took)
		}
		if err := fails(); err != nil {
			t.Fatal(err)
		}
		n.waitState("a", status.StateBackOff)
		began := time.Now()
		n.change("a", requestStart) // a start ends the wait
		n.waitState("a", status.StateRunning)
		if took := time.Since(began); took > soon {
			t.Errorf("a start during a backoff took %s", took)
		}
	})
}

// TestEndForMemory is reported as such.
func TestEndForMemory(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("a", status.StateRunning)
		n.dies(t, sim, "a", func() error { return sim.OutOfMemory("lightd-a", true) })
		st, _ := n.statuses.Get("a")
		if exit := st.LastExit; exit == nil || exit.Code != 137 || exit.Signal != "SIGKILL" || !exit.OOM {
			t.Errorf("last exit %+v", st.LastExit)
		}
		if got := n.events("a"); !strings.HasSuffix(got, "Running OOMKilled Exited Starting Running") {
			t.Errorf("events %s", got)
		}
	})
}

// TestEndForMemoryReportedLate is recorded once, with the exit that it belongs to.
func TestEndForMemoryReportedLate(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.create("a", func(s *desired.Spec) { s.Power, s.Restart = desired.PowerRunning, desired.RestartNever })
		n.waitState("a", status.StateRunning)
		if err := sim.Exit("lightd-a", 137); err != nil {
			t.Fatal(err)
		}
		n.waitState("a", status.StateOffline)
		time.Sleep(time.Minute)
		for range 2 {
			if err := sim.OutOfMemory("lightd-a", false); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			st, _ := n.statuses.Get("a")
			if exit := st.LastExit; exit == nil || exit.Code != 137 || !exit.OOM {
				t.Errorf("last exit %+v", st.LastExit)
			}
			if got := n.events("a"); !strings.HasSuffix(got, "Running Exited OOMKilled") {
				t.Errorf("events %s", got)
			}
		}
	})
}

// TestEndsOfTheProgramAndOfTheEngine: a policy is about the program's own ends. What an
// engine that is restarted has ended runs again, whatever the policy, and is no crash.
func TestEndsOfTheProgramAndOfTheEngine(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		policies := map[string]desired.RestartPolicy{
			"always": desired.RestartAlways, "on-failure": desired.RestartOnFailure, "never": desired.RestartNever,
		}
		for id, policy := range policies {
			n.create(id, func(s *desired.Spec) { s.Power, s.Restart = desired.PowerRunning, policy })
			n.waitState(id, status.StateRunning)
		}
		time.Sleep(time.Minute)
		before := startedAt(t, sim, "never")
		if err := sim.Restart(false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		for id := range policies {
			st, _ := n.statuses.Get(id)
			if st.State != status.StateRunning || st.Crashes != 0 || !startedAt(t, sim, id).After(before) {
				t.Errorf("%s after the engine was restarted: %s, %d crashes", id, st.State, st.Crashes)
			}
			if err := sim.Exit(observed.RunName(id), 0); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		for id, policy := range policies {
			want := status.StateOffline
			if policy == desired.RestartAlways {
				want = status.StateRunning
			}
			if st, _ := n.statuses.Get(id); st.State != want || st.ObservedGeneration != 1 {
				t.Errorf("%s after its program ended well: %s, want %s", id, st.State, want)
			}
		}
		n.change("on-failure", requestStart)
		n.waitState("on-failure", status.StateRunning)
		n.dies(t, sim, "on-failure", func() error { return sim.Exit("lightd-on-failure", 1) })
	})
}
