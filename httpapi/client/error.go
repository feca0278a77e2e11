package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"lightd/httpapi/api"
)

// What errors are told apart by. Each but the last four stands for a status.
var (
	ErrInvalid      = errors.New("the request is not valid")        // 400
	ErrUnauthorized = errors.New("the token is not accepted")       // 401
	ErrForbidden    = errors.New("the token does not allow it")     // 403
	ErrNotFound     = errors.New("there is no such thing")          // 404
	ErrConflict     = errors.New("the present state forbids it")    // 409
	ErrGone         = errors.New("that revision is no longer kept") // 410
	ErrPrecondition = errors.New("the precondition does not hold")  // 412
	ErrTooLarge     = errors.New("the request is too large")        // 413
	ErrTooMany      = errors.New("there are too many")              // 429
	ErrUnavailable  = errors.New("the daemon cannot serve now")     // 502, 503, 504
	ErrDiskFull     = errors.New("the daemon's disk is full")       // 507

	// ErrUnreachable: no connection to the daemon came about, so nothing was done.
	ErrUnreachable = errors.New("the daemon cannot be reached")
	// ErrUnknownOutcome: a write may have happened or not. Read before it is repeated.
	ErrUnknownOutcome = errors.New("it is not known whether it was done")
	// ErrForeign: what answered is no Lightd daemon, but a proxy, or something else at that
	// address.
	ErrForeign = errors.New("what answered is no Lightd daemon")
	// ErrClosed: the Console was closed.
	ErrClosed = errors.New("the console is closed")
)

var byStatus = map[int]error{
	400: ErrInvalid, 401: ErrUnauthorized, 403: ErrForbidden, 404: ErrNotFound, 409: ErrConflict, 410: ErrGone,
	412: ErrPrecondition, 413: ErrTooLarge, 429: ErrTooMany, 502: ErrUnavailable, 503: ErrUnavailable,
	504: ErrUnavailable, 507: ErrDiskFull,
}

// Error is a refusal by the daemon, or by something in front of it.
type Error struct {
	// Method and Path are what was asked.
	Method, Path string
	// Status is that of HTTP.
	Status int
	// Problem is what the daemon said. Code is empty when it was not the daemon that answered.
	api.Problem
	// RetryAfter is when to try again, 0 when nothing was said of it.
	RetryAfter time.Duration
	// unknown is true of a write that may have happened.
	unknown bool
}

// Error says what was asked and what is wrong, with the fields that are.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s %s: %s", e.Method, e.Path, e.Sentence)
	for i, d := range e.Details {
		switch {
		case d.Message == e.Sentence && d.Field != "":
			text += " (" + d.Field + ")"
		case i == 0 && strings.HasSuffix(e.Sentence, d.Message):
			// The sentence tells it already.
		case d.Field == "":
			text += "; " + d.Message
		default:
			text += "; " + d.Field + " " + d.Message
		}
	}
	return text
}

// Is reports whether target is what the status stands for, ErrForeign or ErrUnknownOutcome.
func (e *Error) Is(target error) bool {
	return byStatus[e.Status] == target || e.Code == "" && target == ErrForeign || e.unknown && target == ErrUnknownOutcome
}

// TransportError is a call that got none: there was no connection, it broke, or time ran out.
type TransportError struct {
	// Method and Path are what was asked.
	Method, Path string
	// Sent is true when the request may have reached the daemon.
	Sent bool
	// Err is what happened.
	Err error
	// write is true of a request that changes something.
	write bool
}

// Error says what was asked and what happened.
func (e *TransportError) Error() string { return fmt.Sprintf("%s %s: %v", e.Method, e.Path, e.Err) }

// Unwrap returns what happened.
func (e *TransportError) Unwrap() error { return e.Err }

// Is reports whether target is ErrUnreachable and nothing was sent, or ErrUnknownOutcome
// and a write was. A call that its own context ended was not unreachable.
func (e *TransportError) Is(target error) bool {
	switch target {
	case ErrUnreachable:
		return !e.Sent && !errors.Is(e.Err, context.Canceled)
	case ErrUnknownOutcome:
		return e.Sent && e.write
	default:
		return false
	}
}

// WaitError is a wait that ended without what was waited for.
type WaitError struct {
	InternalID string
	api.Wait
}

// Error says what did not come, and why.
func (e *WaitError) Error() string {
	text := fmt.Sprintf("%s is not %s: %s", e.InternalID, e.For, e.Reason)
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// TimedOut reports whether time ran out. Otherwise there is no use in waiting longer.
func (e *WaitError) TimedOut() bool { return e.Reason == api.ReasonTimeout }

// maxProblem bounds what is read of a refusal, in bytes.
const maxProblem = 1 << 20

// refusalOf reads the answer to a request that was not answered with success.
func refusalOf(r request, response *http.Response) *Error {
	e := &Error{Method: r.method, Path: r.path, Status: response.StatusCode, RetryAfter: retryAfter(response.Header)}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxProblem))
	if err != nil || json.Unmarshal(data, &e.Problem) != nil || e.Sentence == "" {
		// What a proxy says is for browsers.
		e.Problem = api.Problem{Sentence: "answered with " + statusOf(response)}
	}
	e.unknown = r.writes() && e.ambiguous()
	return e
}

func statusOf(response *http.Response) string {
	return strings.TrimSpace(strconv.Itoa(response.StatusCode) + " " + http.StatusText(response.StatusCode))
}

// foreign returns an error if a success is a page for browsers: no daemon has one, so that
// something else listens there.
func foreign(r request, response *http.Response) error {
	media, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || media != "text/html" {
		return nil
	}
	return &Error{Method: r.method, Path: r.path, Status: response.StatusCode,
		Problem: api.Problem{Sentence: "answered " + statusOf(response) + " with a page for browsers"}}
}

// ambiguous reports whether a write that was answered like that may have happened. Every
// other refusal of the daemon's changed nothing. A 503 comes from a database that did not
// answer in time, or from a daemon that stopped while the request waited.
func (e *Error) ambiguous() bool {
	return e.Status >= 500 && e.Status != http.StatusInsufficientStorage
}

// retryAfter reads seconds; the daemon sends no dates.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 24*60*60)) * time.Second
}
