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
)

// A history is a random sequence of what can happen to a node: writes of clients, the death
// of the daemon at any effect, external changes of its containers, and an engine that
// misbehaves. It is played in a bubble of time, with a whole node and a simulated engine
// in it, so that hours cost nothing. After every step all invariants are checked, and now
// and then, and at the end, all trouble stops and the node has to come to rest as its
// specs describe it.
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
	calmly   = []string{"write", "write", "write", "crash", "boot", "wait", "wait", "rest"}
	troubled = []string{"write", "write", "write", "crash", "boot", "wait", "wait", "rest",
		"meddle", "meddle", "misbehave", "events", "engine", "host", "clock", "disk"}
)

// TestHistoriesOfWrites has only writes and deaths of the daemon: no event may then report
// what the daemon did not do itself, and each status is true at all times.
func TestHistoriesOfWrites(t *testing.T) { histories(t, calmly) }

// TestHistoriesOfTrouble has everything happen.
func TestHistoriesOfTrouble(t *testing.T) { histories(t, troubled) }

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
		dir, err := os.MkdirTemp(memory(), "history")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		rapid.SyncTest(rt, func(rt *rapid.T) {
			w := newWorld(rt, dir)
			defer w.close()
			defer func() {
				if rt.Failed() {
					first.Do(func() { t.Logf("the first history that failed:\n%s", strings.Join(w.story, "\n")) })
				}
			}()
			w.play(kinds)
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

// play lets things happen, and rest at the end.
func (w *world) play(kinds []string) {
	does := map[string]func(){
		"write": w.write, "crash": w.crash, "boot": w.bootOrStop, "wait": w.wait, "rest": w.rest,
		"meddle": w.meddle, "misbehave": w.misbehave, "events": w.disturbEvents, "engine": w.disturbEngine, "host": w.disturbHost, "clock": w.setClock,
		"disk": w.disturbDisk,
	}
	w.t.Repeat(map[string]func(*rapid.T){
		"": func(*rapid.T) {},
		"step": func(*rapid.T) {
			does[w.pick("kind", kinds)]()
			w.settle()
			w.pass(pauses[w.number("pause", len(pauses))])
		},
	})
	w.rest()
	w.quiet()
}

// pauses are how long a step waits for the next one.
var pauses = []time.Duration{0, time.Millisecond, 3 * time.Millisecond, 20 * time.Millisecond, time.Second}

// pass lets time go by, and checks what holds at all times.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	w.settle()
	w.check()
}

// settle returns when nothing runs at this instant; a daemon that died is closed.
func (w *world) settle() {
	synctest.Wait()
	if !w.up {
		return
	}
	select {
	case <-w.failpoints.fired:
		w.note("the daemon dies %s", w.failpoints.where)
		w.bury()
	default:
	}
}

// wait lets a longer time go by.
func (w *world) wait() {
	d := []time.Duration{50 * time.Millisecond, 2 * time.Second, 12 * time.Second, 40 * time.Second, 3 * time.Minute}[w.number("wait", 5)]
	w.note("wait %s", d)
	w.pass(d)
}

// crash lets the daemon die at one of its next effects.
func (w *world) crash() {
	if !w.up {
		w.boot()
		w.settle()
	}
	at := 1 + w.number("at", 30)
	w.note("the daemon is to die at effect %d", at)
	w.failpoints.reset(at)
}

func (w *world) bootOrStop() {
	if !w.up {
		w.boot()
		return
	}
	w.note("the daemon is stopped")
	w.bury()
}

func (w *world) pick(label string, list []string) string {
	return rapid.SampledFrom(list).Draw(w.t, label)
}

// number draws one below n; 0 is what histories are cut down to.
func (w *world) number(label string, n int) int { return rapid.IntRange(0, n-1).Draw(w.t, label) }

func (w *world) chance(label string, percent int) bool {
	return rapid.IntRange(0, 99).Draw(w.t, label) >= 100-percent
}

// note adds a line to the log of this history, in case it fails.
func (w *world) note(format string, args ...any) {
	line := fmt.Sprintf("%s %s", time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...))
	w.story = append(w.story, line)
	w.t.Log(line)
}

// fail ends a history. The text of what must be the same each time.
func (w *world) fail(what, format string, args ...any) {
	w.t.Helper()
	w.note("FAILED: %s: %s", what, fmt.Sprintf(format, args...))
	w.t.Fatalf("%s", what)
}
