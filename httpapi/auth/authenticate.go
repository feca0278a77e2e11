package auth

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired/token"
	"lightd/httpapi/rest"
)

const (
	bearerPrefix  = "bearer."
	protocolsName = "Sec-WebSocket-Protocol"
)

// ErrUnauthorized refuses a request without one valid token.
var ErrUnauthorized = rest.NewError(http.StatusUnauthorized, "unauthorized", "Unauthorized").
	With("WWW-Authenticate", `Bearer realm="lightd"`)

// Caller is who sent a request that was let in.
type Caller struct {
	Grant token.Grant
	// Protocol is the subprotocol that brought the token; empty when another way did.
	Protocol string
}

type callerKey struct{}

// CallerOf returns who sent a request.
func CallerOf(c *gin.Context) Caller {
	who, _ := c.Request.Context().Value(callerKey{}).(Caller)
	return who
}

// Tokens are those that let requests in.
type Tokens interface {
	// Authenticate returns what a token allows. A single-use token is used up by it.
	Authenticate(ctx context.Context, text string) (token.Grant, error)
	// Valid reports whether a grant still holds.
	Valid(g token.Grant) bool
	// Create makes a temporary token.
	Create(ctx context.Context, ttl time.Duration, singleUse bool) (text string, expires time.Time, err error)
}

// Authenticator lets requests with a valid token in.
type Authenticator struct {
	Tokens Tokens
	// Timeout bounds what a request waits for the database.
	Timeout time.Duration
	// IsPublic reports whether a request needs no token, IsSocket whether a path is that of a
	// WebSocket, where a browser has no other place for a token than the query.
	IsPublic func(*http.Request) bool
	IsSocket func(path string) bool
}

// Middleware lets only requests with one valid token through to next, and has refuse answer the
// others. It stands before the routes, so that no answer without a token says which there are.
func (a *Authenticator) Middleware(next http.Handler, refuse func(http.ResponseWriter, *http.Request, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.IsPublic(r) {
			next.ServeHTTP(w, r)
			return
		}
		admitted, err := a.admit(r)
		if err != nil {
			refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, admitted)
	})
}

// admit returns r with its caller. It is a function of its own so that a stream, which lives long,
// does not keep on its stack what only this needs.
func (a *Authenticator) admit(r *http.Request) (*http.Request, error) {
	secret, protocol, found := a.secretOf(r)
	if !found {
		return nil, ErrUnauthorized
	}
	grant, err := a.authenticate(r.Context(), secret)
	if err != nil {
		return nil, err
	}
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, Caller{Grant: grant, Protocol: protocol})), nil
}

// authenticate returns what a token allows, and names it in the log of the request.
func (a *Authenticator) authenticate(ctx context.Context, secret string) (token.Grant, error) {
	bounded, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	grant, err := a.Tokens.Authenticate(bounded, secret)
	switch {
	case rest.IsError(err, token.ErrUnknown):
		return grant, ErrUnauthorized
	case err == nil:
		RequestOf(ctx).Admit(grant)
	}
	return grant, err
}

// Validity returns what reports whether a grant still holds.
func (a *Authenticator) Validity(g token.Grant) func() bool {
	return func() bool { return a.Tokens.Valid(g) }
}

// Renew accepts a token for a connection that is open already, and returns what reports whether it
// still holds. Every token may do all that a WebSocket can.
func (a *Authenticator) Renew(ctx context.Context, secret string) (valid func() bool, err error) {
	if !token.WellFormed(secret) {
		return nil, ErrUnauthorized
	}
	grant, err := a.authenticate(ctx, secret)
	if err != nil {
		return nil, err
	}
	return a.Validity(grant), nil
}

// secretOf returns the one token that r carries, and the subprotocol if that is where
// it was. Two are refused like none: which of them counts would be ambiguous.
func (a *Authenticator) secretOf(r *http.Request) (secret, protocol string, found bool) {
	var secrets []string
	for _, value := range r.Header.Values("Authorization") {
		scheme, rest, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", "", false
		}
		secrets = append(secrets, rest)
	}
	inQuery := r.URL.Query()[rest.QueryToken]
	switch {
	case a.IsSocket(r.URL.Path):
		secrets = append(secrets, inQuery...)
		if protocol = bearerProtocols(r.Header); protocol != "" {
			secrets = append(secrets, strings.TrimPrefix(protocol, bearerPrefix))
		}
	case len(inQuery) > 0:
		// Addresses end up in logs and histories.
		return "", "", false
	}
	if len(secrets) != 1 || !token.WellFormed(secrets[0]) {
		return "", "", false
	}
	return secrets[0], protocol, true
}

// bearerProtocols returns the subprotocol that carries a token. Several are returned
// as one, which is no token.
func bearerProtocols(h http.Header) string {
	var found []string
	for _, value := range h.Values(protocolsName) {
		for name := range strings.SplitSeq(value, ",") {
			if name = strings.TrimSpace(name); strings.HasPrefix(name, bearerPrefix) {
				found = append(found, name)
			}
		}
	}
	return strings.Join(found, ",")
}
