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

// Negotiate returns the media type that the Accept headers of h ask for: offers returns what a media
// range can be answered with, empty for nothing, and absent is the type where nothing is asked for. Among
// equal wishes the first one wins. ok is false where none can be met.
func Negotiate(h http.Header, absent string, offers func(mediaRange string) string) (media string, ok bool) {
	best, asked := 0.0, false
	for wish := range strings.SplitSeq(strings.Join(h.Values("Accept"), ","), ",") {
		if strings.TrimSpace(wish) == "" {
			continue
		}
		asked = true
		mediaRange, q := qualityOf(wish)
		if offer := offers(mediaRange); offer != "" && q > best {
			media, best = offer, q
		}
	}
	if !asked {
		return absent, true
	}
	return media, media != ""
}

// qualityOf returns a media range and how much it is wanted; zero when it is not.
func qualityOf(wish string) (mediaRange string, q float64) {
	mediaRange, params, err := mime.ParseMediaType(wish)
	if err != nil {
		return "", 0
	}
	text, given := params["q"]
	if !given {
		return mediaRange, 1
	}
	if q, err = strconv.ParseFloat(text, 64); err != nil || !(q >= 0 && q <= 1) {
		return "", 0
	}
	return mediaRange, q
}

// negotiateJSON returns the type of an answer, out of those that every route can give.
func negotiateJSON(h http.Header) (media string, ok bool) {
	return Negotiate(h, MediaJSON, func(mediaRange string) string {
		switch mediaRange {
		case MediaVendor:
			return MediaVendor
		case MediaJSON, "application/*", "*/*":
			return MediaJSON
		}
		return ""
	})
}

// AcceptsJSON reports whether h allows one of the types that every route can give.
func AcceptsJSON(h http.Header) bool {
	_, ok := negotiateJSON(h)
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
