package files

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/httpapi/rest"
)

const (
	// stallAfter is how long the other end may take for the next part of a transfer, which may take as long
	// as it wants as a whole.
	stallAfter = time.Minute
	// part is how much is sent within one stallAfter.
	part = 1 << 20
	// unreadWithin is how long the server goes on reading a body that was refused: long enough for a client
	// that is still sending to read the answer.
	unreadWithin = 2 * time.Second
)

// paced is the writer of a download. It ends with closing.
type paced struct {
	gin.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	closing context.Context
}

func newPaced(c *gin.Context, closing context.Context) *paced {
	p := &paced{ResponseWriter: c.Writer, control: http.NewResponseController(c.Writer), stall: stallAfter, closing: closing}
	// The bound of a whole request would end it, and look as if the client had gone.
	_ = p.control.SetReadDeadline(time.Time{}) // a recorder of a test has none
	return p
}

// Write sends data.
func (p *paced) Write(data []byte) (int, error) {
	if err := p.extend(); err != nil {
		return 0, err
	}
	return p.ResponseWriter.Write(data)
}

// extend gives the reader time for the next part, unless the daemon stops.
func (p *paced) extend() error {
	_ = p.control.SetWriteDeadline(time.Now().Add(p.stall)) // as above
	if p.closing.Err() != nil {
		return errStopping
	}
	return nil
}

// ReadFrom sends what from has. The kernel copies a file by itself where the connection is plain.
func (p *paced) ReadFrom(from io.Reader) (sent int64, err error) {
	p.WriteHeaderNow()
	to := innermost(p.ResponseWriter)
	for {
		if err := p.extend(); err != nil {
			return sent, err
		}
		n, err := io.CopyN(to, from, part)
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

// upload is the body of a request that may take as long as it wants, but must not stall. It ends with closing.
type upload struct {
	body    io.Reader
	control *http.ResponseController
	stall   time.Duration
	closing context.Context
	// complete is true once the body has ended.
	complete bool
}

var errStalled = rest.NewError(http.StatusRequestTimeout, "stalled", "The body did not come in time").With("Connection", "close")

// Read reads what comes within stall.
func (u *upload) Read(p []byte) (int, error) {
	_ = u.control.SetReadDeadline(time.Now().Add(u.stall)) // a recorder of a test has none
	// What closing does to the deadline comes behind this one, or closing has been seen.
	if u.closing.Err() != nil {
		return 0, errStopping
	}
	n, err := u.body.Read(p)
	var refusal *rest.Error
	switch {
	case errors.As(err, &refusal):
	case err != nil && !errors.Is(err, io.EOF) && u.closing.Err() != nil:
		err = errStopping
	case errors.Is(err, io.EOF):
		u.complete = true
		_ = u.control.SetReadDeadline(time.Time{}) // what follows may take long
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errStalled
	case err != nil:
		err = rest.NewError(http.StatusBadRequest, "malformed", "The body ended before it was complete")
	}
	return n, err
}

// end gives the answer its own time, and has the connection closed where the body was not read to its end. It may be
// called again.
func (u *upload) end(c *gin.Context) {
	_ = u.control.SetWriteDeadline(time.Now().Add(u.stall)) // a recorder of a test has none
	if u.complete {
		return
	}
	if c.Request.ProtoMajor == 1 && !c.Writer.Written() {
		c.Header("Connection", "close")
	}
	_ = u.control.SetReadDeadline(time.Now().Add(unreadWithin)) // as above
}
