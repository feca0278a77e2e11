package streams

import (
	"context"
	"log/slog"

	"lightd/desired"
	"lightd/desired/token"
	"lightd/httpapi/api"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/httpapi/socket"
	"lightd/observed/journal"
)

// Message is a message of a client of a WebSocket, and the scope that it needs.
type Message struct {
	Kind  api.MessageKind
	Scope token.Scope
}

// Messages are those that need a scope. A connection that its scope opened may have gone on with
// another token.
var Messages = []Message{
	{api.SendCommand, token.ScopeConsole},
	{api.Resize, token.ScopeConsole},
	{api.RequestLogs, token.ScopeConsole},
	{api.Power, token.ScopePower},
}

// authorize refuses a message of a client whose token lacks the scope for it.
func authorize(ctx context.Context, kind api.MessageKind) error {
	for _, m := range Messages {
		if m.Kind == kind {
			return auth.CallerOf(ctx).Require(m.Scope)
		}
	}
	return nil
}

// validity returns what reports whether the token of a stream still holds, and is still for the container
// of the stream; a container that is gone ends the stream otherwise. The id is empty for all containers.
func (h *Handlers) validity(ctx context.Context, id string) func() bool {
	return func() bool {
		container, found := h.store.Container(id)
		return h.auth.Valid(ctx) && (!found || auth.CallerOf(ctx).Allows(container))
	}
}

// renewal returns what lets the WebSocket of a container, or of all, go on with another token: with one
// that could have opened it.
func (h *Handlers) renewal(id string) func(ctx context.Context, secret string) error {
	return func(ctx context.Context, secret string) error {
		return h.auth.Renew(ctx, secret, func(who *auth.Caller) error {
			if id == "" {
				return who.Require(token.ScopeRead)
			}
			if err := who.Require(token.ScopeConsole); err != nil {
				return err
			}
			if container, found := h.store.Container(id); found && !who.Allows(container) {
				return desired.ErrContainerNotFound
			}
			return nil
		})
	}
}

// filter returns what a WebSocket shows.
func (h *Handlers) filter(ctx context.Context) socket.Filter { return filter{h, ctx} }

type filter struct {
	handlers *Handlers
	ctx      context.Context // of the request, which has its caller
}

func (f filter) Container(id string) bool {
	_, found := auth.CallerOf(f.ctx).Find(f.handlers.store, id)
	return found
}

func (f filter) Event(e journal.Event) bool {
	return f.handlers.allowsEvent(auth.CallerOf(f.ctx), e)
}

// logOf returns the log of a connection. It has the request alone: the token may yet be another one.
func (h *Handlers) logOf(ctx context.Context) *slog.Logger {
	return h.log.With("request_id", auth.RequestOf(ctx).ID())
}

// explain is the sentence of an error for a client of a WebSocket. An unexpected error is logged.
func (h *Handlers) explain(ctx context.Context, err error) string {
	p, known := rest.ErrorOf(err)
	if !known {
		h.log.Error("websocket message failed", append(auth.RequestOf(ctx).Attrs(), "error", err)...)
	}
	return p.Sentence
}
