package streams

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/httpapi/sessions"
	"lightd/httpapi/socket"
	"lightd/httpapi/view"
	"lightd/observed/console"
	"lightd/observed/replay"
)

var (
	errUpgrade = rest.NewError(http.StatusUpgradeRequired, "upgrade_required", "This route is a WebSocket").
			With("Upgrade", "websocket").With("Connection", "Upgrade").With("Sec-WebSocket-Version", "13")
	errOrigin      = rest.NewError(http.StatusForbidden, "foreign_origin", "Origin is not in the list origins of the daemon's configuration")
	errConnections = rest.NewError(http.StatusTooManyRequests, "too_many_connections", "Too many connections to consoles").
			With("Retry-After", "5")
)

// OpenSocket is GET /ws and GET /ws/:id.
func (h *Handlers) OpenSocket(c *gin.Context) error {
	id, ctx := c.Param("id"), c.Request.Context()
	if _, found := auth.CallerOf(ctx).Find(h.store, id); !found && strings.HasSuffix(c.FullPath(), "/:id") {
		return desired.ErrContainerNotFound
	}
	if !isUpgrade(c.Request) {
		return errUpgrade
	}
	if !h.origins.Load().permits(c.Request) {
		return errOrigin
	}
	query := c.Request.URL.Query()
	after, err := rest.Number(query, rest.QueryAfter, 0, 0, 1<<63)
	if err != nil {
		return err
	}
	compress, err := rest.Flag(query, rest.QueryCompress)
	if err != nil {
		return err
	}
	from, err := beginning(query, 0)
	if err != nil {
		return err
	}
	if id == "" && from != (console.From{}) {
		return rest.Invalid(rest.Detail{Field: rest.QuerySince, Message: "needs a container, and so does tail"})
	}
	err = h.sockets.Serve(c.Writer, c.Request, socket.Session{
		ID: id, After: after, Replay: query.Has(rest.QueryAfter), From: from, Protocol: auth.CallerOf(ctx).Protocol, Compress: compress,
		Valid: h.validity(ctx, id), Renew: h.renewal(id), Allows: h.filter(ctx), Log: h.logOf(ctx),
	})
	return socketProblem(err)
}

// socketProblem is how a refusal of the hub is answered.
func socketProblem(err error) error {
	switch {
	case errors.Is(err, sessions.ErrTooMany):
		return errConnections
	case errors.Is(err, sessions.ErrClosed):
		return rest.ErrStopping
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
	if !query.Has(rest.QuerySince) {
		lines, err := rest.Number(query, rest.QueryTail, absent, 0, maxTail)
		return console.From{Lines: int(lines)}, err
	}
	if query.Has(rest.QueryTail) {
		return from, rest.Invalid(rest.Detail{Field: rest.QueryTail, Message: "is the other way to say where to begin: give one of since and tail"})
	}
	since := query.Get(rest.QuerySince)
	if from.Since, err = replay.ParsePosition(since); err == nil {
		return from, nil
	}
	at, err := time.Parse(time.RFC3339, since)
	if seconds, wrong := strconv.ParseUint(since, 10, 64); wrong == nil && seconds <= maxSeconds {
		at, err = time.Unix(int64(seconds), 0), nil
	}
	if err != nil {
		return from, rest.Invalid(rest.Detail{Field: rest.QuerySince, Message: "must be the position of a console message, or a time as in RFC 3339 or in seconds since 1970, of which 0 is all that is kept"})
	}
	if epoch := time.Unix(0, 0); at.Before(epoch) {
		at = epoch // nothing was printed before, and the first of all times stands for none
	}
	from.Since = replay.At(at)
	return from, nil
}

// isUpgrade reports whether r asks for what RFC 6455 describes. It is checked here, so
// that a refusal has the form of every other.
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

// socketView is what the status of a container on a WebSocket is derived from.
func (h *Handlers) socketView(id string) socket.View {
	container, _ := h.store.Container(id)
	st := h.views.Status(id)
	return socket.ViewOf(view.InstallState(container, st), st)
}

func (h *Handlers) exists(id string) bool {
	_, found := h.store.Container(id)
	return found
}

func (h *Handlers) ids() []string {
	all := h.store.Containers()
	ids := make([]string, len(all))
	for i, container := range all {
		ids[i] = container.InternalID
	}
	return ids
}
