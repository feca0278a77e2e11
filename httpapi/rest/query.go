package rest

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"lightd/httpapi/suggest"
)

// The query parameters of more than one route.
const (
	QueryToken    = "token"
	QueryDryRun   = "dry_run"
	QueryWait     = "wait"
	QueryTimeout  = "timeout"
	QueryGrace    = "grace"
	QuerySelector = "selector"
	QueryProtocol = "protocol"
	QueryLimit    = "limit"
	QueryContinue = "continue"
	QueryView     = "view"
	QueryWatch    = "watch"
	QueryFollow   = "follow"
	QueryAfter    = "after"
	QuerySince    = "since"
	QueryTail     = "tail"
	QueryStamps   = "timestamps"
	QueryCompress = "compress"
	QueryVolumes  = "volumes"
	QuerySeconds  = "seconds"
	QueryDebug    = "debug"
	// QueryGeneration is that of a spec.
	QueryGeneration = "generation"
)

// BadText says why a text can be no value of a parameter; empty where it can.
func BadText(text string) string {
	switch {
	case strings.ContainsRune(text, 0):
		return "must not contain NUL"
	case !utf8.ValidString(text):
		return "must be UTF-8"
	}
	return ""
}

// DidYouMean names the one of known that a name is a slip of; empty where there is none.
func DidYouMean(name string, known []string) string {
	nearest := suggest.Nearest(strings.ToLower(name), known, len(name)/3+1)
	if nearest == "" {
		return ""
	}
	return ": did you mean " + nearest + "?"
}

// Flag reads one query parameter that is true or false.
func Flag(query url.Values, name string) (bool, error) {
	values := query[name]
	switch {
	case len(values) == 0, len(values) == 1 && values[0] == "false":
		return false, nil
	case len(values) == 1 && values[0] == "true":
		return true, nil
	}
	return false, Invalid(Detail{Field: name, Message: "must be true or false, once"})
}

// Number reads one query parameter that is a whole number in a range.
func Number(query url.Values, name string, absent, low, high uint64) (uint64, error) {
	values := query[name]
	if len(values) == 0 {
		return absent, nil
	}
	n, err := strconv.ParseUint(values[0], 10, 64)
	if err != nil || n < low || n > high || len(values) > 1 {
		return 0, Invalid(Detail{Field: name, Message: "must be one whole number from " +
			strconv.FormatUint(low, 10) + " to " + strconv.FormatUint(high, 10)})
	}
	return n, nil
}

// DryRun reports whether a write is only to be tried.
func DryRun(c *gin.Context) (bool, error) { return Flag(c.Request.URL.Query(), QueryDryRun) }

// BareWrite reads a write that has neither a body nor preconditions.
func BareWrite(c *gin.Context) (dryRun bool, err error) {
	if err := NoBody(c); err != nil {
		return false, err
	}
	return DryRun(c)
}
