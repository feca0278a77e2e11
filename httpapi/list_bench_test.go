package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkList encodes a list of 1,000 containers: as summaries, and whole.
func BenchmarkList(b *testing.B) {
	n := newNodeFor(b)
	const known = 1000
	specs := make([]string, known)
	for i := range specs {
		specs[i] = n.spec(fmt.Sprintf("server-%d", i))
	}
	n.send("POST", "/apply", `{"containers":[`+strings.Join(specs, ",")+"]}").want(b, http.StatusOK, "")
	for _, view := range []string{"summary", "full"} {
		b.Run(view, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				answer := httptest.NewRecorder()
				n.Handler().ServeHTTP(answer, n.request("GET", "/containers?view="+view))
				if answer.Code != http.StatusOK {
					b.Fatalf("status %d: %s", answer.Code, answer.Body)
				}
				b.SetBytes(int64(answer.Body.Len()))
			}
		})
	}
}
