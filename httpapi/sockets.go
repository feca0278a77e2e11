package httpapi

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/token"
	"lightd/httpapi/sessions"
	"lightd/httpapi/socket"
	"lightd/observed/console"
)

var (
	errUpgrade = fail(http.StatusUpgradeRequired, "upgrade_required", "This route is a WebSocket").
			with("Upgrade", "websocket").with("Connection", "Upgrade").with("Sec-WebSocket-Version", "13")
	errOrigin      = fail(http.StatusForbidden, "foreign_origin", "Origin is not allowed")
	errConnections = fail(http.StatusTooManyRequests, "too_many_connections", "Too many connections to consoles").
			with("Retry-After", "5")
	errStopping = fail(http.StatusServiceUnavailable, "stopping", "Daemon is stopping").with("Retry-After", "5")
)

// openSocket is GET /ws and GET /ws/:id.
func (s *Server) openSocket(c *gin.Context) error {
	id := c.Param("id")
	if strings.HasPrefix(c.FullPath(), pathSockets+"/") {
		if _, found := s.specs.Container(id); !found {
			return desired.ErrContainerNotFound
		}
	}
	if !isUpgrade(c.Request) {
		return errUpgrade
	}
	if !s.origins.Load().permits(c.Request) {
		return errOrigin
	}
	query := c.Request.URL.Query()
	after, err := number(query, afterQuery, 0, 0, 1<<63)
	if err != nil {
		return err
	}
	compress, err := flag(query, compressQuery)
	if err != nil {
		return err
	}
	from, err := beginning(query, 0)
	if err != nil {
		return err
	}
	if id == "" && from != (console.From{}) {
		return invalid(Detail{Field: sinceQuery, Message: "needs a container, and so does tail"})
	}
	who := callerOf(c)
	err = s.sockets.Serve(c.Writer, c.Request, socket.Session{
		ID: id, After: after, Replay: query.Has(afterQuery), From: from, Protocol: who.protocol, Compress: compress,
		Valid: s.validity(who.grant), Renew: s.renew,
	})
	return socketProblem(err)
}

// socketProblem is how a refusal of the hub is answered.
func socketProblem(err error) error {
	switch {
	case errors.Is(err, sessions.ErrTooMany):
		return errConnections
	case errors.Is(err, sessions.ErrClosed):
		return errStopping
	case errors.Is(err, socket.ErrGone):
		return desired.ErrContainerNotFound
	default:
		return err
	}
}

// maxTail is how many lines of what was printed before may be asked for.
const maxTail = 5000

// maxSeconds is the last second that RFC 3339 can name, since 1970.
const maxSeconds = 253402300799

// beginning reads where console text is to begin: since, a position or a time, or tail, which
// is absent where neither is given.
func beginning(query url.Values, absent uint64) (from console.From, err error) {
	if !query.Has(sinceQuery) {
		lines, err := number(query, tailQuery, absent, 0, maxTail)
		return console.From{Lines: int(lines)}, err
	}
	if query.Has(tailQuery) {
		return from, invalid(Detail{Field: tailQuery, Message: "is the other way to say where to begin: give one of since and tail"})
	}
	since := query.Get(sinceQuery)
	if from.Since, err = console.ParsePosition(since); err == nil {
		return from, nil
	}
	at, err := time.Parse(time.RFC3339, since)
	if seconds, wrong := strconv.ParseUint(since, 10, 64); wrong == nil && seconds <= maxSeconds {
		at, err = time.Unix(int64(seconds), 0), nil
	}
	if err != nil {
		return from, invalid(Detail{Field: sinceQuery, Message: "must be the position of a console message, or a time as in RFC 3339 or in seconds since 1970, of which 0 is all that is kept"})
	}
	if epoch := time.Unix(0, 0); at.Before(epoch) {
		at = epoch // nothing was printed before, and the first of all times stands for none
	}
	from.Since = console.At(at)
	return from, nil
}

// validity returns what tells whether a grant still holds.
func (s *Server) validity(g token.Grant) func() bool {
	return func() bool { return s.tokens.Valid(g) }
}

// renew accepts a token for a connection that is open already. Every token may do all that
// a WebSocket can.
func (s *Server) renew(ctx context.Context, secret string) (func() bool, error) {
	if !token.WellFormed(secret) {
		return nil, errUnauthorized
	}
	grant, err := s.authenticate(ctx, secret)
	if err != nil {
		return nil, err
	}
	requestOf(ctx).from(grant)
	return s.validity(grant), nil
}

// isUpgrade reports whether r asks for what RFC 6455 describes. It is looked at here, so
// that a refusal looks like every other.
func isUpgrade(r *http.Request) bool {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	return r.ProtoAtLeast(1, 1) && hasToken(r.Header, "Connection", "upgrade") && hasToken(r.Header, "Upgrade", "websocket") &&
		r.Header.Get("Sec-WebSocket-Version") == "13" && len(r.Header.Values("Sec-WebSocket-Key")) == 1 && err == nil && len(key) == 16
}

func hasToken(h http.Header, name, token string) bool {
	for _, value := range h.Values(name) {
		for word := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(word), token) {
				return true
			}
		}
	}
	return false
}

// socketView is what is recorded of a container, as its word is made of it.
func (s *Server) socketView(id string) socket.View {
	container, _ := s.specs.Container(id)
	st, _ := s.statuses.Get(id)
	return socket.ViewOf(installState(container, st), st)
}

func (s *Server) exists(id string) bool {
	_, found := s.specs.Container(id)
	return found
}

func (s *Server) ids() []string {
	all := s.specs.Containers()
	ids := make([]string, len(all))
	for i, container := range all {
		ids[i] = container.InternalID
	}
	return ids
}

// explain is what a client of a WebSocket is told of an error, and whether it was foreseen.
func (s *Server) explain(err error) string {
	p, known := apiErrorOf(err)
	if !known {
		s.log.Error("websocket message failed", "error", err)
	}
	return p.Sentence
}
