package console

import (
	"strings"
	"sync"
)

// maxQueue bounds the text that waits for one subscriber, in bytes.
const maxQueue = 1 << 20

// Chunk is a piece of output.
type Chunk struct {
	// Lost is how many bytes were dropped before Text, because the subscriber was slow.
	Lost int64
	// Text is valid UTF-8. It ends at a line end, unless the program left its line open
	// or the line is very long.
	Text string
}

// Subscription is one follower of the output of an id.
type Subscription struct {
	hub  *hub
	out  chan Chunk
	wake chan struct{} // capacity 1
	done chan struct{}
	once sync.Once

	mu    sync.Mutex
	queue []string
	size  int
	lost  int64
}

// Subscribe follows the output of id, of whichever of its containers runs, now and later.
func (c *Console) Subscribe(id string) *Subscription {
	h := c.hub(id)
	s := &Subscription{
		hub:  h,
		out:  make(chan Chunk),
		wake: make(chan struct{}, 1),
		done: make(chan struct{}),
	}
	if !c.goes(s.forward) {
		close(s.out)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs[s] = struct{}{}
	h.settle()
	return s
}

// C returns the channel of output. It is closed after Close, and when the console closes.
func (s *Subscription) C() <-chan Chunk { return s.out }

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.once.Do(func() {
		close(s.done)
		h := s.hub
		h.mu.Lock()
		delete(h.subs, s)
		h.settle()
		h.mu.Unlock()
		h.c.release(h)
	})
}

// push queues text and drops the oldest when there is too much. It never waits.
func (s *Subscription) push(text string) {
	s.mu.Lock()
	s.queue = append(s.queue, text)
	s.size += len(text)
	for s.size > maxQueue {
		s.lost += int64(len(s.queue[0]))
		s.size -= len(s.queue[0])
		s.queue[0] = ""
		s.queue = s.queue[1:]
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take returns what is due: as much text as fits a chunk.
func (s *Subscription) take() (Chunk, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, size := 0, 0
	for n < len(s.queue) && (n == 0 || size+len(s.queue[n]) <= maxChunk) {
		size += len(s.queue[n])
		n++
	}
	if n == 0 {
		return Chunk{}, false
	}
	c := Chunk{Lost: s.lost, Text: s.queue[0]}
	if n > 1 {
		c.Text = strings.Join(s.queue[:n], "")
	}
	clear(s.queue[:n])
	s.queue = s.queue[n:]
	s.size -= size
	s.lost = 0
	return c, true
}

// forward hands chunks out until the subscription or the console is closed.
func (s *Subscription) forward() {
	defer close(s.out)
	closed := s.hub.c.ctx.Done()
	for {
		chunk, ok := s.take()
		if !ok {
			select {
			case <-s.wake:
			case <-s.done:
				return
			case <-closed:
				return
			}
			continue
		}
		select {
		case s.out <- chunk:
		case <-s.done:
			return
		case <-closed:
			return
		}
	}
}
