package console

import (
	"sync"
	"time"

	"lightd/observed/streams"
)

// hub holds what is open for one id.
type hub struct {
	c     *Console
	id    string
	users int // under the console's lock

	mu   sync.Mutex
	kept bool // holds a use of its own, until Forget

	subs      map[*Subscription]struct{}
	room      chan struct{} // capacity 1: the queue of a subscription is no longer full
	text      batcher
	ring      ring
	recorded  time.Time     // since when text is followed; zero: it is not
	linger    *time.Timer   // runs after the last subscriber has left
	replaying bool          // what the stream reads waits for what was missed before it
	ended     *ending       // of the last stream, until it is followed by something
	closing   chan struct{} // while the rest of an ended run is read; closed then
	output    *streams.Reconnector
	draining  *streams.Stream // the last output stream that is no longer current
	prepared  *prepared       // the start that is about to happen
	preparing bool            // Prepare opens the stream itself
}

// prepared is a container that is about to be started.
type prepared struct {
	streams.Target
	at time.Time
}

func newHub(c *Console, id string) *hub {
	h := &hub{
		c: c, id: id,
		subs: make(map[*Subscription]struct{}),
		room: make(chan struct{}, 1),
	}
	h.text = newBatcher(h)
	h.output = streams.NewReconnector(c.group, &h.mu, h)
	return h
}

// stop ends the timers and streams of a hub that nobody uses any more.
func (h *hub) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text.stop()
	_ = h.endLingerLocked() // all uses have ended
	h.output.Stop()
}

// hasSubscribersLocked reports whether there are subscribers, or were a moment ago.
func (h *hub) hasSubscribersLocked() bool { return len(h.subs) > 0 || h.linger != nil }

// endLingerLocked ends the lingering, and reports whether there is a use of the hub to be released.
func (h *hub) endLingerLocked() bool {
	if h.linger == nil {
		return false
	}
	h.linger.Stop()
	h.linger = nil
	return true
}

// ending is how a stream came to its end.
type ending struct {
	streams.Target
	at time.Time
	// silent is true when an output had printed nothing since the stream was opened.
	silent bool
}
