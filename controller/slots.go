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
	classStart  class = "start"
	classCreate class = "create"
	classRemove class = "remove"
	classKeep   class = "keep"
	classLight  class = "light"
	// classFree has no bound: a kill queues behind nothing.
	classFree class = ""
)

// bounds are how many steps of a class run at once. Starts reach their best rate at 4
// to 8 at once; each class has its own bound, so that calls that hang starve only
// their own kind, and that not for long.
var bounds = map[class]int{classStart: 8, classCreate: 8, classRemove: 8, classKeep: 2, classLight: 16}

// slow is when a step counts no more though it has not ended: an engine that does not answer
// for some containers keeps none of the others waiting. The deadlines of its calls bound how
// many such steps there are. Only a snapshot keeps its place: it takes as long as its size asks
// for, and two of them are what a disk can bear.
const slow = 5 * time.Second

func classOf(k plan.Kind) class {
	switch k {
	case plan.StartContainer, plan.StartInstallScript:
		return classStart
	case plan.CreateContainer, plan.CreateInstallContainer:
		return classCreate
	case plan.RemoveContainer, plan.RemoveInstallContainer, plan.Finalize:
		return classRemove
	case plan.KeepInstallation, plan.SaveInstallOutput:
		return classKeep
	case plan.StopContainer, plan.KillContainer, plan.KillInstallScript, plan.PullImage, plan.LoadSnapshot, plan.VerifyMounts:
		return classFree
	}
	return classLight
}

// slots admits steps. A key that finds no room is put in line and told, through wake,
// when there may be: it then decides afresh, and may want something else by now.
type slots struct {
	wake func(key string)

	mu   sync.Mutex
	busy map[class]int
	line map[class][]string
}

func newSlots(wake func(key string)) *slots {
	return &slots{wake: wake, busy: map[class]int{}, line: map[class][]string{}}
}

// admit takes a slot of c for key, or puts key in line. Those in line come first.
func (s *slots) admit(key string, c class) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(key, c)
	if c == classFree {
		return true
	}
	room := bounds[c] - s.busy[c]
	at := slices.Index(s.line[c], key)
	if at < 0 {
		at = len(s.line[c])
		s.line[c] = append(s.line[c], key)
	}
	if at >= room {
		return false
	}
	s.line[c] = slices.Delete(s.line[c], at, at+1)
	s.busy[c]++
	return true
}

// withdraw takes key out of every line: it wants nothing now.
func (s *slots) withdraw(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(key, "none")
}

// leave takes key out of every line but that of stay, and wakes who may have moved up.
func (s *slots) leave(key string, stay class) {
	for c, line := range s.line {
		if c == stay {
			continue
		}
		if at := slices.Index(line, key); at >= 0 {
			s.line[c] = slices.Delete(line, at, at+1)
			s.wakeFirst(c)
		}
	}
}

// release gives a slot back.
func (s *slots) release(c class) {
	if c == classFree {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy[c]--
	s.wakeFirst(c)
}

// hold keeps a slot that was admitted until the step has ended, which the caller tells, or is
// slow.
func (s *slots) hold(c class) (ended func()) {
	release := sync.OnceFunc(func() { s.release(c) })
	if c == classKeep || c == classFree {
		return release
	}
	timer := time.AfterFunc(slow, release)
	return func() {
		timer.Stop()
		release()
	}
}

// wakeFirst wakes as many of the line as there is room for.
func (s *slots) wakeFirst(c class) {
	room := max(bounds[c]-s.busy[c], 0)
	for _, key := range s.line[c][:min(room, len(s.line[c]))] {
		s.wake(key)
	}
}
