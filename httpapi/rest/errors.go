package rest

import (
	"context"
	"errors"
	"net/http"

	"lightd/desired"
	"lightd/desired/token"
	"lightd/httpapi/api"
	"lightd/httpapi/strictjson"
)

// Detail says what is wrong with one field of a request.
type Detail = api.Detail

// Error is a refusal as a client sees it. It is an error, so that handlers return it.
type Error struct {
	api.Problem

	Status int
	// header holds what the answer carries besides, as in Allow.
	header map[string]string
}

// Error returns the sentence.
func (p *Error) Error() string { return p.Sentence }

// NewError returns a refusal with its status, its stable code and its sentence.
func NewError(status int, code, sentence string) *Error {
	return &Error{Problem: api.Problem{Code: code, Sentence: sentence}, Status: status}
}

// Invalid returns the refusal of a request for these details.
func Invalid(details ...Detail) *Error {
	p := NewError(http.StatusBadRequest, "invalid", "The request is not valid")
	p.Details = details
	if len(details) > 0 {
		p.Sentence += ": " + details[0].Field + " " + details[0].Message
	}
	return p
}

// With adds a header to the answer, and returns p.
func (p *Error) With(name, value string) *Error {
	if p.header == nil {
		p.header = map[string]string{}
	}
	p.header[name] = value
	return p
}

// Write answers a request with p.
func (p *Error) Write(w http.ResponseWriter, r *http.Request) {
	for name, value := range p.header {
		w.Header().Set(name, value)
	}
	noteError(w, p.Code)
	Reply(w, r, p.Status, p.Problem)
}

// errorNoter is a ResponseWriter that keeps the code of the error that is about to be the answer.
type errorNoter interface{ NoteError(code string) }

// noteError passes the code of an error to the errorNoter among the writers that w wraps.
func noteError(w http.ResponseWriter, code string) {
	for w != nil {
		if n, ok := w.(errorNoter); ok {
			n.NoteError(code)
			return
		}
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return
		}
		w = wrapper.Unwrap()
	}
}

// refusals are the sentences of package desired as answers. Reads of one volume and
// of a free port have their own word for a few: those handlers say so.
var refusals = map[desired.Error]struct {
	status int
	code   string
}{
	desired.ErrContainerExists:   {http.StatusConflict, "container_exists"},
	desired.ErrContainerNotFound: {http.StatusNotFound, "container_not_found"},
	desired.ErrDeleting:          {http.StatusConflict, "container_deleting"},
	desired.ErrPortNotInPool:     {http.StatusBadRequest, "port_not_in_pool"},
	desired.ErrPortInUse:         {http.StatusConflict, "port_in_use"},
	desired.ErrPortExists:        {http.StatusConflict, "port_exists"},
	desired.ErrPortNotFound:      {http.StatusNotFound, "port_not_found"},
	desired.ErrNoPorts:           {http.StatusConflict, "no_free_port"},
	desired.ErrMountOverlap:      {http.StatusConflict, "mount_overlap"},
	desired.ErrQuotaExceeded:     {http.StatusForbidden, "quota_exceeded"},
	desired.ErrVolumeNotFound:    {http.StatusBadRequest, "volume_not_found"},
	desired.ErrVolumeExists:      {http.StatusConflict, "volume_exists"},
	desired.ErrVolumeQuotaDenied: {http.StatusForbidden, "bound_token"},
	desired.ErrVolumeInUse:       {http.StatusConflict, "volume_in_use"},
	desired.ErrTooLarge:          {http.StatusRequestEntityTooLarge, "too_large"},
	desired.ErrDiskFull:          {http.StatusInsufficientStorage, "disk_full"},
	token.ErrTooMany:             {http.StatusTooManyRequests, "too_many_tokens"},
	token.ErrNotFound:            {http.StatusNotFound, "token_not_found"},
	desired.ErrUnavailable:       {http.StatusServiceUnavailable, "database_unavailable"},
	desired.ErrClosed:            {http.StatusServiceUnavailable, "database_unavailable"},
}

// ErrorOf turns err into an answer. known is false for an unexpected error: its
// text is not sent to the client, and belongs in the log.
func ErrorOf(err error) (p *Error, known bool) {
	if errors.As(err, &p) {
		return p, true
	}
	var text *strictjson.Error
	if errors.As(err, &text) {
		return fromText(text), true
	}
	var full *desired.DiskFullError
	if errors.As(err, &full) {
		return NewError(http.StatusInsufficientStorage, "disk_full", full.Error()), true
	}
	var fields *desired.ValidationError
	if errors.As(err, &fields) {
		details := make([]Detail, 0, len(fields.Fields))
		for _, f := range fields.Fields {
			details = append(details, Detail(f))
		}
		return Invalid(details...), true
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		err = desired.ErrUnavailable
	}
	var word desired.Error
	if errors.As(err, &word) {
		if refusal, ok := refusals[word]; ok {
			return fromSentinel(err, word, refusal.status, refusal.code), true
		}
	}
	return NewError(http.StatusInternalServerError, "internal", "Internal error"), false
}

func fromText(e *strictjson.Error) *Error {
	if len(e.Fields) == 0 {
		return NewError(http.StatusBadRequest, "malformed", "The body is not valid: "+e.Reason)
	}
	details := make([]Detail, 0, len(e.Fields))
	for _, f := range e.Fields {
		details = append(details, Detail{Field: f.Path, Message: f.Message})
	}
	return Invalid(details...)
}

// fromSentinel keeps the sentence as it is and puts what it was about beside it. What
// went wrong inside the database is the log's business.
func fromSentinel(err error, word desired.Error, status int, code string) *Error {
	p := NewError(status, code, word.Error())
	if status >= http.StatusInternalServerError {
		if status == http.StatusServiceUnavailable {
			p.With("Retry-After", "5")
		}
		return p
	}
	var at *desired.FieldPathError
	switch message := err.Error(); {
	case errors.As(err, &at):
		p.Details = []Detail{{Field: at.Field, Message: at.Err.Error()}}
	case message != p.Sentence:
		p.Details = []Detail{{Message: message}}
	}
	return p
}

// IsError reports whether err is, or wraps, one of package desired's refusals.
func IsError(err error, want desired.Error) bool { return errors.Is(err, want) }
