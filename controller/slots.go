package controller

import (
	"slices"
	"sync"
	"time"

	"lightd/controller/plan"
)

// class groups kinds of step that compete for the same part of the engine.
type class string

const (
	classStart    class = "start"
	classCreate   class = "create"
	classRemove   class = "remove"
	classSnapshot class = "keep"
	classLight    class = "light"
	// classUnlimited has no bound: a kill queues behind nothing.
	classUnlimited class = ""
)

// bounds are how many steps of a class run at once. Starts reach their best rate at 4
// to 8 at once; each class has its own bound, so that calls that hang starve only
// their own kind, and that not for long.
var bounds = map[class]int{classStart: 8, classCreate: 8, classRemove: 8, classSnapshot: 2, classLight: 16}

// slotTimeout is when a step counts no more though it has not ended: an engine that does not answer
// for some containers keeps none of the others waiting. The deadlines of its calls bound how
// many such steps there are. Only a snapshot keeps its place: it takes as long as its size asks
// for, and two of them are what a disk can bear.
const slotTimeout = 5 * time.Second

func classOf(k plan.Kind) class {
	switch k {
	case plan.StartContainer, plan.StartInstallScript:
		return classStart
	case plan.CreateContainer, plan.CreateInstallContainer:
		return classCreate
	case plan.RemoveContainer, plan.RemoveInstallContainer, plan.Finalize:
		return classRemove
	case plan.KeepInstallation, plan.SaveInstallOutput:
		return classSnapshot
	case plan.StopContainer, plan.KillContainer, plan.KillInstallScript, plan.PullImage, plan.LoadSnapshot, plan.VerifyMounts:
		return classUnlimited
	}
	return classLight
}

// slots admits steps. A key that finds no room is put in line and told, through wake,
// when there may be: it then decides afresh, and may want something else by now.
type slots struct {
	wake func(key string)

	mu    sync.Mutex
	busy  map[class]int
	queue map[class][]string
}

func newSlots(wake func(key string)) *slots {
	return &slots{wake: wake, busy: map[class]int{}, queue: map[class][]string{}}
}

// tryAcquire takes a slot of c for key, or puts key in line. Those in line come first.
func (s *slots) tryAcquire(key string, c class) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dequeueLocked(key, c)
	if c == classUnlimited {
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

// dequeueLocked takes key out of every line but that of stay, and wakes who may have moved up.
func (s *slots) dequeueLocked(key string, stay class) {
	for c, line := range s.queue {
		if c == stay {
			continue
		}
		if at := slices.Index(line, key); at >= 0 {
			s.queue[c] = slices.Delete(line, at, at+1)
			s.wakeFirstLocked(c)
		}
	}
}

// release gives a slot back.
func (s *slots) release(c class) {
	if c == classUnlimited {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy[c]--
	s.wakeFirstLocked(c)
}

// releaseAfter keeps a slot that was admitted until the step has ended, which the caller tells, or is
// slow.
func (s *slots) releaseAfter(c class) (ended func()) {
	release := sync.OnceFunc(func() { s.release(c) })
	if c == classSnapshot || c == classUnlimited {
		return release
	}
	timer := time.AfterFunc(slotTimeout, release)
	return func() {
		timer.Stop()
		release()
	}
}

// wakeFirstLocked wakes as many of the line as there is room for.
func (s *slots) wakeFirstLocked(c class) {
	room := max(bounds[c]-s.busy[c], 0)
	for _, key := range s.queue[c][:min(room, len(s.queue[c]))] {
		s.wake(key)
	}
}
