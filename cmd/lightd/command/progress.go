package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"lightd/cmd/lightd/render"
	"lightd/cmd/lightd/terminal"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
	"lightd/observed/journal"
	"lightd/observed/screen"
	"lightd/observed/status"
)

// progress shows, on the standard error, what happens to containers while a command waits
// for them: their events as lines, and on a terminal, of a single one and in place, what is
// still waited for, as a pull with its bytes, and the last line that it prints. The events
// begin after the one of number after. stop ends it and returns when nothing more will be
// written; a second call does nothing.
//
// It is optional: when it is not available, the command continues without it.
func (a *app) progress(ctx context.Context, s *session, ids []string, after uint64) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	p := &ticker{app: a, ids: ids, live: len(ids) == 1 && terminal.Is(a.Streams.Err), seen: map[string]uint64{}}
	for _, id := range ids {
		p.seen[id] = after
	}
	a.clear = p.clear
	a.catchUp = func(id string) { p.catchUp(ctx, s, id) }
	var done sync.WaitGroup
	done.Go(func() {
		if len(ids) != 1 {
			p.follow(ctx, s, "", after, nil)
			return
		}
		// A container that is still to be created has no stream; that of all shows when
		// it is created.
		if err := p.follow(ctx, s, ids[0], after, nil); errors.Is(err, client.ErrNotFound) {
			p.follow(ctx, s, "", after, func(m client.Message) bool {
				return m.Lifecycle != nil && m.Lifecycle.InternalID == ids[0]
			})
			p.follow(ctx, s, ids[0], after, nil)
		}
	})
	if p.live {
		done.Go(func() { p.poll(ctx, s, ids[0]) })
	}
	return func() {
		a.catchUp = func(string) {}
		cancel()
		done.Wait()
		p.clear()
	}
}

// catchUp writes the events of a container that are recorded and that the stream has not brought
// yet, so that the outcome which follows from them comes behind them.
func (p *ticker) catchUp(ctx context.Context, s *session, id string) {
	p.turn.Lock()
	after, known := p.seen[id]
	p.turn.Unlock()
	if !known || after == client.Now {
		return // what was before is none of this command's
	}
	events, _, err := s.EventPage(ctx, id, after, 1000)
	if errors.Is(err, client.ErrNotFound) {
		events, _, err = s.EventPage(ctx, "", after, 1000) // those of what is deleted
	}
	if err != nil {
		return // it is an extra
	}
	for _, e := range events {
		p.event(e)
	}
}

// event writes one of the events that are followed, once.
func (p *ticker) event(e journal.Event) {
	p.turn.Lock()
	defer p.turn.Unlock()
	after, followed := p.seen[e.InternalID]
	if !followed || after != client.Now && e.Seq <= after {
		return
	}
	p.seen[e.InternalID] = e.Seq
	p.app.note("%s", strings.TrimSpace(fmt.Sprintf("%s: %s  %s", e.InternalID, e.Type, e.Message)))
}

// follow shows what comes until the stream ends, or until end reports true of a message, which
// is not shown.
func (p *ticker) follow(ctx context.Context, s *session, id string, after uint64, end func(client.Message) bool) error {
	for m, err := range s.follow.Follow(ctx, id, client.From{After: after}) {
		if err != nil || end != nil && end(m) {
			return err
		}
		p.message(m)
	}
	return nil
}

// poll shows each second what keeps a container from its goal, until ctx ends or
// that is not available. Its text is shown when it is new: what the container printed since
// stays otherwise.
func (p *ticker) poll(ctx context.Context, s *session, id string) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for said := ""; ; {
		c, err := s.follow.Get(ctx, id)
		if err != nil && !errors.Is(err, client.ErrNotFound) {
			return
		}
		if message := unsynced(c.Conditions); message != said {
			if said = message; said != "" {
				p.show(said)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// unsynced describes why a container is not as its spec; empty when it is.
func unsynced(all []status.Condition) string {
	for _, c := range all {
		if c.Type == status.Synced && c.Status == status.False {
			return c.Message
		}
	}
	return ""
}

// ticker writes progress.
type ticker struct {
	app *app
	ids []string
	// live is true when lines are shown in place.
	live bool
	line screen.Line // that is printed

	turn  sync.Mutex        // held while an event or a line in place is shown
	seen  map[string]uint64 // the last event of each container that was written; guarded by turn
	mu    sync.Mutex
	shown bool // whether a line is shown in place now; guarded by mu
}

// eraseLine goes to the start of the line and empties it.
const eraseLine = "\r\x1b[K"

// clear removes the line that is shown in place, before something else is written.
func (p *ticker) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		p.app.put(p.app.Streams.Err, eraseLine)
		p.shown = false
	}
}

func (p *ticker) message(m client.Message) {
	switch {
	case m.Kind == api.MessageLifecycle && m.Lifecycle != nil:
		p.event(*m.Lifecycle)
	case m.Kind == api.MessageConsole && p.live:
		p.output(m.Text)
	}
}

// output shows the last line of what a container prints, as a terminal renders it.
func (p *ticker) output(text string) {
	last := ""
	keep := func(text []byte) bool {
		if len(bytes.TrimSpace(text)) > 0 {
			last = string(text)
		}
		return false
	}
	p.line.Feed([]byte(text), keep)
	keep(p.line.Show())
	if last != "" {
		p.show(last)
	}
}

// show shows a line in place of the one that is shown.
func (p *ticker) show(text string) {
	line := []rune("  " + render.Text(text))
	if width := terminal.Width(p.app.Streams.Err); width > 1 && len(line) >= width {
		line = line[:width-1]
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.app.put(p.app.Streams.Err, eraseLine+string(line))
	p.shown = true
}

// lastSeq is the number of the last event that there is, to show from there what follows
// from a write. Without it, what comes is shown all the same.
func (s *session) lastSeq(ctx context.Context) uint64 {
	_, last, err := s.EventPage(ctx, "", client.Now, 1)
	if err != nil {
		return client.Now
	}
	return last
}
