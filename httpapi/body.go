package httpapi

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"lightd/httpapi/strictjson"
)

// maxBody bounds what a client may send but with an apply, in bytes.
const maxBody = 1 << 20

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

func readBody(r *http.Request, limit int64) ([]byte, error) {
	for _, value := range r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(strings.TrimSpace(value), "identity") {
			return nil, fail(http.StatusUnsupportedMediaType, "unsupported_encoding", "A body must not be compressed")
		}
	}
	tooLarge := fail(http.StatusRequestEntityTooLarge, "too_large",
		fmt.Sprintf("The body is larger than %d MiB", limit>>20)).with("Connection", "close")
	if r.ContentLength > limit+maxBody {
		return nil, tooLarge
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if int64(len(data)) > limit {
		// An answer is lost where the client still writes when the connection is closed:
		// one that is a little over is heard out. More is not worth reading.
		_, _ = io.CopyN(io.Discard, r.Body, maxBody)
		return nil, tooLarge
	}
	if err != nil {
		return nil, fail(http.StatusBadRequest, "malformed", "The body ended before it was complete")
	}
	return data, nil
}

func checkContentType(h http.Header, media []string) error {
	refused := fail(http.StatusUnsupportedMediaType, "unsupported_media_type",
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
