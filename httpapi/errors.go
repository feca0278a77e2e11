package httpapi

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

// apiError is a refusal as a client sees it. It is an error, so that handlers return it.
type apiError struct {
	api.Problem

	status int
	// header holds what the answer carries besides, as in Allow.
	header map[string]string
}

// Error returns the sentence.
func (p *apiError) Error() string { return p.Sentence }

func fail(status int, code, sentence string) *apiError {
	return &apiError{Problem: api.Problem{Code: code, Sentence: sentence}, status: status}
}

func invalid(details ...Detail) *apiError {
	p := fail(http.StatusBadRequest, "invalid", "The request is not valid")
	p.Details = details
	if len(details) > 0 {
		p.Sentence += ": " + details[0].Field + " " + details[0].Message
	}
	return p
}

func (p *apiError) with(name, value string) *apiError {
	if p.header == nil {
		p.header = map[string]string{}
	}
	p.header[name] = value
	return p
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
	desired.ErrVolumeNotFound:    {http.StatusBadRequest, "volume_not_found"},
	desired.ErrVolumeInUse:       {http.StatusConflict, "volume_in_use"},
	desired.ErrTooLarge:          {http.StatusRequestEntityTooLarge, "too_large"},
	desired.ErrDiskFull:          {http.StatusInsufficientStorage, "disk_full"},
	token.ErrTooMany:             {http.StatusTooManyRequests, "too_many_tokens"},
	desired.ErrUnavailable:       {http.StatusServiceUnavailable, "database_unavailable"},
	desired.ErrClosed:            {http.StatusServiceUnavailable, "database_unavailable"},
}

// apiErrorOf turns err into an answer. known is false for what nobody foresaw: the
// client learns nothing of it, and it is worth a line in the log.
func apiErrorOf(err error) (p *apiError, known bool) {
	if errors.As(err, &p) {
		return p, true
	}
	var text *strictjson.Error
	if errors.As(err, &text) {
		return apiErrorOfText(text), true
	}
	var full *desired.DiskFullError
	if errors.As(err, &full) {
		return fail(http.StatusInsufficientStorage, "disk_full", full.Error()), true
	}
	var fields *desired.ValidationError
	if errors.As(err, &fields) {
		details := make([]Detail, 0, len(fields.Fields))
		for _, f := range fields.Fields {
			details = append(details, Detail(f))
		}
		return invalid(details...), true
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
	return fail(http.StatusInternalServerError, "internal", "Internal error"), false
}

func apiErrorOfText(e *strictjson.Error) *apiError {
	if len(e.Fields) == 0 {
		return fail(http.StatusBadRequest, "malformed", "The body is not valid: "+e.Reason)
	}
	details := make([]Detail, 0, len(e.Fields))
	for _, f := range e.Fields {
		details = append(details, Detail{Field: f.Path, Message: f.Message})
	}
	return invalid(details...)
}

// fromSentinel keeps the sentence as it is and puts what it was about beside it. What
// went wrong inside the database is the log's business.
func fromSentinel(err error, word desired.Error, status int, code string) *apiError {
	p := fail(status, code, word.Error())
	if status >= http.StatusInternalServerError {
		if status == http.StatusServiceUnavailable {
			p.with("Retry-After", "5")
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
