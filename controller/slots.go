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
var bounds = map[plan.Class]int{plan.ClassStart: 8, plan.ClassCreate: 8, plan.ClassRemove: 8, plan.ClassSnapshot: 2,
	plan.ClassMeasure: 4, plan.ClassLight: 16}

// slotTimeout is how long a step holds its slot at most: an engine that does not answer for some
// containers delays none of the others. The deadlines of its calls bound how many such steps there
// are. Only a snapshot keeps its slot to its end: its duration depends on its size, and a disk
// bears two of them.
const slotTimeout = 5 * time.Second

// slots is a semaphore for each class of step, with a fair queue. A key that gets no slot is queued,
// and wake is called for it once there may be one: the key is then reconciled, and may need
// something else by now.
type slots struct {
	wake func(key string)

	mu    sync.Mutex
	busy  map[plan.Class]int
	queue map[plan.Class][]string
}

func newSlots(wake func(key string)) *slots {
	return &slots{wake: wake, busy: map[plan.Class]int{}, queue: map[plan.Class][]string{}}
}

// tryAcquire takes a slot of c for key, or queues key behind those that wait already.
func (s *slots) tryAcquire(key string, c plan.Class) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dequeueLocked(key, c)
	if c == plan.ClassUnlimited {
		return true
	}
	capacity := bounds[c] - s.busy[c]
	at := slices.Index(s.queue[c], key)
	if at < 0 {
		at = len(s.queue[c])
		s.queue[c] = append(s.queue[c], key)
	}
	if at >= capacity {
		return false
	}
	s.queue[c] = slices.Delete(s.queue[c], at, at+1)
	s.busy[c]++
	return true
}

// cancelWait removes key from every queue.
func (s *slots) cancelWait(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dequeueLocked(key, "none")
}

// dequeueLocked removes key from every queue but that of except, and wakes those behind it that have
// a slot now.
func (s *slots) dequeueLocked(key string, except plan.Class) {
	for c, queue := range s.queue {
		if c == except {
			continue
		}
		if at := slices.Index(queue, key); at >= 0 {
			s.queue[c] = slices.Delete(queue, at, at+1)
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

// releaseAfter returns the function that gives an acquired slot back at the end of its step. After
// slotTimeout the slot is given back all the same.
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

// wakeFirstLocked wakes as many keys as there are free slots.
func (s *slots) wakeFirstLocked(c plan.Class) {
	capacity := max(bounds[c]-s.busy[c], 0)
	for _, key := range s.queue[c][:min(capacity, len(s.queue[c]))] {
		s.wake(key)
	}
}
