package streams

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"lightd/desired/token"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/httpapi/selector"
	"lightd/httpapi/sessions"
	"lightd/httpapi/watch"
)

// The media types of a stream, beside those of every answer.
const (
	MediaLines  = "application/x-ndjson"
	MediaEvents = "text/event-stream"
)

// lastEventID is where a browser's EventSource says how far it came.
const lastEventID = "Last-Event-ID"

var (
	errCompacted = rest.NewError(http.StatusGone, "compacted", "The changes after that revision are no longer known: watch without it")
	errWatches   = rest.NewError(http.StatusTooManyRequests, "too_many_watches", "Too many watches").With("Retry-After", "5")
)

// Watch is GET /containers?watch=true. What it keeps on its stack every stream keeps for as long as
// it lives.
func (h *Handlers) Watch(c *gin.Context) error {
	session, err := h.session(c)
	if err == nil {
		err = h.watches.Serve(c.Writer, c.Request, session)
	}
	return refusalOfWatch(err)
}

func refusalOfWatch(err error) error {
	switch {
	case errors.Is(err, watch.ErrCompacted):
		return errCompacted
	case errors.Is(err, sessions.ErrTooMany):
		return errWatches
	case errors.Is(err, sessions.ErrClosed):
		return rest.ErrStopping
	default:
		return err
	}
}

// session is what a request asks for and was granted.
func (h *Handlers) session(c *gin.Context) (*watch.Session, error) {
	query := c.Request.URL.Query()
	chosen, err := selector.FromQuery(query)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{rest.QueryLimit, rest.QueryContinue, rest.QueryView} {
		if query.Has(name) {
			return nil, rest.Invalid(rest.Detail{Field: name, Message: "has no meaning in a watch, which has all, in full"})
		}
	}
	after, err := resumeAt(c.Request)
	if err != nil {
		return nil, err
	}
	media, _ := negotiateStream(c.Request.Header) // refused before where there is none
	ctx := c.Request.Context()
	who := auth.CallerOf(ctx)
	return &watch.Session{
		Resume: after > 0, After: after, Match: chosen.Matches, Allows: who.AllowsLabels, HidesEnv: !who.May(token.ScopeWrite),
		Events: media == MediaEvents, Media: media, Valid: func() bool { return h.auth.Valid(ctx) },
	}, nil
}

// resumeAt returns the revision to go on from; 0 for a list. What a browser says of itself
// is newer than what is in the address that it was given.
func resumeAt(r *http.Request) (uint64, error) {
	after, err := rest.Number(r.URL.Query(), rest.QueryAfter, 0, 0, 1<<63)
	if err != nil {
		return 0, err
	}
	if id := r.Header.Get(lastEventID); id != "" {
		if after, err = rest.Number(url.Values{lastEventID: {id}}, lastEventID, 0, 0, 1<<63); err != nil {
			return 0, err
		}
	}
	return after, nil
}

// negotiateStream returns the type of a stream: server-sent events or lines where they are asked for
// by name, the type of other answers where that is, and lines where nothing is.
func negotiateStream(h http.Header) (media string, ok bool) {
	return rest.Negotiate(h, MediaLines, func(mediaRange string) string {
		switch mediaRange {
		case MediaEvents, MediaLines, rest.MediaJSON, rest.MediaVendor:
			return mediaRange
		case "*/*", "application/*":
			return MediaLines
		}
		return ""
	})
}

// AcceptsStream reports whether h allows a list or a stream.
func AcceptsStream(h http.Header) bool {
	_, ok := negotiateStream(h)
	return ok
}
