package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"lightd/httpapi/api"
)

// Console is the WebSocket of a container, or that of all containers. Whoever opens one
// ranges over its Messages: only then is it read, and opened again after it broke. Its
// methods may be used by any number of goroutines, but for Messages, which is for one.
type Console struct {
	client *Client
	id     string
	ctx    context.Context // of its life
	cancel context.CancelCauseFunc
	kept   func() bool // ends what closes the connection with ctx

	// These belong to Messages once Console has returned. from is where a new connection
	// goes on, opened when the first one was, by the daemon's clock; quiet runs while a
	// message is waited for.
	from   From
	opened string
	outage retryBudget
	quiet  *time.Timer

	mu      sync.Mutex
	conn    *websocket.Conn // nil while there is none; guarded by mu, like changed
	changed chan struct{}   // closed when conn changes
	size    map[string]any  // the last resize message; guarded by mu
}

// From is where the messages of a WebSocket begin.
type From struct {
	// After is the number of the event after which to begin: 0 is all that are kept, Now
	// only what is to come.
	After uint64
	// Since is the Position of a console message, or a time as in RFC 3339, after which
	// to begin; Tail is how many lines of before to begin with, where Since is empty.
	// Without either, text begins with what is printed from now on.
	Since string
	Tail  int
}

// Console opens the WebSocket of a container, or of all for the id "", which has no text
// and takes no commands. It first sends the present word, then what from asks for, then
// what happens. Close it; the end of ctx does so too.
func (c *Client) Console(ctx context.Context, id string, from From) (*Console, error) {
	k := &Console{client: c, id: id, from: from, outage: retryBudget{patience: c.patience}, changed: make(chan struct{})}
	if from.After == Now && c.patience >= 0 {
		// To go on without a gap after a break, it must be known where it began.
		// Who may not read events begins at every connection with what is to come.
		_, last, err := c.EventPage(ctx, "", Now, 1)
		switch {
		case err == nil:
			k.from.After = last
		case !errors.Is(err, ErrForbidden):
			return nil, err
		}
	}
	k.ctx, k.cancel = context.WithCancelCause(ctx)
	if err := c.repeat(k.ctx, k.request(), k.connect, func(error) {}); err != nil {
		k.cancel(nil)
		return nil, err
	}
	k.kept = context.AfterFunc(k.ctx, k.drop)
	return k, nil
}

// Follow is a Console of which only the messages are of interest.
func (c *Client) Follow(ctx context.Context, id string, from From) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		k, err := c.Console(ctx, id, from)
		if err != nil {
			yield(Message{}, err)
			return
		}
		defer k.Close()
		k.Messages()(yield)
	}
}

// Close ends the connection, and Messages with ErrClosed.
func (k *Console) Close() {
	k.kept()
	k.cancel(ErrClosed)
	k.drop()
}

// Messages tells what comes, until the Console is closed, the loop is left or, without an
// error, the container is deleted. After a broken connection it goes on with a new one:
// the present word comes first then, and what was missed.
func (k *Console) Messages() iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		defer k.drop()
		for {
			err := k.read(yield)
			if errors.Is(err, errLeft) || errors.Is(err, errDeleted) {
				return
			}
			if err = k.reconnect(err); err != nil {
				yield(Message{}, err)
				return
			}
		}
	}
}

// errDeleted ends the messages of a container that is no more.
var errDeleted = errors.New("the container was deleted")

// read tells the messages of the present connection, if there is one, until its end.
func (k *Console) read(yield func(Message, error) bool) error {
	conn := k.current()
	if conn == nil {
		return k.client.transportError(k.ctx, k.request(), true, io.ErrUnexpectedEOF)
	}
	ctx, cancel := context.WithCancelCause(k.ctx)
	defer cancel(nil)
	k.quiet = time.AfterFunc(silence, func() { cancel(errSilent) })
	defer k.quiet.Stop()
	for {
		k.quiet.Reset(silence)
		_, data, err := conn.Read(ctx)
		k.quiet.Stop() // what the loop does meanwhile may take its time
		if err != nil {
			return k.ending(ctx, err)
		}
		k.outage.reset()
		m, err := decode(data)
		if err != nil {
			return err
		}
		if m.Position != "" {
			k.from.Since, k.from.Tail = m.Position, 0
		}
		if m.Lifecycle != nil {
			k.from.After = max(k.from.After, m.Lifecycle.Seq)
		}
		if !yield(m, nil) {
			return errLeft
		}
	}
}

// ending is what the end of a connection means.
func (k *Console) ending(ctx context.Context, err error) error {
	switch websocket.CloseStatus(err) {
	case websocket.StatusNormalClosure:
		return errDeleted
	case websocket.StatusMessageTooBig:
		return fmt.Errorf("%s: what was sent is too big: %w", k.request().path, err)
	default:
		return k.client.transportError(ctx, k.request(), true, err)
	}
}

// reconnect opens the WebSocket again after err, or returns why not.
func (k *Console) reconnect(err error) error {
	k.drop()
	for {
		if !mayReconnect(err) {
			return err
		}
		if !k.outage.pause(k.ctx, err) {
			return ended(k.ctx, err)
		}
		if err = k.connect(); err == nil {
			return nil
		}
	}
}

func (k *Console) request() request {
	r := get("ws")
	if k.id != "" {
		r = get("ws", k.id)
	}
	r.query = url.Values{"after": {strconv.FormatUint(k.from.After, 10)}}
	since := k.from.Since
	if since == "" && k.from.Tail == 0 {
		since = k.opened // nothing was printed yet that has a position
	}
	if since != "" && k.id != "" {
		r.query.Set("since", since)
	}
	if k.from.Tail > 0 && since == "" {
		r.query.Set("tail", strconv.Itoa(k.from.Tail))
	}
	return r
}

// maxMessage bounds what a message of the daemon may hold, in bytes: its largest is the
// answer to a request for logs.
const maxMessage = 64 << 20

// connect is one attempt to open the WebSocket.
func (k *Console) connect() error {
	c, r := k.client, k.request()
	ctx, cancel := context.WithTimeoutCause(k.ctx, c.timeout, errTooSlow)
	defer cancel()
	h := http.Header{}
	c.prepare(h, r)
	conn, response, err := websocket.Dial(ctx, c.address(r), &websocket.DialOptions{
		HTTPClient: c.http, HTTPHeader: h,
		OnPingReceived: func(context.Context, []byte) bool { k.quiet.Reset(silence); return true },
	})
	if err != nil {
		if response != nil && response.StatusCode != http.StatusSwitchingProtocols {
			return refusalOf(r, response)
		}
		return c.transportError(ctx, r, response != nil, err)
	}
	conn.SetReadLimit(maxMessage)
	if k.opened == "" {
		k.opened = clock(response.Header).UTC().Format(time.RFC3339)
	}
	k.resizeAgain(ctx, conn)
	k.set(conn)
	if k.ctx.Err() != nil {
		k.drop() // Close may have come before set
		return c.transportError(k.ctx, r, true, k.ctx.Err())
	}
	return nil
}

// clock is the daemon's time of an answer, or ours where it does not tell.
func clock(h http.Header) time.Time {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return time.Now()
	}
	return at
}

func (k *Console) current() *websocket.Conn {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.conn
}

func (k *Console) set(conn *websocket.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conn = conn
	close(k.changed)
	k.changed = make(chan struct{})
}

// drop closes the present connection.
func (k *Console) drop() {
	k.mu.Lock()
	conn := k.conn
	k.conn = nil
	k.mu.Unlock()
	if conn != nil {
		// The peer may be gone: then there is nobody to take leave of.
		_ = conn.CloseNow()
	}
}

// SendCommand writes text, with its line break, to the container's standard input. It waits
// for a connection where one is being opened again. Nothing tells that it arrived but
// what the container prints, or a daemon_message that begins with "Error: ".
func (k *Console) SendCommand(ctx context.Context, text string) error {
	return k.send(ctx, map[string]any{"event": api.SendCommand, "command": text})
}

// Resize makes the terminal of the container so large, in characters from 1 to 1,000, also when
// the connection was opened again.
func (k *Console) Resize(ctx context.Context, cols, rows int) error {
	m := map[string]any{"event": api.Resize, "cols": cols, "rows": rows}
	k.mu.Lock()
	k.size = m
	k.mu.Unlock()
	return k.send(ctx, m)
}

// resizeAgain tells a new connection the size that was set.
func (k *Console) resizeAgain(ctx context.Context, conn *websocket.Conn) {
	k.mu.Lock()
	m := k.size
	k.mu.Unlock()
	if m == nil {
		return
	}
	if data, err := json.Marshal(m); err == nil {
		_ = conn.Write(ctx, websocket.MessageText, data) // a reader finds what is wrong with it
	}
}

// Power writes what the process should do, as Client.Power does.
func (k *Console) Power(ctx context.Context, a Action) error {
	return k.send(ctx, map[string]any{"event": api.Power, "action": a})
}

// RequestLogs asks for the last lines that were printed, 1 to 5,000 of them; 0 for 200. A
// message of kind `logs` answers it.
func (k *Console) RequestLogs(ctx context.Context, lines int) error {
	m := map[string]any{"event": api.RequestLogs}
	if lines != 0 {
		m["lines"] = lines
	}
	return k.send(ctx, m)
}

// Renew lets an open WebSocket last as long as the token that Client.SetToken was given.
// The daemon answers it with a daemon_message.
func (k *Console) Renew(ctx context.Context) error {
	return k.send(ctx, map[string]any{"event": api.Auth, "token": *k.client.token.Load()})
}

// sendLimit bounds what one message may take to be written.
const sendLimit = 10 * time.Second

// send writes one message. What a broken connection swallowed is not sent again.
func (k *Console) send(ctx context.Context, message map[string]any) error {
	data, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode a message: %w", err)
	}
	conn, err := k.await(ctx)
	if err != nil {
		return fmt.Errorf("send %v: %w", message["event"], err)
	}
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	if err := conn.Write(ctx, websocket.MessageText, data); err != nil {
		return fmt.Errorf("send %v: %w", message["event"], errors.Join(err, context.Cause(k.ctx)))
	}
	return nil
}

// await returns the present connection, or the next one.
func (k *Console) await(ctx context.Context) (*websocket.Conn, error) {
	for {
		k.mu.Lock()
		conn, changed := k.conn, k.changed
		k.mu.Unlock()
		if k.ctx.Err() != nil {
			return nil, context.Cause(k.ctx)
		}
		if conn != nil {
			return conn, nil
		}
		select {
		case <-changed:
		case <-k.ctx.Done():
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
