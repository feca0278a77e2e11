package audit

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// maxQueued is how many lines wait for a reader of the standard output.
	maxQueued = 1024
	// drainWithin is what they have when the daemon ends.
	drainWithin = 2 * time.Second
)

var errQueue = errors.New("nobody reads the standard output")

// stream writes lines to where a reader may stall, which must keep no request waiting.
type stream struct {
	out    io.Writer
	failed func(error)
	queue  chan []byte
	once   sync.Once
	done   chan struct{}
}

func newStream(out io.Writer, failed func(error)) *stream {
	s := &stream{out: out, failed: failed, queue: make(chan []byte, maxQueued), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *stream) run() {
	defer close(s.done)
	for line := range s.queue {
		if _, err := s.out.Write(line); err != nil {
			s.failed(fmt.Errorf("write audit line: %w", err))
		}
	}
}

// write queues a line.
func (s *stream) write(line []byte) error {
	select {
	case s.queue <- line:
		return nil
	default:
		return errQueue
	}
}

// close returns when the queue is written; no write may follow.
func (s *stream) close() error {
	s.once.Do(func() { close(s.queue) })
	select {
	case <-s.done:
		return nil
	case <-time.After(drainWithin):
		return errQueue
	}
}
