package httpapi

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// The media types of answers.
const (
	mediaJSON   = "application/json"
	mediaVendor = "application/vnd.pkglatv1+json"
	mediaText   = "text/plain"
	mediaMerge  = "application/merge-patch+json"
)

// negotiate returns the media type that the Accept headers of h ask for, out of those
// that every route can give. Among equal wishes the first one wins.
func negotiate(h http.Header) (media string, ok bool) {
	values := h.Values("Accept")
	if len(values) == 0 {
		return mediaJSON, true
	}
	best := 0.0
	any := false
	for _, value := range values {
		for wish := range strings.SplitSeq(value, ",") {
			if strings.TrimSpace(wish) == "" {
				continue
			}
			any = true
			if offer, q := qualityOf(wish); q > best {
				media, best = offer, q
			}
		}
	}
	if !any {
		return mediaJSON, true
	}
	return media, media != ""
}

// qualityOf returns what a single media range can be answered with, and how much it is
// wanted; zero when it cannot, or is not wanted at all.
func qualityOf(wish string) (media string, q float64) {
	name, params, err := mime.ParseMediaType(wish)
	if err != nil {
		return "", 0
	}
	q = 1
	if text, given := params["q"]; given {
		if q, err = strconv.ParseFloat(text, 64); err != nil || !(q >= 0 && q <= 1) {
			return "", 0
		}
	}
	switch name {
	case mediaVendor:
		return mediaVendor, q
	case mediaJSON, "application/*", "*/*":
		return mediaJSON, q
	default:
		return "", 0
	}
}

// acceptsJSON reports whether h allows one of the types that every route can give.
func acceptsJSON(h http.Header) bool {
	_, ok := negotiate(h)
	return ok
}

// acceptsText reports whether h allows plain text, or at least the JSON that errors
// of the same route are in.
func acceptsText(h http.Header) bool {
	for _, value := range h.Values("Accept") {
		for wish := range strings.SplitSeq(value, ",") {
			if name, _, err := mime.ParseMediaType(wish); err == nil && (name == mediaText || name == "text/*") {
				return true
			}
		}
	}
	return acceptsJSON(h)
}
