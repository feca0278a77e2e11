package controller_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"lightd/hack/harness"
)

// A history is a random sequence of what can happen to a node: writes of clients, a crash
// of the daemon at any effect, external changes of its containers, and faults of the engine.
// It is played in a bubble of time, with a whole node and a simulated engine
// in it, so that hours cost nothing. After every step all invariants are checked, and now
// and then, and at the end, all faults end and the node has to converge to its specs.
//
// LIGHTD_TEST_HISTORIES is how many of each kind are played, and LIGHTD_TEST_SEED which:
// 0 has a seed drawn. One that fails is cut down to the few steps that matter, and its seed
// is printed. How goroutines take turns within an instant is no part of a seed: what depends
// on that may want several plays.
const (
	fewHistories = "15"
	sameSeed     = "1"
)

// kinds of history by what may happen in it.
var (
	undisturbedKinds = []string{"write", "write", "write", "crash", "boot", "wait", "wait", "quiesce", "cordon"}
	disturbedKinds   = []string{"write", "write", "write", "crash", "boot", "wait", "wait", "quiesce", "cordon",
		"change", "change", "fault", "events", "engine", "host", "clock", "disk"}
)

// TestHistoriesOfWrites has only writes and crashes of the daemon: no event may then report
// what the daemon did not do itself, and each status is true at all times.
func TestHistoriesOfWrites(t *testing.T) { histories(t, undisturbedKinds) }

// TestHistoriesOfFaults has external changes and faults of the engine and the host too.
func TestHistoriesOfFaults(t *testing.T) { histories(t, disturbedKinds) }

// chosen sets rapid's flags from the environment once.
var chosen sync.Once

func histories(t *testing.T, kinds []string) {
	t.Parallel()
	chosen.Do(func() {
		choose(t, "rapid.checks", "LIGHTD_TEST_HISTORIES", fewHistories)
		choose(t, "rapid.seed", "LIGHTD_TEST_SEED", sameSeed)
		choose(t, "rapid.nofailfile", "", "true")
	})
	var first sync.Once
	rapid.Check(t, func(rt *rapid.T) {
		dir := harness.MemoryDir(rt)
		rapid.SyncTest(rt, func(rt *rapid.T) {
			h := newHistory(rt, dir)
			defer h.close()
			defer func() {
				if rt.Failed() {
					first.Do(func() { t.Logf("the first history that failed:\n%s", strings.Join(h.story, "\n")) })
				}
			}()
			h.play(kinds)
		})
	})
}

// choose sets a flag of rapid from the environment, unless the command line did.
func choose(t *testing.T, name, variable, otherwise string) {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if given {
		return
	}
	value := otherwise
	if v := os.Getenv(variable); variable != "" && v != "" {
		value = v
	}
	if err := flag.Set(name, value); err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
}

// play draws steps of these kinds, and quiesces at the end.
func (h *history) play(kinds []string) {
	does := map[string]func(){
		"write": h.write, "crash": h.crash, "boot": h.bootOrStop, "wait": h.wait, "quiesce": h.quiesce,
		"change": h.changeExternally, "fault": h.injectFault, "events": h.disturbEvents, "engine": h.disturbEngine, "host": h.disturbHost, "clock": h.setClock,
		"disk": h.disturbDisk, "cordon": h.changeCordon,
	}
	h.t.Repeat(map[string]func(*rapid.T){
		"": func(*rapid.T) {},
		"step": func(*rapid.T) {
			does[h.pick("kind", kinds)]()
			h.settle()
			h.pass(pauses[h.number("pause", len(pauses))])
		},
	})
	h.quiesce()
	h.checkIdle()
}

// pauses are how long a step waits for the next one.
var pauses = []time.Duration{0, time.Millisecond, 3 * time.Millisecond, 20 * time.Millisecond, time.Second}

// pass lets time go by, and checks what holds at all times.
func (h *history) pass(d time.Duration) {
	time.Sleep(d)
	h.settle()
	h.check()
}

// settle returns when nothing runs at this instant; a daemon that died is closed.
func (h *history) settle() {
	synctest.Wait()
	if !h.up {
		return
	}
	h.cordoned.Store(h.store.Cordon() != nil)
	select {
	case <-h.failpoints.fired:
		h.note("the daemon crashes %s", h.failpoints.where)
		h.discardDaemon()
	default:
	}
}

// wait lets a longer time go by.
func (h *history) wait() {
	d := []time.Duration{50 * time.Millisecond, 2 * time.Second, 12 * time.Second, 40 * time.Second, 3 * time.Minute}[h.number("wait", 5)]
	h.note("wait %s", d)
	h.pass(d)
}

// crash lets the daemon die at one of its next effects.
func (h *history) crash() {
	if !h.up {
		h.boot()
		h.settle()
	}
	at := 1 + h.number("at", 30)
	h.note("the daemon is to die at effect %d", at)
	h.failpoints.reset(at)
}

func (h *history) bootOrStop() {
	if !h.up {
		h.boot()
		return
	}
	h.note("the daemon is stopped")
	h.discardDaemon()
}

func (h *history) pick(label string, list []string) string {
	return rapid.SampledFrom(list).Draw(h.t, label)
}

// number draws one below n; 0 is what histories are cut down to.
func (h *history) number(label string, n int) int { return rapid.IntRange(0, n-1).Draw(h.t, label) }

func (h *history) chance(label string, percent int) bool {
	return rapid.IntRange(0, 99).Draw(h.t, label) >= 100-percent
}

// note adds a line to the log of this history, in case it fails.
func (h *history) note(format string, args ...any) {
	line := fmt.Sprintf("%s %s", time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...))
	h.story = append(h.story, line)
	h.t.Log(line)
}

// fail ends a history. The text of what must be the same each time.
func (h *history) fail(what, format string, args ...any) {
	h.t.Helper()
	h.note("FAILED: %s: %s", what, fmt.Sprintf(format, args...))
	h.t.Fatalf("%s", what)
}
