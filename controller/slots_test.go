package controller

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"lightd/controller/plan"
)

func TestSlotsBoundAClassAndWakeInOrder(t *testing.T) {
	var woken []string
	s := newSlots(func(key string) { woken = append(woken, key) })
	for i := range bounds[plan.ClassSnapshot] {
		if !s.tryAcquire(fmt.Sprint("first", i), plan.ClassSnapshot) {
			t.Fatalf("no room for %d of %d", i, bounds[plan.ClassSnapshot])
		}
	}
	for _, key := range []string{"x", "y", "z"} {
		if s.tryAcquire(key, plan.ClassSnapshot) {
			t.Fatalf("%s was let in over the bound", key)
		}
	}
	if !s.tryAcquire("other", plan.ClassStart) || !s.tryAcquire("kill", plan.ClassUnlimited) {
		t.Fatal("one class held up another")
	}
	s.cancelWait("x")
	s.release(plan.ClassSnapshot)
	if !slices.Equal(woken, []string{"y"}) {
		t.Fatalf("woke %v", woken)
	}
	if s.tryAcquire("z", plan.ClassSnapshot) {
		t.Fatal("z overtook y")
	}
	if !s.tryAcquire("y", plan.ClassSnapshot) {
		t.Fatal("y was woken and found no room")
	}
}

// TestSlotsPassOnAnUnusedSlot: a key that was woken and now wants something
// else must wake the one behind it.
func TestSlotsPassOnAnUnusedSlot(t *testing.T) {
	var woken []string
	s := newSlots(func(key string) { woken = append(woken, key) })
	for i := range bounds[plan.ClassSnapshot] {
		s.tryAcquire(fmt.Sprint(i), plan.ClassSnapshot)
	}
	s.tryAcquire("x", plan.ClassSnapshot)
	s.tryAcquire("y", plan.ClassSnapshot)
	s.release(plan.ClassSnapshot)
	s.tryAcquire("x", plan.ClassUnlimited)
	if !slices.Equal(woken, []string{"x", "y"}) {
		t.Errorf("woke %v", woken)
	}
}

// TestWhatCompetes: each kind of step only with what burdens the engine in the same way, and a
// kill, or a pull, which has a bound of its own, with nothing.
func TestWhatCompetes(t *testing.T) {
	for want, kinds := range map[plan.Class][]plan.Kind{
		plan.ClassUnlimited: {plan.KillContainer, plan.StopContainer, plan.KillInstallScript, plan.PullImage, plan.VerifyMounts},
		plan.ClassStart:     {plan.StartContainer, plan.StartInstallScript},
		plan.ClassCreate:    {plan.CreateContainer, plan.CreateInstallContainer},
		plan.ClassRemove:    {plan.RemoveContainer, plan.RemoveInstallContainer, plan.Finalize},
		plan.ClassSnapshot:  {plan.KeepInstallation, plan.SaveInstallOutput},
		plan.ClassMeasure:   {plan.MeasureInstallation},
		plan.ClassLight: {plan.RestoreSnapshot, plan.WriteEntrypoint, plan.CheckHost, plan.UpdateLimits, plan.UnpauseContainer,
			plan.RenameContainer, plan.ReleasePorts},
	} {
		for _, k := range kinds {
			if got := k.Traits().Class; got != want {
				t.Errorf("%s is %q, want %q", k, got, want)
			}
		}
		if bound := bounds[want]; want != plan.ClassUnlimited && (bound < 2 || bound > 32) {
			t.Errorf("%d of class %q at once", bound, want)
		}
	}
}

// TestHowLongToWait: what a user would take for an engine that is hammered, or for a daemon that
// has gone to sleep, is a mistake.
func TestHowLongToWait(t *testing.T) {
	for name, c := range map[string]struct{ is, least, most time.Duration }{
		"the first retry":                {retryFirst, 100 * time.Millisecond, 2 * time.Second},
		"any other":                      {retryMost, time.Minute, 15 * time.Minute},
		"external":                       {plan.BlockedRetry, 5 * time.Second, time.Minute},
		"a sighting":                     {engineHealthRetry, 100 * time.Millisecond, 10 * time.Second},
		"an engine that does not answer": {slotTimeout, time.Second, 30 * time.Second},
		"the same step once more":        {noProgressWindow, time.Second, time.Minute},
	} {
		if c.is < c.least || c.is > c.most {
			t.Errorf("%s is waited for %s, want %s to %s", name, c.is, c.least, c.most)
		}
	}
}

// TestSnapshotKeepsItsPlace however long it takes: more than two at once are too much for a disk.
func TestSnapshotKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(func(string) {})
		for c, kept := range map[plan.Class]int{plan.ClassSnapshot: 1, plan.ClassStart: 0} {
			s.tryAcquire("a", c)
			ended := s.releaseAfter(c)
			time.Sleep(time.Hour)
			synctest.Wait()
			if s.busy[c] != kept {
				t.Errorf("%d of class %q are busy, want %d", s.busy[c], c, kept)
			}
			ended()
			if s.busy[c] != 0 {
				t.Errorf("%d of class %q are busy after the end", s.busy[c], c)
			}
		}
	})
}

func TestLimiterGrowsIsBoundedAndIsReset(t *testing.T) {
	l := newLimiter()
	low, high := retryFirst, retryFirst*6/5
	longest := map[time.Duration]bool{}
	for i := range 40 {
		d := l.When("a")
		if d < low || d > high {
			t.Fatalf("got %s, want %s to %s", d, low, high)
		}
		if i >= 20 {
			longest[d] = true
		}
		low, high = min(2*low, retryMost*5/6), min(2*high, retryMost)
	}
	if len(longest) < 2 {
		t.Errorf("the longest delays are all %v", longest)
	}
	spread := map[time.Duration]bool{}
	for i := range 20 {
		spread[l.When(fmt.Sprint("b", i))] = true
	}
	if len(spread) < 2 {
		t.Errorf("those that failed together all come back after %v", spread)
	}
	l.Forget("a")
	if d := l.When("a"); d > time.Second {
		t.Errorf("after Forget: %s", d)
	}
}
