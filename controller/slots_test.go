package controller

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"lightd/controller/plan"
)

func TestSlotsBoundAClassAndWakeInOrder(t *testing.T) {
	var woken []string
	s := newSlots(func(key string) { woken = append(woken, key) })
	for i := range bounds[classKeep] {
		if !s.admit(fmt.Sprint("first", i), classKeep) {
			t.Fatalf("no room for %d of %d", i, bounds[classKeep])
		}
	}
	for _, key := range []string{"x", "y", "z"} {
		if s.admit(key, classKeep) {
			t.Fatalf("%s was let in over the bound", key)
		}
	}
	if !s.admit("other", classStart) || !s.admit("kill", classFree) {
		t.Fatal("one class held up another")
	}
	s.withdraw("x")
	s.release(classKeep)
	if !slices.Equal(woken, []string{"y"}) {
		t.Fatalf("woke %v", woken)
	}
	if s.admit("z", classKeep) {
		t.Fatal("z overtook y")
	}
	if !s.admit("y", classKeep) {
		t.Fatal("y was woken and found no room")
	}
}

// TestSlotsPassARoomOnThatNobodyTakes: a key that was woken and now wants something
// else must not leave those behind it waiting.
func TestSlotsPassARoomOnThatNobodyTakes(t *testing.T) {
	var woken []string
	s := newSlots(func(key string) { woken = append(woken, key) })
	for i := range bounds[classKeep] {
		s.admit(fmt.Sprint(i), classKeep)
	}
	s.admit("x", classKeep)
	s.admit("y", classKeep)
	s.release(classKeep)
	s.admit("x", classFree)
	if !slices.Equal(woken, []string{"x", "y"}) {
		t.Errorf("woke %v", woken)
	}
}

func TestEveryKillIsFree(t *testing.T) {
	for _, k := range []plan.Kind{plan.KillContainer, plan.StopContainer, plan.KillInstallScript} {
		if classOf(k) != classFree {
			t.Errorf("%s waits for a slot", k)
		}
	}
}

func TestLimiterGrowsIsBoundedAndForgets(t *testing.T) {
	l := newLimiter()
	low, high := retryFirst, retryFirst*6/5
	for range 20 {
		if d := l.When("a"); d < low || d > high {
			t.Fatalf("got %s, want %s to %s", d, low, high)
		}
		low, high = min(2*low, retryMost), min(2*high, retryMost*6/5)
	}
	l.Forget("a")
	if d := l.When("a"); d > time.Second {
		t.Errorf("after Forget: %s", d)
	}
}
