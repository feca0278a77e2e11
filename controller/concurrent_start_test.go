package controller_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed/records"
	"lightd/observed/status"
)

// slowly delays, between hold and release, the acknowledgement of every record of a status.
func slowly(n *node) (hold, release func()) {
	var gate atomic.Pointer[chan struct{}]
	n.t.Cleanup(n.statuses.Subscribe(func(string) {
		if c := gate.Load(); c != nil {
			<-*c
		}
	}))
	hold = func() { c := make(chan struct{}); gate.Store(&c) }
	release = func() { close(*gate.Swap(nil)) }
	return hold, release
}

// TestOnlyAStartBeginsBeforeItsRecordIsOnDisk: a program that ended is back the sooner; all else
// waits until its record is acknowledged.
func TestOnlyAStartBeginsBeforeItsRecordIsOnDisk(t *testing.T) {
	ends := func(t *testing.T, sim *simengine.Sim, _ *node) {
		if err := sim.Exit("lightd-a", 1); err != nil {
			t.Fatal(err)
		}
	}
	stop := func(_ *testing.T, _ *simengine.Sim, n *node) {
		n.change("a", func(c *desired.Container) { c.Power = desired.PowerStopped })
	}
	start := func(_ *testing.T, _ *simengine.Sim, n *node) {
		n.change("a", func(c *desired.Container) { c.Requests.Restart++; c.Kill = true })
	}
	remove := func(_ *testing.T, _ *simengine.Sim, n *node) {
		n.change("a", func(c *desired.Container) { c.Deleting = true })
	}
	for name, tc := range map[string]struct {
		what  func(*testing.T, *simengine.Sim, *node)
		early int
	}{
		"a start after an end": {ends, 1},
		"a restart":            {start, 0},
		"a stop":               {stop, 0},
		"a removal":            {remove, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				hold, release := slowly(n)
				n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
				n.waitState("a", status.StateRunning)
				calls := func() int { // but for the size of the terminal, which follows a start
					return sim.CountCalls(simengine.Rule{Method: "POST"}) + sim.CountCalls(simengine.Rule{Method: "DELETE"}) -
						sim.CountCalls(simengine.Rule{Method: "POST", Route: "/containers/{id}/resize"})
				}
				before := calls()
				hold()
				tc.what(t, sim, n)
				time.Sleep(time.Second)
				if early := calls() - before; early != tc.early {
					t.Errorf("%d calls before the record was acknowledged, want %d", early, tc.early)
				}
				release()
				time.Sleep(time.Second)
				if all := calls() - before; all == 0 {
					t.Error("no call at all")
				}
			})
		})
	}
}

// TestStartWhoseRecordIsNotAcknowledged: the database answers after the deadline, and the start
// was under way. It is executed once all the same, and what it held is free again.
func TestStartWhoseRecordIsNotAcknowledged(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		hold, release := slowly(n)
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("a", status.StateRunning)
		starts := simengine.Rule{Method: "POST", Route: "/containers/{id}/start"}
		for i := range 20 { // more than there are places for starts
			time.Sleep(15 * time.Minute) // a run that clears the count of crashes
			before := sim.CountCalls(starts)
			hold()
			if err := sim.Exit("lightd-a", 1); err != nil {
				t.Fatal(err)
			}
			time.Sleep(6 * time.Second)
			release()
			time.Sleep(time.Minute)
			st, _ := n.statuses.Get("a")
			if made := sim.CountCalls(starts) - before; made != 1 || st.State != status.StateRunning || st.Restarts != i+1 {
				t.Fatalf("crash %d: %d starts, %s after %d restarts", i+1, made, st.State, st.Restarts)
			}
		}
		hung := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/start", Hang: true})
		defer hung.Release()
		for i := range 20 {
			n.create(fmt.Sprint("b", i), func(s *desired.Spec) { s.Power = desired.PowerRunning })
		}
		time.Sleep(time.Second)
		if at := hung.Hits(); at != 8 {
			t.Errorf("%d starts at once", at)
		}
	})
}

// TestStartIsRecordedBeforeItsCall copies the files at the moment at which the engine receives
// a start: whoever opens them finds that it was to come, and no record of its success.
func TestStartIsRecordedBeforeItsCall(t *testing.T) {
	var image atomic.Pointer[string] // where the next start has the files copied
	dir := t.TempDir()               // on a disk, as its flushes are what a start does not wait for
	_, host := harness.SimHost(t, simengine.Options{AnyMounts: true, Before: func(engine http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/start") {
				if to := image.Swap(nil); to != nil {
					copyDatabase(t, *to, filepath.Join(dir, "db"))
				}
			}
			engine.ServeHTTP(w, r)
		})
	}}, harness.Busybox())
	n := newNode(t, dir, func(o *setup) { o.host = host })
	n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
	n.waitState("a", status.StateRunning)
	for i := range 2 {
		to := filepath.Join(t.TempDir(), "db")
		image.Store(&to)
		n.change("a", func(c *desired.Container) { c.Requests.Restart++; c.Kill = true })
		n.wait("a", "restarted", func(st status.Status) bool {
			return st.RestartHandled == int64(i+1) && st.State == status.StateRunning
		})
		st := recorded(t, to, "a")
		if st.Starting == nil || st.Restarting == nil || st.RestartHandled != int64(i) {
			t.Errorf("start %d: the call came, and the record is %+v", i+1, st)
		}
	}
}

// copyDatabase copies a database that is written to meanwhile: a file that refers to another one
// is copied before that one.
func copyDatabase(t *testing.T, to, from string) {
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Error(err)
	}
	for _, pattern := range []string{"acknowledged", "*.mem", "*.vlog", "[A-Z]*"} {
		files, err := filepath.Glob(filepath.Join(from, pattern))
		if err != nil || len(files) == 0 {
			t.Errorf("no %s in %s: %v", pattern, from, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err == nil {
				// Most of a file is room for what will be written: the call that waits for this has a deadline.
				copied := filepath.Join(to, filepath.Base(file))
				err = errors.Join(os.WriteFile(copied, bytes.TrimRight(data, "\x00"), 0o600), os.Truncate(copied, int64(len(data))))
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
}

// recorded is the status of a container in a copy of a database.
func recorded(t *testing.T, dir, id string) status.Status {
	t.Helper()
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	statuses, err := records.OpenStatuses(s.DB)
	if err != nil {
		t.Fatal(err)
	}
	st, _ := statuses.Get(id)
	return st
}

// TestOutcomeOfAnEarlyStartIsKept though the record that precedes it, which holds the outcome of
// the step before, is acknowledged only after the start has ended.
func TestOutcomeOfAnEarlyStartIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		hold, release := slowly(n)
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("a", status.StateRunning)
		sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/start", Status: 500, Message: "no"})
		stop := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/kill", Delay: time.Second, After: true})
		n.change("a", requestRestart)
		awaitCalls(t, stop, 1)
		time.Sleep(500 * time.Millisecond) // its end is recorded meanwhile
		hold()
		time.Sleep(600 * time.Millisecond) // it is answered, and started again
		release()
		time.Sleep(100 * time.Millisecond) // and not yet tried again
		if st, _ := n.statuses.Get("a"); st.Get(status.Synced).Reason != status.ReasonStepFailed {
			t.Errorf("synced %+v", st.Get(status.Synced))
		}
	})
}
