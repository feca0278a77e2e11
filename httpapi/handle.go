package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/gin-gonic/gin"
)

// handler answers a request, or returns the error that is to be its answer.
type handler func(*gin.Context) error

// adapt is the one place where an error becomes an answer.
func (s *Server) adapt(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			s.writeError(c.Writer, c.Request, err)
			return
		}
		s.logOther(c)
	}
}

// writeError answers with err, and logs it if it was not foreseen.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	p, known := apiErrorOf(err)
	var said *apiError
	switch {
	case r.Context().Err() != nil:
		// The caller has gone: it is no news that what was done for it was cut short.
	case !known:
		s.log.Error("request failed", append(requestOf(r.Context()).attrs(), "method", r.Method, "path", r.URL.Path, "error", err)...)
	case p.status >= http.StatusInternalServerError && !errors.As(err, &said):
		s.log.Warn("request could not be served", append(requestOf(r.Context()).attrs(), "method", r.Method, "path", r.URL.Path, "error", err)...)
	}
	for name, value := range p.header {
		w.Header().Set(name, value)
	}
	reply(w, r, p.status, p)
}

// headAsGet answers HEAD as GET (RFC 9110 section 9.3.2): net/http leaves the body out. What
// goes on until the client leaves has no answer to tell of.
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead && !isEndless(r) {
			get := *r
			get.Method = http.MethodGet
			r = &get
		}
		next.ServeHTTP(w, r)
	})
}

// isEndless reports whether a GET of what r names is a stream.
func isEndless(r *http.Request) bool {
	query := r.URL.Query()
	return isSocket(r.URL.Path) || query.Has(watchQuery) || query.Has(followQuery)
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
			s.log.Error("request panicked", append(requestOf(r.Context()).attrs(), "method", r.Method, "path", r.URL.Path,
				"reason", fmt.Sprint(reason), "stack", string(debug.Stack()))...)
			reply(w, r, http.StatusInternalServerError, fail(http.StatusInternalServerError, "internal", "Internal error"))
		}()
		next.ServeHTTP(w, r)
	})
}
