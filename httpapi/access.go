package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"regexp"
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/desired/token"
)

// headerRequestID names a request in the answer and in the log. A client may choose the name.
const headerRequestID = "X-Request-Id"

// saneRequestID is what is taken of a client for a request id: nothing that a log could mistake
// for anything else.
var saneRequestID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:+/=@-]{0,127}$`)

// request is what the log has of a request: who sent it, and whether a line tells of its write.
type request struct {
	id, remote string
	token      atomic.Pointer[string]
	logged     bool
}

type requestKey struct{}

// requestOf returns the request that ctx belongs to; never nil.
func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{}
}

// from names the token that the request was let in with.
func (r *request) from(g token.Grant) {
	id := g.ID()
	r.token.Store(&id)
}

// attrs are r for a line of the log. It has neither the query nor the token itself.
func (r *request) attrs() []any {
	attrs := []any{"request_id", r.id, "remote", r.remote}
	if id := r.token.Load(); id != nil {
		attrs = append(attrs, "token", *id)
	}
	return attrs
}

// identifying gives every request an id, which the answer has too.
func identifying(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := requestID(r.Header.Values(headerRequestID))
		w.Header().Set(headerRequestID, id)
		ctx := context.WithValue(r.Context(), requestKey{}, &request{id: id, remote: r.RemoteAddr})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// requestID is the one that the client has chosen, if it is one, or a new one.
func requestID(given []string) string {
	if len(given) == 1 && saneRequestID.MatchString(given[0]) {
		return given[0]
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// logWrites logs a line for each container that a request has written: who asked for what. One that
// was so already is for debugging.
func (s *Server) logWrites(c *gin.Context, done []store.Written) {
	r := requestOf(c.Request.Context())
	r.logged = true
	for _, w := range done {
		s.logWrite(c.Request.Context(), r, c.Request.Method, c.FullPath(), w)
	}
}

func (s *Server) logWrite(ctx context.Context, r *request, method, route string, w store.Written) {
	level := slog.LevelInfo
	if w.Action == desired.Unchanged {
		level = slog.LevelDebug
	}
	s.log.Log(ctx, level, "write accepted", append(r.attrs(), "method", method, "route", route,
		"container", w.InternalID, "action", w.Action, "generation", w.Generation)...)
}

// logOther logs a write that was accepted and is of no container: of the pool, a volume, a token.
func (s *Server) logOther(c *gin.Context) {
	r := requestOf(c.Request.Context())
	if c.Request.Method == http.MethodGet || r.logged || c.Writer.Status() >= http.StatusBadRequest {
		return
	}
	if dry, _ := dryRunOf(c); dry {
		return
	}
	s.log.Info("write accepted", append(r.attrs(), "method", c.Request.Method, "route", c.FullPath(), "path", c.Request.URL.Path)...)
}
