package httpapi

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/sessions"
	"lightd/httpapi/watch"
)

// The media types of a stream, beside those of every answer.
const (
	mediaLines  = "application/x-ndjson"
	mediaEvents = "text/event-stream"
)

// lastEventID is where a browser's EventSource says how far it came.
const lastEventID = "Last-Event-ID"

var (
	errCompacted = fail(http.StatusGone, "compacted", "The changes after that revision are no longer known: watch without it")
	errWatches   = fail(http.StatusTooManyRequests, "too_many_watches", "Too many watches").with("Retry-After", "5")
)

// source is the store as a watch needs it.
type source struct {
	SpecReader
	Database
}

// capture takes what is known of a container now, and returns what makes of it what a
// client is shown.
func (s *Server) capture(c desired.Container) func() api.Container {
	return s.shown(c, s.statuses.Sight())
}

// watchContainers is GET /containers?watch=true. What it keeps on its stack every stream
// keeps for as long as it lives.
func (s *Server) watchContainers(c *gin.Context, chosen selector) error {
	session, err := s.session(c, chosen)
	if err == nil {
		err = s.watches.Serve(c.Writer, c.Request, session)
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
		return errStopping
	default:
		return err
	}
}

// session is what a request asks for and was granted.
func (s *Server) session(c *gin.Context, chosen selector) (*watch.Session, error) {
	after, err := resumeAt(c.Request)
	if err != nil {
		return nil, err
	}
	media, who := streamMedia(c.Request.Header), callerOf(c)
	return &watch.Session{
		Resume: after > 0, After: after, Match: chosen.matches, Events: media == mediaEvents, Media: media,
		Valid: func() bool { return s.tokens.Valid(who.grant) },
	}, nil
}

// resumeAt returns the revision to go on from; 0 for a list. What a browser says of itself
// is newer than what is in the address that it was given.
func resumeAt(r *http.Request) (uint64, error) {
	after, err := number(r.URL.Query(), afterQuery, 0, 0, 1<<63)
	if err != nil {
		return 0, err
	}
	if id := r.Header.Get(lastEventID); id != "" {
		if after, err = number(url.Values{lastEventID: {id}}, lastEventID, 0, 0, 1<<63); err != nil {
			return 0, err
		}
	}
	return after, nil
}

// streamMedia is the type of a stream: server-sent events or lines where they are asked for
// by name, the type of other answers where that is, and lines where nothing is.
func streamMedia(h http.Header) string {
	media, best := mediaLines, 0.0
	for _, value := range h.Values("Accept") {
		for wish := range strings.SplitSeq(value, ",") {
			offer, q := qualityOfStream(wish)
			if q > best {
				media, best = offer, q
			}
		}
	}
	return media
}

func qualityOfStream(wish string) (media string, q float64) {
	name, params, err := mime.ParseMediaType(wish)
	if err != nil {
		return "", 0
	}
	switch name {
	case mediaEvents, mediaLines:
		q = 1
		if text, given := params["q"]; given {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				return "", 0
			}
		}
		return name, q
	case mediaJSON, mediaVendor:
		return qualityOf(wish)
	case "*/*", "application/*":
		_, q = qualityOf(wish)
		return mediaLines, q
	}
	return "", 0
}

// acceptsStream reports whether h allows a list or a stream.
func acceptsStream(h http.Header) bool {
	if _, ok := negotiate(h); ok {
		return true
	}
	for _, value := range h.Values("Accept") {
		for wish := range strings.SplitSeq(value, ",") {
			if _, q := qualityOfStream(wish); q > 0 {
				return true
			}
		}
	}
	return false
}
