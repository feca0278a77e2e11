package console

import (
	"bytes"
	"time"

	"golang.org/x/time/rate"

	"lightd/observed/replay"
)

const (
	// batchTime is how long text may be held back so that more goes with it.
	batchTime = 10 * time.Millisecond
	// batchBurst is how many chunks may leave at once, with nothing held back: the echo of a command and the
	// lines of its answer do, a flood does not.
	batchBurst = 16
)

// batchReceiver gets what a batcher gathered.
type batchReceiver interface {
	// broadcastLocked gets a chunk of text, with the owner's lock held.
	broadcastLocked(text string)
	// batchDue is called after batchTime, by a timer of the batcher; it calls due.
	batchDue()
}

// batcher gathers text into chunks. Complete lines leave at once, up to batchBurst chunks; after those one
// leaves in each batchTime, or for each replay.MaxChunk bytes. An open line waits one batchTime for its end.
// The owner locks.
type batcher struct {
	replay.Composer
	to    batchReceiver
	pace  *rate.Limiter // of what leaves at once
	timer *time.Timer
	armed bool
}

func newBatcher(to batchReceiver) batcher {
	return batcher{to: to, pace: rate.NewLimiter(rate.Every(batchTime), batchBurst)}
}

// settle sends what is due after buf has grown.
func (b *batcher) settle(now time.Time) {
	for len(b.Buf) >= replay.MaxChunk {
		b.cut(replay.LineCut(b.Buf[:replay.MaxChunk]))
	}
	if lines := b.lines(); lines > 0 && b.pace.AllowN(now, 1) {
		b.cut(lines)
		b.stop() // what is left has just come
	}
	b.arm()
}

// lines returns the length of the lines that are complete.
func (b *batcher) lines() int { return bytes.LastIndexByte(b.Buf, '\n') + 1 }

// due sends what waits since batchTime, under the owner's lock.
func (b *batcher) due() {
	b.armed = false
	if lines := b.lines(); lines > 0 {
		b.cut(lines)
	} else {
		b.cut(len(b.Buf))
	}
	b.arm()
}

// flushLines sends the lines that are complete.
func (b *batcher) flushLines() { b.cut(b.lines()) }

// flush sends everything.
func (b *batcher) flush() {
	b.cut(len(b.Buf))
	b.stop()
}

func (b *batcher) stop() {
	if b.timer != nil {
		b.timer.Stop()
	}
	b.armed = false
}

func (b *batcher) arm() {
	if b.armed || len(b.Buf) == 0 {
		return
	}
	b.armed = true
	if b.timer == nil {
		b.timer = time.AfterFunc(batchTime, b.to.batchDue)
	} else {
		b.timer.Reset(batchTime)
	}
}

func (b *batcher) cut(n int) {
	if n > 0 {
		b.to.broadcastLocked(b.Take(n))
	}
}
