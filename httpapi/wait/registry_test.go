package wait

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lightd/hack/eventually"
	"lightd/httpapi/api"
	"lightd/observed/status"
)

func TestMain(m *testing.M) { eventually.Main(m) }

// world is what is seen in a test.
type world struct {
	mu  sync.Mutex
	now map[string]Observation
}

func (w *world) look(id string) Observation {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now[id]
}

func (w *world) show(id string, s Observation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now[id] = s
}

func until(goal api.Goal, id string) Target {
	return Target{Goal: goal, ID: id, Created: born, Generation: 5, Install: 2}
}

func ended(w *Wait) bool {
	select {
	case <-w.Done():
		return true
	default:
		return false
	}
}

// told is how the waits stand, in one line.
func told(w *Wait, ids ...string) (line string) {
	results := w.Results()
	for _, id := range ids {
		line += fmt.Sprintf("%s %v %v %s, ", id, results[id].Done, results[id].Met, results[id].Reason)
	}
	return line
}

func TestRoom(t *testing.T) {
	scene := &world{now: map[string]Observation{"a": seen(running, behind), "b": seen(running, behind)}}
	room := NewRegistry(2, scene.look)
	one, ok := room.Register()
	both, ok2 := room.Register()
	if _, more := room.Register(); !ok || !ok2 || more {
		t.Fatal("a room for two holds another number")
	}
	one.For(until(api.UntilRunning, "a"))
	both.For(until(api.UntilRunning, "a"), until(api.UntilRunning, "b"))
	scene.show("a", seen(running))
	if ended(one) {
		t.Error("nobody has told it yet")
	}
	room.Evaluate("a")
	if !ended(one) || ended(both) {
		t.Errorf("one has ended: %v, both: %v", ended(one), ended(both))
	}
	scene.show("a", seen(running, down, installFailed(2)))
	room.EvaluateAll()
	if got := told(both, "a", "b"); ended(both) || got != "a true true PatternMatched, b false false Progressing, " {
		t.Errorf("a verdict is final: %s", got)
	}
	scene.show("b", seen(running))
	room.EvaluateAll()
	if !ended(both) {
		t.Error("all are met, and the wait goes on")
	}
	one.Cancel()
	one.Cancel()
	both.Cancel()
	if len(room.byID) != 0 || room.free != 2 {
		t.Errorf("%d places are free, %v is kept", room.free, room.byID)
	}
}

// TestOneInVainEndsAll, though the others may yet come true.
func TestOneInVainEndsAll(t *testing.T) {
	scene := &world{now: map[string]Observation{"a": seen(running), "b": seen(running, behind), "c": seen(running, installFailed(2), down)}}
	w, _ := NewRegistry(1, scene.look).Register()
	defer w.Cancel()
	w.For(until(api.UntilRunning, "a"), until(api.UntilRunning, "b"), until(api.UntilRunning, "c"))
	if got := told(w, "a", "b", "c"); !ended(w) || got != "a true true PatternMatched, b false false Progressing, c true false InstallScriptFailed, " {
		t.Errorf("ended %v: %s", ended(w), got)
	}
}

func TestNothingToWaitFor(t *testing.T) {
	w, _ := NewRegistry(1, (&world{}).look).Register()
	if w.For(); !ended(w) {
		t.Error("it waits for nothing for ever")
	}
	w.Cancel()
	late, _ := w.room.Register()
	late.Cancel()
	late.For(until(api.UntilRunning, "a"))
	if len(w.room.byID) != 0 {
		t.Error("who has left waits")
	}
}

// TestTimeAloneMeetsAWait: nobody tells of a process that goes on running.
func TestTimeAloneMeetsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		sight := seen(running)
		sight.Status.RunSeen = began
		room := NewRegistry(1, func(string) Observation {
			now := sight
			now.Now = time.Now()
			return now
		})
		w, _ := room.Register()
		w.For(until(api.UntilRunning, "a"))
		<-w.Done()
		if took := time.Since(began); took != status.Settled {
			t.Errorf("met after %s", took)
		}
		w.Cancel()
		left, _ := room.Register()
		sight.Status.RunSeen = time.Now()
		left.For(until(api.UntilRunning, "a"))
		left.Cancel() // and leaves no timer behind
	})
}

// TestManyAtOnce: whoever enters, is told and leaves at the same time, all places are free in
// the end.
func TestManyAtOnce(t *testing.T) {
	scene := &world{now: map[string]Observation{"a": seen(running, behind)}}
	room := NewRegistry(8, scene.look)
	var gone sync.WaitGroup
	for range 8 {
		gone.Go(func() {
			for range 200 {
				if w, ok := room.Register(); ok {
					w.For(until(api.UntilRunning, "a"))
					<-w.Done()
					w.Cancel()
				}
			}
		})
	}
	stop := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if i%2 == 0 {
				scene.show("a", seen(running))
			} else {
				scene.show("a", seen(running, behind))
			}
			room.Evaluate("a")
		}
	})
	gone.Wait()
	close(stop)
	telling.Wait()
	if len(room.byID) != 0 || room.free != 8 {
		t.Errorf("%d places are free, %v is kept", room.free, room.byID)
	}
}
