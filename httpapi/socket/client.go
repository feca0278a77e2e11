package socket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"lightd/desired/subscribe"
	"lightd/httpapi/sessions"
	"lightd/observed"
	"lightd/observed/console"
	"lightd/observed/journal"
)

const (
	// maxMessage bounds what a client may send at once, in bytes.
	maxMessage = 64 << 10
	// pageSize is how many events are read from the journal at a time.
	pageSize = 100
	// maxReplies is how many answers may wait for a client before its next message is
	// left unread.
	maxReplies = 16
	// messageRate and messageBurst bound how many messages a client may send: as fast as
	// a person, or a paste of a hundred lines.
	messageRate, messageBurst = 20, 120
)

// client is one connection. Three goroutines serve it: one reads, one writes, one asks
// for signs of life.
type client struct {
	hub     *Hub
	session Session
	conn    *websocket.Conn
	raw     net.Conn // what conn runs over
	// limit and input belong to the reader; input is nil at the socket of all containers.
	limit *rate.Limiter
	input Input

	news    chan struct{} // holds a value when the journal may have more
	replies chan any

	// These belong to the writer once it runs. What is after start is live; sent is the last event
	// that was sent; words are the last words, by container.
	start, sent uint64
	views       map[string]View

	once   sync.Once
	done   chan struct{} // closed by stop, after code and reason were set
	code   websocket.StatusCode
	reason string
}

func newClient(h *Hub, s Session) *client {
	if s.Allows == nil {
		s.Allows = everything{}
	}
	if s.Log == nil {
		s.Log = h.cfg.Log
	}
	return &client{
		hub: h, session: s, limit: rate.NewLimiter(messageRate, messageBurst),
		news: make(chan struct{}, 1), replies: make(chan any, maxReplies),
		views: map[string]View{}, done: make(chan struct{}),
	}
}

// begin sets where the live events begin. A client that claims to have seen what has
// not happened is from another life of the database, and starts at the present.
func (c *client) begin() {
	c.start = c.hub.cfg.Journal.LastSeq()
	c.sent = c.start
	if c.session.Replay {
		c.sent = min(c.session.After, c.start)
	}
}

func (c *client) wake() {
	subscribe.Wake(c.news)
}

// noHandshake ends a connection whose peer is gone or does not answer.
const noHandshake websocket.StatusCode = 0

// stop makes the connection end; the first call says why.
func (c *client) stop(code websocket.StatusCode, reason string) {
	c.once.Do(func() {
		c.code, c.reason = code, reason
		close(c.done)
	})
}

// Valid reports whether the token that counts still holds.
func (c *client) Valid() bool { return c.session.Valid() }

// Stop ends the connection for a reason of package sessions.
func (c *client) Stop(why error) {
	if errors.Is(why, sessions.ErrExpired) {
		c.stop(websocket.StatusPolicyViolation, why.Error())
		return
	}
	c.stop(websocket.StatusGoingAway, why.Error())
}

// run serves the connection until stop is called and everything has ended.
func (c *client) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.conn.SetReadLimit(maxMessage)
	var output <-chan console.Chunk
	var figures <-chan observed.Stats
	if c.session.ID != "" { // before a command is read: its answer is for this client
		text, stats := c.hub.cfg.Console.Subscribe(c.session.ID, c.session.From), c.hub.cfg.Console.SubscribeStats(c.session.ID)
		defer text.Close()
		defer stats.Close()
		output, figures = text.C(), stats.C()
	}
	write := func(ctx context.Context) { c.write(ctx, output, figures) }
	var gone sync.WaitGroup
	for _, serve := range []func(context.Context){c.read, write, c.ping} {
		gone.Go(func() {
			// A panic here would end the daemon: it ends the connection.
			defer func() {
				if p := recover(); p != nil {
					c.session.Log.Error("websocket panicked", "reason", fmt.Sprint(p))
					c.stop(websocket.StatusInternalError, "internal error")
				}
			}()
			serve(ctx)
		})
	}
	<-c.done
	c.close()
	cancel()
	gone.Wait()
}

// closeWithin bounds the closing handshake.
const closeWithin = 10 * time.Second

// close closes the connection. The peer may be gone already: then there is nobody to
// hear the reason, and the error says no more than that.
func (c *client) close() {
	if c.code == noHandshake {
		_ = c.conn.CloseNow()
		return
	}
	guard := time.AfterFunc(closeWithin, func() { _ = c.raw.Close() })
	defer guard.Stop()
	_ = c.conn.Close(c.code, c.reason)
}

// ping ends the connection when the peer shows no sign of life.
func (c *client) ping(ctx context.Context) {
	ticker := time.NewTicker(c.hub.cfg.PingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-ticker.C:
		}
		within, cancel := context.WithTimeout(ctx, c.hub.cfg.PongWithin)
		err := c.conn.Ping(within)
		cancel()
		if err != nil {
			c.stop(noHandshake, "")
			return
		}
	}
}

// write sends the greeting and then whatever comes. Output and figures are nil where nothing is followed.
func (c *client) write(ctx context.Context, output <-chan console.Chunk, figures <-chan observed.Stats) {
	err := c.greet(ctx)
	for err == nil {
		select {
		case <-c.done:
			return
		default:
		}
		select {
		case <-c.done:
			return
		case <-c.news:
			err = c.catchUp(ctx)
		case reply := <-c.replies:
			err = c.send(ctx, reply)
		case chunk, open := <-output:
			if !open {
				output = nil
				continue
			}
			err = c.sendOutput(ctx, chunk)
		case stats, open := <-figures:
			if !open {
				figures = nil
				continue
			}
			err = c.send(ctx, statsMessage{"stats", stats})
		}
	}
	c.stop(noHandshake, "")
}

// greet sends the present word of what is followed, and the events that were missed.
func (c *client) greet(ctx context.Context) error {
	// The status and the event of one commit show one after the other. Waiting for the
	// commits in progress keeps a word from falling into the gap; when the database does
	// not answer, the gap is the smaller evil.
	within, cancel := context.WithTimeout(ctx, time.Second)
	_ = c.hub.cfg.Settle(within)
	cancel()
	ids := []string{c.session.ID}
	if c.session.ID == "" {
		ids = c.hub.cfg.IDs()
	} else if !c.hub.cfg.Exists(c.session.ID) {
		c.stop(websocket.StatusNormalClosure, reasonDeleted)
		return nil
	}
	for _, id := range ids {
		if !c.session.Allows.Container(id) {
			continue
		}
		if err := c.sendView(ctx, id, c.hub.cfg.View(id)); err != nil {
			return err
		}
	}
	return c.catchUp(ctx)
}

// reasonDeleted is why a connection ends with its container.
const reasonDeleted = "container deleted"

// catchUp sends what the journal has and the client has not.
func (c *client) catchUp(ctx context.Context) error {
	return c.events(func(e journal.Event) error { return c.sendEvent(ctx, e) })
}

func nothing(journal.Event) error { return nil }

// events hands what the journal has and the client has not to fn, and stops the client
// where its container was deleted.
func (c *client) events(fn func(journal.Event) error) error {
	for {
		events, _, err := c.hub.cfg.Journal.Page(c.session.ID, c.sent, pageSize)
		if err != nil {
			c.session.Log.Error("websocket cannot read the journal", "container", c.session.ID, "error", err)
			c.stop(websocket.StatusInternalError, "journal cannot be read")
			return nil
		}
		if len(events) == 0 {
			return nil
		}
		for _, e := range events {
			if c.allows(e) {
				if err := fn(e); err != nil {
					return err
				}
			}
			c.sent = e.Seq
			// An older life of the same id may have ended among what was missed.
			if e.Type == journal.Deleted && c.session.ID != "" && e.Seq > c.start {
				c.stop(websocket.StatusNormalClosure, reasonDeleted)
				return nil
			}
		}
	}
}

// allows reports whether the session's token is for what an event is about: the end of a container that
// it was sent is, though nothing is left of that.
func (c *client) allows(e journal.Event) bool {
	_, sent := c.views[e.InternalID]
	return c.session.Allows.Event(e) || sent && e.Type == journal.Deleted && e.Seq > c.start
}

func (c *client) sendEvent(ctx context.Context, e journal.Event) error {
	if err := c.send(ctx, lifecycleMessage{"lifecycle", e}); err != nil || e.Seq <= c.start {
		return err
	}
	if e.Type == journal.Deleted {
		delete(c.views, e.InternalID)
	} else if e.InternalID != "" {
		if err := c.sendChange(ctx, e); err != nil {
			return err
		}
	}
	if text := plain(e); text != "" && c.session.ID != "" {
		return c.send(ctx, textMessage{"daemon_message", text})
	}
	return nil
}

// sendChange sends the word after an event where it is another one than before.
func (c *client) sendChange(ctx context.Context, e journal.Event) error {
	before, sent := c.views[e.InternalID]
	now := before.After(e.Type, c.hub.cfg.View(e.InternalID))
	if sent && now.Word() == before.Word() {
		c.views[e.InternalID] = now
		return nil
	}
	return c.sendView(ctx, e.InternalID, now)
}

func (c *client) sendView(ctx context.Context, id string, v View) error {
	c.views[id] = v
	m := wordMessage{Event: "event", Data: v.Word()}
	if c.session.ID == "" {
		m.InternalID = id
	}
	return c.send(ctx, m)
}

// skipped tells of text that a client was too slow for.
func skipped(bytes int64) string {
	return fmt.Sprintf("%d bytes of console text were skipped: this connection reads too slowly", bytes)
}

func (c *client) sendOutput(ctx context.Context, chunk console.Chunk) error {
	if chunk.Lost > 0 {
		if err := c.send(ctx, textMessage{"daemon_message", skipped(chunk.Lost)}); err != nil {
			return err
		}
	}
	if chunk.Text == "" && chunk.Notice == "" {
		return nil
	}
	return c.sendData(ctx, chunk.Encoded(encodeChunk))
}

// send writes one message. A peer that does not take it in time is dropped.
func (c *client) send(ctx context.Context, message any) error {
	data, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode message of type %T: %w", message, err)
	}
	return c.sendData(ctx, data)
}

func (c *client) sendData(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, c.hub.cfg.WriteWithin)
	defer cancel()
	if err := c.conn.Write(ctx, websocket.MessageText, data); err != nil {
		return fmt.Errorf("write to websocket: %w", err)
	}
	return nil
}
