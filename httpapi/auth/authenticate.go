package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"lightd/desired/token"
	"lightd/httpapi/rest"
)

const (
	bearerPrefix  = "bearer."
	protocolsName = "Sec-WebSocket-Protocol"
)

// ErrUnauthorized refuses a token that is not valid: never was, has expired, or was revoked or used up, which
// nobody is told apart.
var ErrUnauthorized = unauthorizedFor(`Bearer realm="lightd", error="invalid_token"`, headerAuthorization, "has a token that is unknown or has ended")

// The requests without a token that could be looked up (RFC 6750, section 3.1).
var (
	errNoToken = unauthorizedFor(challenge, headerAuthorization, `is missing: it must be "Bearer TOKEN"`)
	errNoOne   = unauthorizedFor(challenge+`, error="invalid_request"`, headerAuthorization, `must be "Bearer TOKEN" with one token, in one place`)
	errInQuery = unauthorizedFor(challenge+`, error="invalid_request"`, rest.QueryToken, `counts in the address of a WebSocket only: send "Authorization: Bearer TOKEN"`)
	errOrigin  = unauthorizedFor(challenge, "Origin", "is not in the list origins of the daemon's configuration")
)

const (
	challenge           = `Bearer realm="lightd"`
	headerAuthorization = "Authorization"
)

func unauthorizedFor(challenge, field, message string) *rest.Error {
	p := rest.NewError(http.StatusUnauthorized, "unauthorized", "Unauthorized").With("WWW-Authenticate", challenge)
	p.Details = []rest.Detail{{Field: field, Message: message}}
	return p
}

// Tokens are those that let requests in.
type Tokens interface {
	TokenLookup
	TokenUses
	TokenManager
	TokenLinks
}

// TokenLookup finds tokens.
type TokenLookup interface {
	// Lookup returns what a token allows, and uses nothing up.
	Lookup(text string) (token.Grant, error)
	// Valid reports whether a grant still holds.
	Valid(g token.Grant) bool
	// Former returns until when the former master token holds, and how many tokens end with it.
	Former() (until time.Time, made int)
}

// TokenLinks signs links for who has a grant, and opens them.
type TokenLinks interface {
	SignLink(ctx context.Context, g token.Grant, l token.Link) (text string, err error)
	OpenLink(text, method string) (token.Link, token.Grant, error)
}

// TokenUses records the use of tokens.
type TokenUses interface {
	// Use records a use. That of a single-use token is on disk when it returns, and succeeds once.
	Use(ctx context.Context, g token.Grant, from string) error
	// Release takes the use of a single-use token back.
	Release(ctx context.Context, g token.Grant) error
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
		if !a.IsPublic(r) {
			if err := a.admit(r); err != nil {
				refuse(w, r, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// admit identifies the caller of r. It is a function of its own so that a stream, which lives long,
// does not keep on its stack what only this needs.
func (a *Authenticator) admit(r *http.Request) error {
	secret, protocol, err := a.secretOf(r)
	if err != nil {
		return err
	}
	who, err := a.lookup(secret, protocol)
	if err != nil {
		var ended *token.EndedError
		if errors.As(err, &ended) {
			RequestOf(r.Context()).ended = Identity{ID: ended.ID, Name: ended.Name}
		}
		return unauthorized(err)
	}
	RequestOf(r.Context()).caller.Store(who)
	return nil
}

// lookup returns who has a token. It uses nothing up.
func (a *Authenticator) lookup(secret, protocol string) (*Caller, error) {
	grant, err := a.Tokens.Lookup(secret)
	if err != nil {
		return nil, err
	}
	return callerOf(grant, protocol)
}

func unauthorized(err error) error {
	if rest.IsError(err, token.ErrUnknown) {
		return ErrUnauthorized
	}
	return err
}

// Using runs act for the caller of ctx, whose token it uses before: a single-use token is recorded as
// used on disk. Where act refuses the request, and so has done nothing, the token can be used again.
func (a *Authenticator) Using(ctx context.Context, act func() error) error {
	who := CallerOf(ctx)
	if err := a.use(ctx, who); err != nil {
		return err
	}
	err := act()
	if err == nil || RequestOf(ctx).wrote {
		return err
	}
	if p, _ := rest.ErrorOf(err); p.Status < http.StatusInternalServerError {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.Timeout)
		defer cancel()
		// Where it fails, the token is used up: that is the safe side, and the answer stays.
		_ = a.Tokens.Release(bounded, who.Grant)
	}
	return err
}

func (a *Authenticator) use(ctx context.Context, who *Caller) error {
	bounded, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	return unauthorized(a.Tokens.Use(bounded, who.Grant, RequestOf(ctx).Remote()))
}

// Valid reports whether the token of the caller of ctx still holds.
func (a *Authenticator) Valid(ctx context.Context) bool { return a.Tokens.Valid(CallerOf(ctx).Grant) }

// Renew makes the connection of ctx, which is open already, that of another token, if permit allows it.
// One that is refused changes nothing, and is not used up.
func (a *Authenticator) Renew(ctx context.Context, secret string, permit func(*Caller) error) error {
	if !token.WellFormed(secret) {
		return ErrUnauthorized
	}
	who, err := a.lookup(secret, CallerOf(ctx).Protocol)
	if err != nil {
		return unauthorized(err)
	}
	if err := permit(who); err != nil {
		return err
	}
	if err := a.use(ctx, who); err != nil {
		return err
	}
	RequestOf(ctx).caller.Store(who)
	return nil
}

// IsPreflight reports whether a browser asks what a page of a foreign origin may send.
func IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// secretOf returns the one token that r carries, and the subprotocol if that is where
// it was. Two are refused: which of them counts would be ambiguous.
func (a *Authenticator) secretOf(r *http.Request) (secret, protocol string, err error) {
	var secrets []string
	for _, value := range r.Header.Values(headerAuthorization) {
		scheme, rest, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", "", errNoOne
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
		return "", "", errInQuery
	}
	switch {
	case len(secrets) == 1 && token.WellFormed(secrets[0]):
		return secrets[0], protocol, nil
	case len(secrets) > 0:
		return "", "", errNoOne
	case IsPreflight(r): // of a page whose origin is not listed
		return "", "", errOrigin
	}
	return "", "", errNoToken
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
