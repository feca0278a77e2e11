package httpapi

import (
	"net/http"
	"strings"
	"time"

	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
)

// What a page of a listed origin may send, and read besides the body (https://fetch.spec.whatwg.org). A
// browser asks again after corsMaxAge seconds.
var (
	corsMethods = strings.Join([]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}, ", ")
	corsHeaders = strings.Join([]string{"Authorization", "Accept", "Content-Type", rest.HeaderMatch, rest.HeaderNoneMatch, "Range", "If-Range", "Last-Event-ID", auth.HeaderRequestID}, ", ")
	corsExposed = strings.Join([]string{"Accept-Ranges", "Allow", "Content-Disposition", "Content-Range", "ETag", "Location", "Retry-After", auth.HeaderRequestID}, ", ")
)

const corsMaxAge = "600"

// allowOrigins lets the pages of listed origins read every answer, refusals too, and answers what a browser
// asks before it sends a request: a preflight carries no token, and its answer says nothing of what there
// is. The token is in a header that the page itself sets: there are no credentials that a browser would add
// by itself, and none are allowed.
func (s *Server) allowOrigins(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Vary", "Origin")
		origin := s.streams.ListedOrigin(r)
		if origin == "" {
			if auth.IsPreflight(r) {
				s.logUnlisted(r)
			}
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Origin", origin)
		if !auth.IsPreflight(r) {
			h.Set("Access-Control-Expose-Headers", corsExposed)
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", corsMethods)
		h.Set("Access-Control-Allow-Headers", corsHeaders)
		h.Set("Access-Control-Max-Age", corsMaxAge)
		if r.ContentLength != 0 && r.ProtoMajor == 1 {
			h.Set("Connection", "close") // nobody reads the body
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// logUnlistedEvery bounds the lines about origins that are not listed, which anybody may name.
const logUnlistedEvery = time.Minute

// logUnlisted logs that a page wants to call the API whose origin is not listed.
func (s *Server) logUnlisted(r *http.Request) {
	now, last := time.Now().UnixNano(), s.unlistedLogged.Load()
	if now-last >= int64(logUnlistedEvery) && s.unlistedLogged.CompareAndSwap(last, now) {
		s.log.Warn("a page of an origin that is not listed wants to call the API; add it to origins in the configuration if it may",
			"origin", r.Header.Get("Origin"), "remote", r.RemoteAddr)
	}
}
