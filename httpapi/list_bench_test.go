package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// known makes so many containers.
func (n *testServer) known(t testing.TB, count int) {
	specs := make([]string, count)
	for i := range specs {
		specs[i] = n.spec(fmt.Sprintf("server-%d", i))
	}
	n.send("POST", "/apply", `{"containers":[`+strings.Join(specs, ",")+"]}").want(t, http.StatusOK, "")
}

// BenchmarkList encodes a list of 1,000 containers: as summaries, and whole.
func BenchmarkList(b *testing.B) {
	n := newNodeFor(b)
	n.known(b, 1000)
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

// TestListAllocatesLittle for each container that it has.
func TestListAllocatesLittle(t *testing.T) {
	n := newNodeFor(t)
	const known = 100
	n.known(t, known)
	made := testing.AllocsPerRun(10, func() {
		n.Handler().ServeHTTP(httptest.NewRecorder(), n.request("GET", "/containers?view=summary"))
	})
	if made > 4*known {
		t.Errorf("%.0f allocations for %d containers", made, known)
	}
}
