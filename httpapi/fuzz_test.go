package httpapi

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"lightd/httpapi/rest"

	"github.com/gin-gonic/gin"
)

// FuzzRequest: whatever is asked, the answer is JSON of the promised form, and never
// one that blames the daemon.
func FuzzRequest(f *testing.F) {
	n := newNodeFor(f)
	routes := n.routes()
	for i := range routes {
		f.Add(uint8(i), "web", "protocol=tcp", n.spec("web"))
		f.Add(uint8(i), "..", "after=1&limit=2", `{"ports":[{"port":1e3}],"ip":"::%x"}`)
	}
	f.Add(uint8(3), "a\x00b", "selector=%zz", `{"in_use":null}`)
	f.Fuzz(func(t *testing.T, which uint8, id, query, body string) {
		r := routes[int(which)%len(routes)]
		target := strings.NewReplacer(":id", id, ":name", id, ":ip", id, ":port", id).Replace(r.path)
		request := httptest.NewRequest(r.method, "/", strings.NewReader(body))
		request.URL = &url.URL{Path: target, RawQuery: query}
		request.Header.Set("Authorization", "Bearer "+masterToken)
		request.Header.Set("Content-Type", gin.MIMEJSON)
		w := httptest.NewRecorder()
		n.Handler().ServeHTTP(w, request)
		if w.Code >= 500 {
			t.Fatalf("%s %q?%q %q: got %d %s\n%s", r.method, target, query, body, w.Code, w.Body, n.logs)
		}
		if w.Code >= 400 && (!strings.Contains(w.Body.String(), `"error":"`) || w.Header().Get("Content-Type") != rest.MediaJSON) {
			t.Fatalf("%s %q: got %d %s", r.method, target, w.Code, w.Body)
		}
		if w.Code == http.StatusOK && w.Body.Len() == 0 {
			t.Fatalf("%s %q: an empty answer", r.method, target)
		}
	})
}
