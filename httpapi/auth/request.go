package auth

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
	"lightd/httpapi/rest"
)

// HeaderRequestID names a request in the answer and in the log. A client may choose the name.
const HeaderRequestID = "X-Request-Id"

// saneRequestID is what is taken of a client for a request id: nothing that a log could mistake
// for anything else.
var saneRequestID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:+/=@-]{0,127}$`)

// Request is what the log has of a request: who sent it, and whether its write is logged.
type Request struct {
	id, remote string
	token      atomic.Pointer[string]
	logged     bool
}

type requestKey struct{}

// RequestOf returns the request that ctx belongs to; never nil.
func RequestOf(ctx context.Context) *Request {
	if r, ok := ctx.Value(requestKey{}).(*Request); ok {
		return r
	}
	return &Request{}
}

// Admit names the token that the request was let in with.
func (r *Request) Admit(g token.Grant) {
	id := g.ID()
	r.token.Store(&id)
}

// Attrs are r for a line of the log. It has neither the query nor the token itself.
func (r *Request) Attrs() []any {
	attrs := []any{"request_id", r.id, "remote", r.remote}
	if id := r.token.Load(); id != nil {
		attrs = append(attrs, "token", *id)
	}
	return attrs
}

// Identify gives every request an id, which the answer has too.
func Identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := requestID(r.Header.Values(HeaderRequestID))
		w.Header().Set(HeaderRequestID, id)
		ctx := context.WithValue(r.Context(), requestKey{}, &Request{id: id, remote: r.RemoteAddr})
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

// LogWrite logs that a request has written a container: who sent it, and what it changed. One that
// changed nothing is for debugging.
func (r *Request) LogWrite(ctx context.Context, log *slog.Logger, method, route string, w store.Written) {
	r.logged = true
	level := slog.LevelInfo
	if w.Action == desired.Unchanged {
		level = slog.LevelDebug
	}
	log.Log(ctx, level, "write accepted", append(r.Attrs(), "method", method, "route", route,
		"container", w.InternalID, "action", w.Action, "generation", w.Generation)...)
}

// LogOther logs a write that was accepted and is of no container: of the pool, a volume, a token.
func (r *Request) LogOther(c *gin.Context, log *slog.Logger) {
	if c.Request.Method == http.MethodGet || r.logged || c.Writer.Status() >= http.StatusBadRequest {
		return
	}
	if dry, _ := rest.DryRun(c); dry {
		return
	}
	log.Info("write accepted", append(r.Attrs(), "method", c.Request.Method, "route", c.FullPath(), "path", c.Request.URL.Path)...)
}
