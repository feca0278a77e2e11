package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// ErrStopping refuses, or ends, what would outlive the daemon.
var ErrStopping = NewError(http.StatusServiceUnavailable, "stopping", "Daemon is stopping").With("Retry-After", "5")

// pacedPart is how much the client has to take within one stall.
const pacedPart = 1 << 20

// PacedWriter writes an answer that may take as long as the client wants as a whole, but not for one of its
// parts. It is for one goroutine.
type PacedWriter struct {
	gin.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	closing context.Context
}

// NewPacedWriter returns the writer of an answer. A part that the client does not take within stall ends it, and
// so does the end of closing, with ErrStopping.
func NewPacedWriter(c *gin.Context, stall time.Duration, closing context.Context) *PacedWriter {
	p := &PacedWriter{ResponseWriter: c.Writer, control: http.NewResponseController(c.Writer), stall: stall, closing: closing}
	// The bound of a whole request would end it, and look as if the client had gone.
	_ = p.control.SetReadDeadline(time.Time{}) // a recorder of a test has none
	return p
}

// Write sends data.
func (p *PacedWriter) Write(data []byte) (int, error) {
	if err := p.extend(); err != nil {
		return 0, err
	}
	return p.ResponseWriter.Write(data)
}

// extend gives the client time for the next part, unless the daemon stops.
func (p *PacedWriter) extend() error {
	_ = p.control.SetWriteDeadline(time.Now().Add(p.stall)) // as above
	if p.closing.Err() != nil {
		return ErrStopping
	}
	return nil
}

// Interrupt ends the write that is under way. It may be called from another goroutine.
func (p *PacedWriter) Interrupt() { _ = p.control.SetWriteDeadline(time.Unix(1, 0)) }

// ReadFrom sends what from has. The kernel copies a file by itself where the connection is plain.
func (p *PacedWriter) ReadFrom(from io.Reader) (sent int64, err error) {
	p.WriteHeaderNow()
	to := innermost(p.ResponseWriter)
	for {
		if err := p.extend(); err != nil {
			return sent, err
		}
		n, err := io.CopyN(to, from, pacedPart)
		sent += n
		if errors.Is(err, io.EOF) {
			return sent, nil
		}
		if err != nil {
			return sent, err
		}
	}
}

// innermost returns the writer of the server that others wrap.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, wraps := w.(interface{ Unwrap() http.ResponseWriter })
		if !wraps {
			return w
		}
		w = wrapper.Unwrap()
	}
}
