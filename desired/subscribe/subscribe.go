// Package subscribe keeps a set of functions that are called with each notification.
//
// Notify calls every function that was added before and not cancelled, in
// the order in which they were added. A function may still be called once while its
// cancel returns. Wake is for a receiver that only has to know that there is news.
package subscribe

import (
	"slices"
	"sync"
)

// Funcs is a set of functions; the zero value is empty and ready for use.
type Funcs[T any] struct {
	mu   sync.Mutex
	list []*func(T) // replaced, never changed
}

// Add puts fn into the set until cancel is called.
func (f *Funcs[T]) Add(fn func(T)) (cancel func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(slices.Clip(f.list), &fn)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.list = slices.DeleteFunc(slices.Clone(f.list), func(have *func(T)) bool { return have == &fn })
	}
}

// Notify calls every function of the set with v, one after the other.
func (f *Funcs[T]) Notify(v T) {
	f.mu.Lock()
	list := f.list
	f.mu.Unlock()
	for _, fn := range list {
		(*fn)(v)
	}
}

// Wake puts a value into a channel with room for one, unless it has one: whoever receives it looks at all that is new.
func Wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
