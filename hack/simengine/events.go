package simengine

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// keptEvents is how many events Docker remembers.
const keptEvents = 256

// bus holds the event streams. The lock of the Sim guards it.
type bus struct {
	history     []Message
	subscribers map[*subscriber]struct{}
	intercept   func(Message) []Message
}

// subscriber is an event stream. Its queue has no bound, so that an emit never waits.
type subscriber struct {
	wanted filters.Args
	queue  []Message
	more   chan struct{}
}

// publishLocked emits an event; only an interceptor keeps it from open streams. The caller
// holds the lock.
func (s *Sim) publishLocked(m Message) {
	now := s.now()
	m.Scope, m.Time, m.TimeNano = "local", now.Unix(), now.UnixNano()
	s.bus.history = append(s.bus.history, m)
	if extra := len(s.bus.history) - keptEvents; extra >= keptEvents {
		s.bus.history = slices.Clone(s.bus.history[extra:])
	}
	if len(s.bus.subscribers) == 0 {
		return
	}
	out := []Message{m}
	if s.bus.intercept != nil {
		out = s.bus.intercept(m)
	}
	s.spread(out)
}

func (s *Sim) spread(out []Message) {
	for sub := range s.bus.subscribers {
		for _, m := range out {
			if !wanted(sub.wanted, m) {
				continue
			}
			sub.queue = append(sub.queue, m)
			select {
			case sub.more <- struct{}{}:
			default: // it was woken already
			}
		}
	}
}

// InterceptEvents lets fn decide what open streams get in place of each event: none,
// the event twice, others first. Nil ends it. The engine's history, which a stream
// with a since reads, stays true.
func (s *Sim) InterceptEvents(fn func(Message) []Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bus.intercept = fn
}

// DropEvents is an intercept that loses the events that match; a nil match is all.
func DropEvents(match func(Message) bool) func(Message) []Message {
	return func(m Message) []Message {
		if match == nil || match(m) {
			return nil
		}
		return []Message{m}
	}
}

// RepeatEvents is an interceptor that emits each event n times.
func RepeatEvents(n int) func(Message) []Message {
	return func(m Message) []Message { return slices.Repeat([]Message{m}, n) }
}

// ReorderEvents is an interceptor that holds n events back and then emits them in reverse.
func ReorderEvents(n int) func(Message) []Message {
	var held []Message
	return func(m Message) []Message {
		if held = append(held, m); len(held) < n {
			return nil
		}
		out := held
		held = nil
		slices.Reverse(out)
		return out
	}
}

// TellEvent emits an event to open streams that need not have happened.
func (s *Sim) TellEvent(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spread([]Message{m})
}

// wanted reports whether an event passes the filters.
func wanted(f filters.Args, m Message) bool {
	if f.Len() == 0 {
		return true
	}
	exact := func(field, value string) bool { return f.ExactMatch(field, value) }
	event := string(m.Action)
	if name, _, found := strings.Cut(event, ":"); found && strings.HasPrefix(name, "exec_") {
		event = name
	}
	return (exact("event", event) || exact("event", string(m.Action))) &&
		exact("type", string(m.Type)) && exact("scope", m.Scope) &&
		(!f.Contains("label") || f.MatchKVList("label", m.Actor.Attributes)) &&
		matchActor(f, "container", events.ContainerEventType, m) &&
		matchActor(f, "image", events.ImageEventType, m)
}

// matchActor reports whether an event is about a container or an image that is wanted.
func matchActor(f filters.Args, field string, kind events.Type, m Message) bool {
	if !f.Contains(field) {
		return true
	}
	if m.Type != kind {
		return false
	}
	return f.FuzzyMatch(field, m.Actor.ID) || f.FuzzyMatch(field, m.Actor.Attributes["name"])
}

func (s *Sim) streamEvents(c *call) (answer, error) {
	f, err := c.filters()
	if err != nil {
		return answer{}, err
	}
	since, err := instant(c.query.Get("since"))
	if err != nil {
		return answer{}, err
	}
	until, err := instant(c.query.Get("until"))
	if err != nil {
		return answer{}, err
	}
	st, release := s.openStream(c, nil)
	defer release()
	sub := s.subscribe(f, since, until)
	defer func() {
		s.mu.Lock()
		delete(s.bus.subscribers, sub)
		s.mu.Unlock()
	}()
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(c.w).Flush
	_ = flush() // the client has gone, which a write detects as well
	var end <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(until.Sub(s.now()))
		defer timer.Stop()
		end = timer.C
	}
	for {
		s.mu.Lock()
		batch := sub.queue
		sub.queue = nil
		s.mu.Unlock()
		for i := range batch {
			if json.NewEncoder(c.w).Encode(wire(batch[i])) != nil {
				return streamed, nil
			}
		}
		if len(batch) > 0 && flush() != nil {
			return streamed, nil
		}
		select {
		case <-sub.more:
		case <-end:
			return streamed, nil
		case <-st.ctx.Done():
			s.breakIfCut(st)
			return streamed, nil
		}
	}
}

// wireEvent is an event with the legacy fields that Docker 20.10 sends too.
type wireEvent struct {
	Status string `json:"status,omitempty"`
	ID     string `json:"id,omitempty"`
	From   string `json:"from,omitempty"`
	Message
}

func wire(m Message) wireEvent {
	w := wireEvent{Message: m}
	switch m.Type {
	case events.ContainerEventType:
		w.Status, w.ID, w.From = string(m.Action), m.Actor.ID, m.Actor.Attributes["image"]
	case events.ImageEventType:
		w.Status, w.ID = string(m.Action), m.Actor.ID
	}
	return w
}

// subscribe adds a stream that begins with what is remembered since a time.
func (s *Sim) subscribe(f filters.Args, since, until time.Time) *subscriber {
	sub := &subscriber{wanted: f, more: make(chan struct{}, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bus.subscribers[sub] = struct{}{}
	if since.IsZero() {
		return sub
	}
	for _, m := range s.bus.history[max(0, len(s.bus.history)-keptEvents):] {
		at := time.Unix(0, m.TimeNano)
		if !at.Before(since) && (until.IsZero() || !at.After(until)) && wanted(f, m) {
			sub.queue = append(sub.queue, m)
		}
	}
	return sub
}
