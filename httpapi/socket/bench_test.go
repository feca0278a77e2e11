package socket

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"lightd/observed/console"
)

// wire counts what is read from a network connection.
type wire struct {
	net.Conn
	n *atomic.Int64
}

func (w wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.n.Add(int64(n))
	return n, err
}

// BenchmarkConsole is console text from the console to one client in the same process, in
// full messages, as it is and compressed.
func BenchmarkConsole(b *testing.B) {
	var text strings.Builder
	for i := 0; text.Len() < 60<<10; i++ {
		fmt.Fprintf(&text, "[12:34:%02d] [Server thread/INFO]: player%d moved to %d, %d, %d\n", i%60, i%17, i*7919%3001, i*104729%256, i*1299709%2999)
	}
	for _, compress := range []bool{false, true} {
		b.Run(fmt.Sprintf("compress=%v", compress), func(b *testing.B) {
			n := newBench(b, func(*Config) {})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = n.hub.Serve(w, r, Session{ID: "web", Compress: compress, Valid: func() bool { return true }})
			}))
			defer server.Close()
			var received atomic.Int64
			transport := &http.Transport{DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
				conn, err := net.Dial(network, address)
				return wire{conn, &received}, err
			}}
			conn, _, err := websocket.Dial(b.Context(), "ws"+strings.TrimPrefix(server.URL, "http"), &websocket.DialOptions{
				HTTPClient: &http.Client{Transport: transport}, CompressionMode: websocket.CompressionContextTakeover,
			})
			if err != nil {
				b.Fatal(err)
			}
			defer conn.CloseNow()
			conn.SetReadLimit(1 << 20)
			read := func() {
				if _, _, err := conn.Read(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			read() // the greeting
			out := n.feed.subs[len(n.feed.subs)-1]
			go func() {
				for range b.N {
					out <- console.Chunk{Text: text.String()}
				}
			}()
			b.SetBytes(int64(text.Len()))
			b.ResetTimer()
			received.Store(0)
			for range b.N {
				read()
			}
			b.ReportMetric(float64(text.Len())*float64(b.N)/float64(received.Load()), "times-smaller")
		})
	}
}
