package streams

import (
	"context"
	"log/slog"
	"sync/atomic"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/audit"
	"lightd/httpapi/auth"
	"lightd/httpapi/socket"
	"lightd/httpapi/view"
	"lightd/httpapi/watch"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// Journal is the record of lifecycle events.
type Journal interface {
	Page(id string, after uint64, limit int) ([]journal.Event, uint64, error)
	LastSeq() uint64
	Subscribe(fn func(journal.Event)) (cancel func())
}

// Sources are what streams are made of.
type Sources struct {
	Store   watch.Store
	Journal Journal
	Console socket.Console
	Views   *view.Viewer
	// Engine is whether Docker could be seen, in the order of what else was recorded.
	Engine func() status.EngineStatus
	// Power runs the power action of a client of a WebSocket.
	Power func(ctx context.Context, id, action string) error
	// Ping returns when the database takes writes.
	Ping func(context.Context) error
	// Audit records what clients of WebSockets do; nil for nothing.
	Audit *audit.Log
}

// Limits bound the connections of clients.
type Limits struct {
	// Origins are the foreign origins whose pages may call every route, as in
	// "https://panel.example.com"; "*" is any.
	Origins []string
	// ConsolesPerContainer and Consoles bound how many clients may be connected to consoles
	// (default 64 and 4,096).
	ConsolesPerContainer, Consoles int
}

// Handlers answer the routes. Their methods may be used by any number of goroutines.
type Handlers struct {
	store   watch.Store
	journal Journal
	console socket.Console
	views   *view.Viewer
	auth    *auth.Authenticator
	audit   *audit.Log
	log     *slog.Logger

	sockets *socket.Hub
	watches *watch.Hub
	origins atomic.Pointer[origins]
}

// New returns the handlers. Close them.
func New(s Sources, l Limits, a *auth.Authenticator, log *slog.Logger) (*Handlers, error) {
	allowed, err := parseOrigins(l.Origins)
	if err != nil {
		return nil, err
	}
	h := &Handlers{store: s.Store, journal: s.Journal, console: s.Console, views: s.Views, auth: a, audit: s.Audit, log: log}
	h.origins.Store(&allowed)
	h.sockets = socket.New(socket.Config{
		Journal: s.Journal, Console: s.Console, Settle: s.Ping,
		IDs: h.ids, Exists: h.exists, View: h.socketView, Power: s.Power, Authorize: authorize, Record: h.record, Explain: h.explain, Log: log,
		PerContainer: l.ConsolesPerContainer, Total: l.Consoles,
	})
	h.watches = watch.New(watch.Config{
		Store: s.Store,
		Show:  func(c desired.Container) func() api.Container { return s.Views.Capture(c, s.Engine()) },
	})
	return h, nil
}

// Reconfigure changes the limits for connections to come. After an error nothing has changed.
func (h *Handlers) Reconfigure(l Limits) error {
	allowed, err := parseOrigins(l.Origins)
	if err != nil {
		return err
	}
	h.origins.Store(&allowed)
	h.sockets.SetLimits(l.ConsolesPerContainer, l.Consoles)
	return nil
}

// Clients returns how many clients have a WebSocket open, or follow logs.
func (h *Handlers) Clients() int { return h.sockets.Clients() }

// Close ends every WebSocket and every watch, and returns when they are gone.
func (h *Handlers) Close() {
	h.sockets.Close()
	h.watches.Close()
}
