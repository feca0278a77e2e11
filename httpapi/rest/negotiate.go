package rest

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// The media types of answers.
const (
	MediaJSON   = "application/json"
	MediaVendor = "application/vnd.pkglatv1+json"
	MediaText   = "text/plain"
	MediaMerge  = "application/merge-patch+json"
)

// Negotiate returns the media type that the Accept headers of h ask for, out of those
// that every route can give. Among equal wishes the first one wins.
func Negotiate(h http.Header) (media string, ok bool) {
	values := h.Values("Accept")
	if len(values) == 0 {
		return MediaJSON, true
	}
	best := 0.0
	any := false
	for _, value := range values {
		for wish := range strings.SplitSeq(value, ",") {
			if strings.TrimSpace(wish) == "" {
				continue
			}
			any = true
			if offer, q := QualityOf(wish); q > best {
				media, best = offer, q
			}
		}
	}
	if !any {
		return MediaJSON, true
	}
	return media, media != ""
}

// QualityOf returns what a single media range can be answered with, and how much it is
// wanted; zero when it cannot, or is not wanted at all.
func QualityOf(wish string) (media string, q float64) {
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
	case MediaVendor:
		return MediaVendor, q
	case MediaJSON, "application/*", "*/*":
		return MediaJSON, q
	default:
		return "", 0
	}
}

// AcceptsJSON reports whether h allows one of the types that every route can give.
func AcceptsJSON(h http.Header) bool {
	_, ok := Negotiate(h)
	return ok
}

// AcceptsText reports whether h allows plain text, or at least the JSON that errors
// of the same route are in.
func AcceptsText(h http.Header) bool {
	for _, value := range h.Values("Accept") {
		for wish := range strings.SplitSeq(value, ",") {
			if name, _, err := mime.ParseMediaType(wish); err == nil && (name == MediaText || name == "text/*") {
				return true
			}
		}
	}
	return AcceptsJSON(h)
}
