package httpapi

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/token"
	"lightd/httpapi/api"
	"lightd/httpapi/audit"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
)

// audited writes the line of each request that the audit has one of, before its answer begins, and traces it.
func (s *Server) audited(next http.Handler) http.Handler {
	if s.audit == nil && s.tracer == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &auditedAnswer{ResponseWriter: w, server: s, request: r, began: time.Now()}
		if s.tracer != nil {
			ctx, traced := s.tracer.StartRequest(r)
			r = r.WithContext(ctx)
			a.traced, a.endless = sync.OnceFunc(func() { traced(a.status) }), isEndless(r)
			defer a.traced()
		}
		defer a.begin(0) // one that was cut short
		next.ServeHTTP(a, r)
		a.begin(http.StatusOK) // as net/http answers where a handler writes nothing
	})
}

// auditedAnswer is a ResponseWriter that records its request when the answer begins.
type auditedAnswer struct {
	http.ResponseWriter
	server  *Server
	request *http.Request
	began   time.Time
	begun   bool
	// status is that of the answer once it has begun.
	status int
	// traced ends the trace of the request, where it has one: when the answer begins, if that is endless.
	traced  func()
	endless bool
}

func (a *auditedAnswer) begin(status int) {
	if a.begun {
		return
	}
	a.begun, a.status = true, status
	if a.server.audit != nil {
		a.server.record(a.request, status, a.began)
	}
	if a.endless {
		a.traced()
	}
}

// NoteError keeps the code of an error that is about to be the answer.
func (a *auditedAnswer) NoteError(code string) { auth.RequestOf(a.request.Context()).Audit.Code = code }

// WriteHeader implements http.ResponseWriter.
func (a *auditedAnswer) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		a.begin(status)
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *auditedAnswer) Write(data []byte) (int, error) {
	a.begin(http.StatusOK)
	return a.ResponseWriter.Write(data)
}

// Flush implements http.Flusher, which the router expects.
func (a *auditedAnswer) Flush() {
	a.begin(http.StatusOK)
	_ = http.NewResponseController(a.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker, which the router expects.
func (a *auditedAnswer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a.begin(http.StatusSwitchingProtocols)
	return http.NewResponseController(a.ResponseWriter).Hijack()
}

// Unwrap is for http.ResponseController.
func (a *auditedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// record writes the line of a request, if the audit has one of it: writes, and what was refused for who sent
// it. The latter are counted by address, so that nobody without a token fills the files.
func (s *Server) record(r *http.Request, status int, began time.Time) {
	by := auth.RequestOf(r.Context()).Identity()
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	let := by.ID != ""
	if !let && s.auth.IsPublic(r) && !isLink(r) || let && reads && status != http.StatusForbidden {
		return
	}
	line := auth.AuditLine(r.Context())
	line.Event, line.Status, line.Duration = audit.EventWrite, status, audit.Milliseconds(began, line.Time)
	if isMethod(r.Method) {
		line.Method = r.Method // another one may be anything
	}
	if line.Route == "" {
		line.Route = routeOf(s.table, r) // it was refused before it was routed
	}
	if input := auth.RequestOf(r.Context()).Input; input != nil {
		line.Action = string(api.SendCommand)
		s.audit.Input(strings.Join([]string{auth.AuditSource(r.Context()), line.Route, line.Container, line.Code}, " "), line, *input)
		return
	}
	if let && !reads {
		s.audit.Write(line)
		return
	}
	s.audit.Denied(auth.AuditSource(r.Context()), line)
}

func isMethod(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return true
	}
	return false
}

// recordSubject records what the path of a request names. What can be no id is not repeated.
func recordSubject(c *gin.Context) {
	record := &auth.RequestOf(c.Request.Context()).Audit
	record.Route = c.FullPath()
	if c.Request.Method != http.MethodGet {
		record.DryRun, _ = rest.DryRun(c) // another value is refused
	}
	id := c.Param("id")
	if !desired.ValidID(id) || token.WellFormed(id) {
		return
	}
	switch {
	case strings.HasPrefix(record.Route, "/containers/"), isSocket(record.Route):
		record.Container = id
	case strings.HasPrefix(record.Route, "/volumes/"):
		record.Volume = id
	case strings.HasPrefix(record.Route, "/auth/tokens/"):
		record.MadeToken = id
	}
}
