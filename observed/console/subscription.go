package console

import (
	"context"
	"sync"
	"time"

	"lightd/desired/subscribe"
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
	// Stamps asks History for the time of Docker's log before each line.
	Stamps bool
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
	// blockBudget is for how long the output stream may be left unread for s.
	blockBudget time.Duration
}

// C returns the channel of output. It is closed after Close, and when the console closes.
func (s *Subscription) C() <-chan Chunk { return s.out }

// push queues a chunk and drops the oldest text when there is too much. It never waits.
func (s *Subscription) push(c Chunk) {
	s.mu.Lock()
	s.queue = append(s.queue, c)
	s.size += len(c.Text)
	n := 0
	for ; s.size > maxQueue; n++ {
		s.lost += int64(len(s.queue[n].Text))
		s.hub.c.dropped.Add(int64(len(s.queue[n].Text)))
		s.size -= len(s.queue[n].Text)
		s.queue[n] = Chunk{}
	}
	s.queue = s.queue[n:]
	s.mu.Unlock()
	subscribe.Wake(s.wake)
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
	full := s.isFullLocked()
	s.size -= len(c.Text)
	s.refillLocked(len(c.Text))
	if full && !s.isFullLocked() {
		subscribe.Wake(s.hub.room)
	}
	c.Lost, s.lost = s.lost, 0
	return c, true
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

// switchToLiveLocked queues some chunks, before which bytes are lost, and then each new chunk.
func (s *Subscription) switchToLiveLocked(chunks []Chunk, lost int64) {
	s.mu.Lock()
	s.lost += lost
	s.mu.Unlock()
	for _, c := range chunks {
		s.push(c)
	}
	s.live = true
}

// A subscriber whose queue is full may pace the program: the output stream is left unread for up to
// blockTime for each blockUnit that the subscriber takes, 4 MiB/s. Otherwise one that is as fast as
// can be would lose text whenever it is a little behind. One that takes less loses the oldest text,
// and is not waited for again until its queue is empty.
const (
	blockTime = 250 * time.Millisecond
	blockUnit = 1 << 20
)

// isFullLocked reports whether the queue lacks the room for what may be read next.
func (s *Subscription) isFullLocked() bool { return s.size > maxQueue-2*replay.MaxChunk }

// blockBudgetLeft returns for how long the stream may be blocked for s; zero where its queue has room.
func (s *Subscription) blockBudgetLeft() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isFullLocked() {
		return 0
	}
	return s.blockBudget
}

// chargeBlocked takes d from the block budget.
func (s *Subscription) chargeBlocked(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blockBudget = max(0, s.blockBudget-d)
}

// refillLocked adds to the block budget for n bytes that s took. One that was used up stays so until
// the queue is empty.
func (s *Subscription) refillLocked(n int) {
	switch {
	case s.blockBudget > 0:
		s.blockBudget = min(blockTime, s.blockBudget+blockTime*time.Duration(n)/blockUnit)
	case len(s.queue) == 0:
		s.blockBudget = blockTime
	}
}
