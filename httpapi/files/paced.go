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
	// unreadWithin is how long the server goes on reading a body that was refused: long enough for a client
	// that is still sending to read the answer.
	unreadWithin = 2 * time.Second
)

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
		return 0, rest.ErrStopping
	}
	n, err := u.body.Read(p)
	var refusal *rest.Error
	switch {
	case errors.As(err, &refusal):
	case err != nil && !errors.Is(err, io.EOF) && u.closing.Err() != nil:
		err = rest.ErrStopping
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
