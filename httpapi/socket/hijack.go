package socket

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
)

// hijacked keeps hold of the network connection beneath a WebSocket, whose closing
// handshake has no bound of its own against a peer that stalls within a frame.
type hijacked struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack implements http.Hijacker.
func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	// A router may hold the status back until the first byte of a body.
	if w, ok := h.ResponseWriter.(interface{ WriteHeaderNow() }); ok {
		w.WriteHeaderNow()
	}
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("take over connection: %w", err)
	}
	h.conn = conn
	return conn, rw, nil
}
