package socket

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"lightd/httpapi/api"
	"lightd/httpapi/sessions"
	"lightd/observed/console"
	"lightd/observed/journal"
)

// ErrGone is what Serve and ServeText return when the container was removed meanwhile.
var ErrGone = errors.New("container is gone")

// Journal is where lifecycle events are read.
type Journal interface {
	Page(id string, after uint64, limit int) ([]journal.Event, uint64, error)
	LastSeq() uint64
	Subscribe(fn func(journal.Event)) (cancel func())
}

// Config is what a Hub works with. A duration or number that is zero takes its default.
type Config struct {
	Journal Journal
	Console Console
	// IDs lists all containers, Exists tells whether one is there, View what is recorded of it.
	IDs    func() []string
	Exists func(id string) bool
	View   func(id string) View
	// Settle returns when everything that was committed before shows in what the others
	// here return.
	Settle func(context.Context) error
	// Power is a power action of a client.
	Power func(ctx context.Context, id, action string) error
	// Authorize refuses a message of a kind to a client that may not send it; nil refuses none.
	Authorize func(ctx context.Context, kind api.MessageKind) error
	// Record is called with what a client has sent to change something, or was refused; nil for nobody.
	Record func(ctx context.Context, s Sent)
	// Explain makes a sentence for a client of an error of Power, Authorize, or Session.Renew.
	Explain func(ctx context.Context, err error) string
	Log     *slog.Logger

	// PerContainer and Total bound the connections (default 64 and 4,096).
	PerContainer, Total int
	// PingEvery is how often a client must prove that it is there (30 s), PongWithin how
	// long it may take for that (30 s), WriteWithin how long for one message (60 s).
	PingEvery, PongWithin, WriteWithin time.Duration
	// CheckEvery is how often tokens are looked at (2 s).
	CheckEvery time.Duration
}

// Sent is a message of a client that was carried out, or refused with Err.
type Sent struct {
	Kind api.MessageKind
	// Action is that of a power action, Input the text of a command.
	Action, Input string
	Err           error
	Began         time.Time
}

func (c *Config) setDefaults() {
	if c.Record == nil {
		c.Record = func(context.Context, Sent) {}
	}
	if c.PerContainer == 0 {
		c.PerContainer = 64
	}
	if c.Total == 0 {
		c.Total = 4096
	}
	for _, d := range []struct {
		value  *time.Duration
		absent time.Duration
	}{
		{&c.PingEvery, 30 * time.Second}, {&c.PongWithin, 30 * time.Second},
		{&c.WriteWithin, 60 * time.Second}, {&c.CheckEvery, 2 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.absent
		}
	}
}

// Session is what a client was granted.
type Session struct {
	// ID is the container to follow; empty for all.
	ID string
	// Replay asks for the events after After that were missed.
	Replay bool
	After  uint64
	// From is where the console text begins.
	From console.From
	// Protocol is the subprotocol to accept; empty for none.
	Protocol string
	// Compress lets the client compress and be sent compressed messages (RFC 7692), if it
	// offers to.
	Compress bool
	// Valid reports whether the token of the session still holds.
	Valid func() bool
	// Renew accepts another token in place of that one, for which Valid and Allows speak then.
	Renew func(ctx context.Context, token string) error
	// Allows is what the token of the session is for; nil for everything.
	Allows Filter
	// Log receives what is not sent to the client (default: that of the Config).
	Log *slog.Logger
}

// Filter is a part of all containers.
type Filter interface {
	// Container reports whether it has the container of an id, which exists.
	Container(id string) bool
	// Event reports whether it has what an event is about.
	Event(e journal.Event) bool
}

// everything is the Filter that has all.
type everything struct{}

func (everything) Container(string) bool    { return true }
func (everything) Event(journal.Event) bool { return true }

// Hub holds the connections.
type Hub struct {
	cfg     Config
	clients *sessions.Set[*client] // by Session.ID
	cancel  func()                 // of the subscription to the journal
}

// New returns a Hub without connections. Close it.
func New(cfg Config) *Hub {
	cfg.setDefaults()
	h := &Hub{cfg: cfg, clients: sessions.New[*client](sessions.Limits{Total: cfg.Total, PerKey: cfg.PerContainer, CheckEvery: cfg.CheckEvery})}
	h.cancel = cfg.Journal.Subscribe(h.tell)
	return h
}

// Clients returns how many clients there are now.
func (h *Hub) Clients() int { return h.clients.Len() }

// SetLimits bounds the connections to come. Those that are open stay.
func (h *Hub) SetLimits(perContainer, total int) { h.clients.SetLimits(perContainer, total) }

// Close ends all connections with 1001 and returns when they are gone.
func (h *Hub) Close() {
	h.cancel()
	h.clients.Close()
}

// Serve upgrades a request and returns when the connection has ended. Its error says
// why nothing was upgraded, ErrGone or one of package sessions, and leaves the answer to
// the caller.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, s Session) error {
	c, err := h.admit(s)
	if err != nil {
		return err
	}
	defer h.clients.Leave(s.ID, c)
	// Listening began with the admission: whatever is not in the journal yet is heard.
	c.begin()
	if s.ID != "" && !h.cfg.Exists(s.ID) {
		return ErrGone
	}
	// The caller has checked the origin.
	options := &websocket.AcceptOptions{InsecureSkipVerify: true}
	if s.Compress {
		// No memory of a connection's own, of which the other mode takes more than 1 MB.
		options.CompressionMode = websocket.CompressionNoContextTakeover
	}
	if s.Protocol != "" {
		options.Subprotocols = []string{s.Protocol}
	}
	taken := &hijacked{ResponseWriter: w}
	if c.conn, err = websocket.Accept(taken, r, options); err != nil {
		return nil // Accept has answered
	}
	c.raw = taken.conn
	c.run(r.Context())
	return nil
}

func (h *Hub) admit(s Session) (*client, error) {
	c := newClient(h, s)
	return c, h.clients.Enter(s.ID, c)
}

// tell wakes those who follow the container of e. It is called by the committer.
func (h *Hub) tell(e journal.Event) {
	h.clients.Each(e.InternalID, (*client).wake)
	h.clients.Each("", (*client).wake)
}
