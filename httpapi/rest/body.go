package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"lightd/httpapi/strictjson"
)

// MaxBody bounds the body of every request but an apply, in bytes.
const MaxBody = 1 << 20

// readObject reads the body of r, at most limit bytes, as one JSON object of one of the given
// media types. present is false for a body without a byte, which needs no media type.
func readObject(r *http.Request, limit int64, media ...string) (object strictjson.Object, present bool, err error) {
	data, err := readBody(r, limit)
	if err != nil || len(data) == 0 {
		return nil, false, err
	}
	if err := checkContentType(r.Header, media); err != nil {
		return nil, false, err
	}
	object, err = strictjson.Parse(data)
	return object, err == nil, err
}

// Object reads the body of a route that needs one.
func Object(c *gin.Context, media ...string) (strictjson.Object, error) {
	return LargeObject(c, MaxBody, media...)
}

// LargeObject is Object with a limit of its own, in bytes.
func LargeObject(c *gin.Context, limit int64, media ...string) (strictjson.Object, error) {
	object, present, err := readObject(c.Request, limit, append([]string{MediaJSON}, media...)...)
	if err == nil && !present {
		err = errNoBody
	}
	return object, err
}

var errNoBody = NewError(http.StatusBadRequest, "malformed", "The body is not valid: a JSON object is expected")

// OptionalObject reads the body of a route that can do without.
func OptionalObject(c *gin.Context) (strictjson.Object, error) {
	object, present, err := readObject(c.Request, MaxBody, MediaJSON)
	if err == nil && !present {
		object = strictjson.Object("{}")
	}
	return object, err
}

// Bind reads the object that a request has to have as its body into v, which has all members that it may have.
func Bind(c *gin.Context, v any) error {
	object, err := Object(c)
	if err != nil {
		return err
	}
	return object.Bind(v)
}

// BindOptional is Bind for a request that needs no body.
func BindOptional(c *gin.Context, v any) error {
	object, err := OptionalObject(c)
	if err != nil {
		return err
	}
	return object.Bind(v)
}

// NoBody accepts what clients send that send a body with every write: nothing, {}, or the [] of PHP.
func NoBody(c *gin.Context) error {
	return BindOptional(c, &struct{}{})
}

func readBody(r *http.Request, limit int64) ([]byte, error) {
	for _, value := range r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(strings.TrimSpace(value), "identity") {
			return nil, NewError(http.StatusUnsupportedMediaType, "unsupported_encoding", "A body must not be compressed")
		}
	}
	tooLarge := NewError(http.StatusRequestEntityTooLarge, "too_large",
		fmt.Sprintf("The body is larger than %d MiB", limit>>20)).With("Connection", "close")
	if r.ContentLength > limit+MaxBody {
		return nil, tooLarge
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if int64(len(data)) > limit {
		// An answer is lost where the client still writes when the connection is closed:
		// one that is a little over is read to its end, and no more than that.
		_, _ = io.CopyN(io.Discard, r.Body, MaxBody)
		return nil, tooLarge
	}
	var refusal *Error
	switch {
	case errors.As(err, &refusal):
		return nil, refusal
	case err != nil:
		return nil, NewError(http.StatusBadRequest, "malformed", "The body ended before it was complete")
	}
	return data, nil
}

type releaseKey struct{}

// WithRelease returns ctx with what ReleaseBody calls.
func WithRelease(ctx context.Context, release func()) context.Context {
	return context.WithValue(ctx, releaseKey{}, release)
}

// ReleaseBody notes that the handler of a request keeps nothing of its body any more, as before a long wait.
func ReleaseBody(ctx context.Context) {
	if release, ok := ctx.Value(releaseKey{}).(func()); ok {
		release()
	}
}

type headKey struct{}

// WithHead returns ctx for a HEAD that is answered as a GET.
func WithHead(ctx context.Context) context.Context { return context.WithValue(ctx, headKey{}, true) }

// IsHead reports whether the request of ctx is a HEAD: whoever answers at length can spare the body.
func IsHead(ctx context.Context) bool { return ctx.Value(headKey{}) != nil }

func checkContentType(h http.Header, media []string) error {
	refused := NewError(http.StatusUnsupportedMediaType, "unsupported_media_type",
		"The body must be of type "+strings.Join(media, " or "))
	values := h.Values("Content-Type")
	if len(values) != 1 {
		return refused
	}
	name, params, err := mime.ParseMediaType(values[0])
	if err != nil || !slices.Contains(media, name) {
		return refused
	}
	if charset, given := params["charset"]; given && !strings.EqualFold(charset, "utf-8") {
		return refused
	}
	return nil
}
