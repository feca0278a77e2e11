package startpattern

import (
	"context"
	"time"

	"lightd/observed/streams"
)

const (
	// maxWaiting is how many bytes of live output may wait to be matched before who reads it waits.
	maxWaiting = 256 << 10
	// pieceSize is how much is matched at once, in bytes.
	pieceSize = 4 << 10
	// freeTime, and freePerByte for each byte, is what a piece may take. A probe that needs more gives
	// up restFactor times as much, and only one such probe is matched at a time.
	freeTime, freePerByte = 5 * time.Millisecond, time.Microsecond
	restFactor            = 4
)

// liveOutput is the live output of a probe that waits to be matched. All but the matcher is under the
// lock of the registry; the matcher belongs to work, which matches without any lock.
type liveOutput struct {
	p       *probe
	ctx     context.Context
	matcher matcher
	budget  budget

	waiting []liveText
	size    int
	working bool
	// void is true once what waits is of no run that counts.
	void bool
	// room is closed when size is below its bound again; nil while nobody waits.
	room chan struct{}
}

// liveText is one piece of output. One without text stands for the end of the wait for an open line.
type liveText struct {
	source int
	text   []byte
	at     time.Time
}

// addLocked has text matched after all that waits.
func (l *liveOutput) addLocked(t liveText) {
	l.waiting = append(l.waiting, t)
	l.size += len(t.text)
	if !l.working {
		l.working = l.p.r.group.Go(l.work)
	}
}

// work matches what waits until nothing does.
func (l *liveOutput) work() {
	for {
		next, ok := l.take()
		if !ok {
			return
		}
		found := l.match(next)
		l.p.r.mu.Lock()
		switch {
		case l.void || !l.p.isCurrentLocked():
		case found:
			l.p.matchedLocked()
		case len(next.text) > 0 && l == l.p.live:
			l.p.scheduleOpenLineLocked(next.at)
		}
		l.p.r.mu.Unlock()
	}
}

func (l *liveOutput) match(next liveText) bool {
	if len(next.text) == 0 {
		return l.matcher.matchOpen()
	}
	l.p.typed.Expire(next.at)
	return l.budget.feed(l.ctx, &l.matcher, next.source, next.text)
}

// take returns what is matched next.
func (l *liveOutput) take() (liveText, bool) {
	l.p.r.mu.Lock()
	defer l.p.r.mu.Unlock()
	if l.void || l.ctx.Err() != nil || len(l.waiting) == 0 {
		l.waiting, l.size, l.working = nil, 0, false
		l.notifyRoomLocked()
		return liveText{}, false
	}
	next := l.waiting[0]
	l.waiting[0] = liveText{}
	l.waiting = l.waiting[1:]
	if l.size -= len(next.text); l.size <= maxWaiting {
		l.notifyRoomLocked()
	}
	return next, true
}

func (l *liveOutput) notifyRoomLocked() {
	if l.room != nil {
		close(l.room)
		l.room = nil
	}
}

// AwaitRoom waits while more output of id waits to be matched than is kept: the container waits
// then too, and no other.
func (r *Registry) AwaitRoom(ctx context.Context, id string) {
	for {
		room, stopped := r.room(id)
		if room == nil {
			return
		}
		select {
		case <-room:
		case <-stopped:
			return
		case <-ctx.Done():
			return
		}
	}
}

// room returns what is closed once there is room, nil where there is, and what is closed when the
// probe ends.
func (r *Registry) room(id string) (room, stopped <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.probes[id]
	if !p.pending() || !p.live.working || p.live.size <= maxWaiting {
		return nil, nil
	}
	if p.live.room == nil {
		p.live.room = make(chan struct{})
	}
	return p.live.room, p.live.ctx.Done()
}

// budget bounds the share of a core that one probe takes, and that all expensive ones take together.
type budget struct {
	// costly has room for one probe.
	costly chan struct{}
	// over is true when the last piece took more than it may.
	over bool
}

// feed is matcher.feed within the budget. It returns false when ctx ends.
func (b *budget) feed(ctx context.Context, m *matcher, source int, text []byte) bool {
	for len(text) > 0 && ctx.Err() == nil {
		piece := text[:min(len(text), pieceSize)]
		text = text[len(piece):]
		if b.piece(ctx, m, source, piece) {
			return ctx.Err() == nil
		}
	}
	return false
}

func (b *budget) piece(ctx context.Context, m *matcher, source int, piece []byte) bool {
	if b.over {
		select {
		case b.costly <- struct{}{}:
		case <-ctx.Done():
			return false
		}
	}
	began := time.Now()
	found := m.feed(source, piece)
	spent := time.Since(began)
	if b.over {
		<-b.costly
	}
	if b.over = spent > freeTime+time.Duration(len(piece))*freePerByte; b.over && !found {
		streams.Sleep(ctx, restFactor*spent)
	}
	return found
}
