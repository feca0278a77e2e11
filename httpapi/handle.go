package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"

	"lightd/httpapi/auth"
	"lightd/httpapi/rest"

	"github.com/gin-gonic/gin"
)

// handler answers a request, or returns the error that is to be its answer.
type handler func(*gin.Context) error

// adapt is the one place where an error becomes an answer.
func (s *Server) adapt(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		recordSubject(c)
		if err := h(c); err != nil {
			s.writeError(c.Writer, c.Request, err)
			return
		}
		auth.RequestOf(c.Request.Context()).LogOther(c, s.log)
	}
}

// writeError answers with err, and logs it if it is unexpected.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	p, known := rest.ErrorOf(err)
	if auth.CallerOf(r.Context()).Bound() {
		p = withoutOthers(p)
	}
	var worded *rest.Error
	attrs := append(auth.RequestOf(r.Context()).Attrs(), "method", r.Method, "path", auth.LoggedPath(r), "error", err)
	switch {
	case r.Context().Err() != nil:
		// The client has gone, which cut short what was done for it.
	case !known:
		s.log.Error("request failed", attrs...)
	case p.Status >= http.StatusInternalServerError && !errors.As(err, &worded):
		s.log.Warn("request could not be served", attrs...)
	}
	p.Write(w, r)
}

// withoutOthers returns a refusal that does not name the container that the request collides with: a
// caller whose token is for some containers may not be told of others.
func withoutOthers(p *rest.Error) *rest.Error {
	if p.Code != "port_in_use" && p.Code != "mount_overlap" && p.Code != "volume_in_use" {
		return p
	}
	brief := *p
	brief.Details = slices.Clone(p.Details)
	for i := range brief.Details {
		brief.Details[i].Message = p.Sentence
	}
	return &brief
}

// headAsGet answers HEAD as GET (RFC 9110 section 9.3.2): net/http leaves the body out. A
// stream, which ends when the client leaves, has no HEAD.
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead && !isEndless(r) {
			r = r.WithContext(rest.WithHead(r.Context()))
			r.Method = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
}

// isEndless reports whether a GET of what r names is a stream.
func isEndless(r *http.Request) bool {
	query := r.URL.Query()
	return isSocket(r.URL.Path) || query.Has(rest.QueryWatch) || query.Has(rest.QueryFollow)
}

// endAfterChunks closes the connection after a body in chunks. A length beside the chunks
// is hidden from handlers, and a proxy in front may have gone by that: RFC 9112 section
// 6.1 lets the request be served, and no other one after it on the same connection.
func endAfterChunks(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TransferEncoding) > 0 {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// recovering turns a panic of next into one line in the log and a fixed answer.
func (s *Server) recovering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			reason := recover()
			if reason == nil {
				return
			}
			if err, is := reason.(error); is && errors.Is(err, http.ErrAbortHandler) {
				panic(reason) // not a fault, but the way to cut an answer short
			}
			s.log.Error("request panicked", append(auth.RequestOf(r.Context()).Attrs(), "method", r.Method, "path", auth.LoggedPath(r),
				"reason", fmt.Sprint(reason), "stack", string(debug.Stack()))...)
			rest.NewError(http.StatusInternalServerError, "internal", "Internal error").Write(w, r)
		}()
		next.ServeHTTP(w, r)
	})
}
