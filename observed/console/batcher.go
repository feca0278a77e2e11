package console

import (
	"bytes"
	"time"

	"lightd/observed/replay"
)

// batchTime is how long text may be held back so that more goes with it.
const batchTime = 10 * time.Millisecond

// batchReceiver gets what a batcher gathered.
type batchReceiver interface {
	// broadcastLocked gets a chunk of text, with the owner's lock held.
	broadcastLocked(text string)
	// batchDue is called after batchTime, by a timer of the batcher; it calls due.
	batchDue()
}

// batcher gathers text into chunks. Complete lines leave at once after a pause, and
// otherwise every batchTime or replay.MaxChunk bytes; an open line waits one batchTime for its end.
// The owner locks.
type batcher struct {
	replay.Composer
	to    batchReceiver
	last  time.Time
	timer *time.Timer
	armed bool
}

// settle sends what is due after buf has grown.
func (b *batcher) settle(now time.Time) {
	for len(b.Buf) >= replay.MaxChunk {
		b.cut(replay.LineCut(b.Buf[:replay.MaxChunk]), now)
	}
	if !b.armed && now.Sub(b.last) >= batchTime {
		b.lines(now)
	}
	b.arm()
}

// lines sends the lines that are complete.
func (b *batcher) lines(now time.Time) { b.cut(bytes.LastIndexByte(b.Buf, '\n')+1, now) }

// due sends what waits since batchTime, under the owner's lock.
func (b *batcher) due(now time.Time) {
	b.armed = false
	if lines := bytes.LastIndexByte(b.Buf, '\n') + 1; lines > 0 {
		b.cut(lines, now)
	} else {
		b.cut(len(b.Buf), now)
	}
	b.arm()
}

// flush sends everything.
func (b *batcher) flush(now time.Time) {
	b.cut(len(b.Buf), now)
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

func (b *batcher) cut(n int, now time.Time) {
	if n == 0 {
		return
	}
	b.last = now
	b.to.broadcastLocked(b.Take(n))
}
