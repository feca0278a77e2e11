package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/client"
)

// Class is what an error of the engine means for what to do next.
type Class int

// The classes of error.
const (
	// None is the class of no error.
	None Class = iota
	// NotFound: the container or the image does not exist.
	NotFound
	// Conflict: the name is in use, a removal is in progress, or the container is in the wrong
	// state for it. Another inspect decides.
	Conflict
	// Refused: invalid, or not allowed. It will be refused again.
	Refused
	// Unavailable: the engine was not reached, or did not respond in time. What was requested
	// may have happened.
	Unavailable
	// Other: the engine failed, and may succeed another time.
	Other
)

// String returns the name of c.
func (c Class) String() string {
	switch c {
	case None:
		return "none"
	case NotFound:
		return "not found"
	case Conflict:
		return "conflict"
	case Refused:
		return "refused"
	case Unavailable:
		return "unavailable"
	default:
		return "other"
	}
}

// ErrTimeout is in the chain of every error of a call that the engine did not answer
// before the deadline of its kind.
var ErrTimeout = errors.New("the engine did not answer in time")

// ErrNotRunning is in the chain of the error of an Attach that a Podman was not asked for. Its class is Conflict.
var ErrNotRunning = fmt.Errorf("%w: the container does not run", cerrdefs.ErrConflict)

// causeOf returns why ctx has ended, nil if it has not. A connection keeps the deadline of ctx
// by a timer of its own, and may find it passed a moment before ctx does.
func causeOf(ctx context.Context) error {
	if end, limited := ctx.Deadline(); limited && !time.Now().Before(end) {
		<-ctx.Done()
	}
	return context.Cause(ctx)
}

// Classify returns the class of an error that this package returned, wrapped or not.
func Classify(err error) Class {
	switch {
	case err == nil:
		return None
	case cerrdefs.IsNotFound(err):
		return NotFound
	case cerrdefs.IsConflict(err):
		return Conflict
	case cerrdefs.IsInvalidArgument(err), cerrdefs.IsPermissionDenied(err), cerrdefs.IsUnauthorized(err):
		return Refused
	case unreachable(err), cerrdefs.IsUnavailable(err):
		return Unavailable
	default:
		return Other
	}
}

// unreachable reports whether err means that no connection was made, or that it broke off.
func unreachable(err error) bool {
	var netErr net.Error
	return client.IsErrConnectionFailed(err) ||
		errors.Is(err, ErrTimeout) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.As(err, &netErr)
}

// NoSpace reports whether the engine found no space on a disk of its own.
func NoSpace(err error) bool {
	return err != nil && strings.Contains(err.Error(), "no space left on device")
}
