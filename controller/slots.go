package controller

import (
	"slices"
	"sync"
	"time"

	"lightd/controller/plan"
)

// bounds are how many steps of a class run at once. Starts reach their best rate at 4
// to 8 at once; each class has its own bound, so that calls that hang starve only
// their own kind, and that not for long.
var bounds = map[plan.Class]int{plan.ClassStart: 8, plan.ClassCreate: 8, plan.ClassRemove: 8, plan.ClassSnapshot: 2, plan.ClassLight: 16}

// slotTimeout is when a step counts no more though it has not ended: an engine that does not answer
// for some containers keeps none of the others waiting. The deadlines of its calls bound how
// many such steps there are. Only a snapshot keeps its place: it takes as long as its size asks
// for, and two of them are what a disk can bear.
const slotTimeout = 5 * time.Second

// slots admits steps. A key that finds no room is put in line and told, through wake,
// when there may be: it then decides afresh, and may want something else by now.
type slots struct {
	wake func(key string)

	mu    sync.Mutex
	busy  map[plan.Class]int
	queue map[plan.Class][]string
}

func newSlots(wake func(key string)) *slots {
	return &slots{wake: wake, busy: map[plan.Class]int{}, queue: map[plan.Class][]string{}}
}

// tryAcquire takes a slot of c for key, or puts key in line. Those in line come first.
func (s *slots) tryAcquire(key string, c plan.Class) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dequeueLocked(key, c)
	if c == plan.ClassUnlimited {
		return true
	}
	room := bounds[c] - s.busy[c]
	at := slices.Index(s.queue[c], key)
	if at < 0 {
		at = len(s.queue[c])
		s.queue[c] = append(s.queue[c], key)
	}
	if at >= room {
		return false
	}
	s.queue[c] = slices.Delete(s.queue[c], at, at+1)
	s.busy[c]++
	return true
}

// cancelWait takes key out of every line: it wants nothing now.
func (s *slots) cancelWait(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dequeueLocked(key, "none")
}

// dequeueLocked takes key out of every line but that of except, and wakes who may have moved up.
func (s *slots) dequeueLocked(key string, except plan.Class) {
	for c, line := range s.queue {
		if c == except {
			continue
		}
		if at := slices.Index(line, key); at >= 0 {
			s.queue[c] = slices.Delete(line, at, at+1)
			s.wakeFirstLocked(c)
		}
	}
}

// release gives a slot back.
func (s *slots) release(c plan.Class) {
	if c == plan.ClassUnlimited {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy[c]--
	s.wakeFirstLocked(c)
}

// releaseAfter keeps a slot that was admitted until the step has ended, which the caller tells, or is
// slow.
func (s *slots) releaseAfter(c plan.Class) (ended func()) {
	release := sync.OnceFunc(func() { s.release(c) })
	if c == plan.ClassSnapshot || c == plan.ClassUnlimited {
		return release
	}
	timer := time.AfterFunc(slotTimeout, release)
	return func() {
		timer.Stop()
		release()
	}
}

// wakeFirstLocked wakes as many of the line as there is room for.
func (s *slots) wakeFirstLocked(c plan.Class) {
	room := max(bounds[c]-s.busy[c], 0)
	for _, key := range s.queue[c][:min(room, len(s.queue[c]))] {
		s.wake(key)
	}
}
