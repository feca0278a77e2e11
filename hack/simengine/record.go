package simengine

import (
	"net/url"
	"slices"
	"time"
)

// keptCalls is how many calls are remembered.
const keptCalls = 200_000

// Call is a call that was made.
type Call struct {
	Method string
	// Route is the path with {id} or {name} in place of the Target, without the version.
	Route, Target string
	Query         url.Values
	At            time.Time
	// Done is when it was answered; zero until then.
	Done time.Time
}

// record notes a call that arrives; seen is to be called when it was answered.
func (s *Sim) record(c Call) (seen func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) >= keptCalls {
		s.calls = slices.Clone(s.calls[keptCalls/2:])
	}
	s.calls = append(s.calls, c)
	at := c.At
	i := len(s.calls) - 1
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if i < len(s.calls) && s.calls[i].At.Equal(at) && s.calls[i].Route == c.Route {
			s.calls[i].Done = time.Now()
		}
	}
}

// Calls returns the calls made since the last ResetCalls, in the order of their arrival.
func (s *Sim) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// CountCalls returns how many calls a rule would meet; the zero Rule counts all.
func (s *Sim) CountCalls(r Rule) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.calls {
		if s.meetsLocked(r, s.calls[i].Method, s.calls[i].Route, s.calls[i].Target, s.calls[i].Query) {
			n++
		}
	}
	return n
}

// ResetCalls clears the calls recorded so far.
func (s *Sim) ResetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
}

// OpenStreams returns how many answers that go on are open on a route, as in
// "/containers/{id}/attach"; "" is all.
func (s *Sim) OpenStreams(route string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.streams {
		if (route == "" || st.route == route) && !st.cut {
			n++
		}
	}
	return n
}
