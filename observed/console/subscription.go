package console

import (
	"context"
	"sync"
	"time"

	"lightd/observed/replay"
)

// maxQueue bounds the text that waits for one subscriber, in bytes.
const maxQueue = 1 << 20

// From says where a subscription begins. The zero From is now.
type From struct {
	// Since, when it is not zero, asks for all that lies behind it.
	Since replay.Position
	// Lines, when not zero and Since is, asks for so many of the last lines, at most 5,000.
	Lines int
}

func (f From) isNow() bool { return f.Since.IsZero() && f.Lines <= 0 }

// Subscription is one follower of the output of an id.
type Subscription struct {
	hub  *hub
	from From
	out  chan Chunk
	wake chan struct{} // capacity 1
	ctx  context.Context
	stop context.CancelFunc
	once sync.Once

	live bool // under the hub's lock: text goes to the queue

	mu    sync.Mutex
	queue []Chunk
	size  int
	lost  int64
	// credit is how long s may be waited for; one that has used it up is behind, until its
	// queue is empty.
	credit time.Duration
	behind bool
}

// Subscribe follows the output of id, of whichever of its containers runs, now and later.
// What from asks for comes first; nothing is missing between it and what is printed now, and
// nothing is repeated.
func (c *Console) Subscribe(id string, from From) *Subscription {
	h := c.hub(id)
	s := &Subscription{
		hub:  h,
		from: from,
		out:  make(chan Chunk),
		wake: make(chan struct{}, 1),

		credit: pacing,
	}
	s.ctx, s.stop = context.WithCancel(c.group.Context())
	h.mu.Lock()
	lingered := h.subscribe(s)
	h.mu.Unlock()
	if lingered {
		c.release(h)
	}
	if !c.group.Go(s.forward) {
		close(s.out)
	}
	return s
}

// C returns the channel of output. It is closed after Close, and when the console closes.
func (s *Subscription) C() <-chan Chunk { return s.out }

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.once.Do(func() {
		s.stop()
		h := s.hub
		h.mu.Lock()
		lingers := h.unsubscribe(s)
		h.mu.Unlock()
		if !lingers {
			h.c.release(h)
		}
	})
}

// push queues a chunk and drops the oldest text when there is too much. It never waits.
func (s *Subscription) push(c Chunk) {
	s.mu.Lock()
	s.queue = append(s.queue, c)
	s.size += len(c.Text)
	n := 0
	for ; s.size > maxQueue; n++ {
		s.lost += int64(len(s.queue[n].Text))
		s.size -= len(s.queue[n].Text)
		s.queue[n] = Chunk{}
	}
	s.queue = s.queue[n:]
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take returns the next chunk.
func (s *Subscription) take() (Chunk, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return Chunk{}, false
	}
	c := s.queue[0]
	s.queue[0] = Chunk{}
	s.queue = s.queue[1:]
	full := s.full()
	s.size -= len(c.Text)
	s.refill(len(c.Text))
	if full && !s.full() {
		select {
		case s.hub.room <- struct{}{}:
		default:
		}
	}
	c.Lost, s.lost = s.lost, 0
	return c, true
}

// forward hands chunks out until the subscription or the console is closed.
func (s *Subscription) forward() {
	defer close(s.out)
	if !s.hub.isLive(s) {
		s.join()
	}
	for {
		chunk, ok := s.take()
		if !ok {
			select {
			case <-s.wake:
			case <-s.ctx.Done():
				return
			}
			continue
		}
		if !s.deliver(chunk) {
			return
		}
	}
}

// deliver hands a chunk to the subscriber, unless all is over.
func (s *Subscription) deliver(c Chunk) bool {
	select {
	case s.out <- c:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// switchToLive gives s some chunks, of which bytes are lost before them, and then what comes. The
// caller has the hub's lock.
func (s *Subscription) switchToLive(chunks []Chunk, lost int64) {
	s.mu.Lock()
	s.lost += lost
	s.mu.Unlock()
	for _, c := range chunks {
		s.push(c)
	}
	s.live = true
}
