package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"lightd/httpapi/suggest"
)

// The query parameters of more than one route.
const (
	dryRunQuery   = "dry_run"
	waitQuery     = "wait"
	timeoutQuery  = "timeout"
	selectorQuery = "selector"
	protocolQuery = "protocol"
	limitQuery    = "limit"
	continueQuery = "continue"
	viewQuery     = "view"
	watchQuery    = "watch"
	followQuery   = "follow"
	afterQuery    = "after"
	sinceQuery    = "since"
	tailQuery     = "tail"
	compressQuery = "compress"
)

// The query parameters of the routes; a route that is not named here has none.
var (
	dryRunParameters   = []string{dryRunQuery}
	specParameters     = []string{dryRunQuery, waitQuery, timeoutQuery}
	portParameters     = []string{dryRunQuery, protocolQuery}
	protocolParameters = []string{protocolQuery}
	pageParameters     = []string{limitQuery, continueQuery}
	driftParameters    = append([]string{selectorQuery}, pageParameters...)
	listParameters     = append([]string{watchQuery, afterQuery, viewQuery}, driftParameters...)
	eventParameters    = []string{afterQuery, limitQuery}
	logParameters      = []string{tailQuery, sinceQuery, followQuery}
	nodeSocket         = []string{tokenQuery, afterQuery, compressQuery}
	containerSocket    = append([]string{sinceQuery, tailQuery}, nodeSocket...)
)

// checkQuery refuses parameters that nobody reads, those that are there twice, and values that
// are no text: a request
// whose meaning the client believes to be another must not be answered as if it were.
func (r route) checkQuery(rawQuery string) ([]Detail, error) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, fail(http.StatusBadRequest, "malformed", "The query is malformed")
	}
	var details []Detail
	for name, values := range query {
		switch {
		case !slices.Contains(r.query, name):
			details = append(details, Detail{Field: name, Message: "is not a known query parameter" + didYouMean(name, r.query)})
		case len(values) > 1:
			details = append(details, Detail{Field: name, Message: "must be given once"})
		case badText(values[0]) != "":
			details = append(details, Detail{Field: name, Message: badText(values[0])})
		}
	}
	return details, nil
}

// badText says why a text can be no value of a parameter; empty where it can.
func badText(text string) string {
	switch {
	case strings.ContainsRune(text, 0):
		return "must not contain NUL"
	case !utf8.ValidString(text):
		return "must be UTF-8"
	}
	return ""
}

// didYouMean names the one of known that a name is a slip of; empty where there is none.
func didYouMean(name string, known []string) string {
	nearest := suggest.Nearest(strings.ToLower(name), known, len(name)/3+1)
	if nearest == "" {
		return ""
	}
	return ": did you mean " + nearest + "?"
}

// flag reads one query parameter that is true or false.
func flag(query url.Values, name string) (bool, error) {
	values := query[name]
	switch {
	case len(values) == 0, len(values) == 1 && values[0] == "false":
		return false, nil
	case len(values) == 1 && values[0] == "true":
		return true, nil
	}
	return false, invalid(Detail{Field: name, Message: "must be true or false, once"})
}

// number reads one query parameter that is a whole number in a range.
func number(query url.Values, name string, absent, low, high uint64) (uint64, error) {
	values := query[name]
	if len(values) == 0 {
		return absent, nil
	}
	n, err := strconv.ParseUint(values[0], 10, 64)
	if err != nil || n < low || n > high || len(values) > 1 {
		return 0, invalid(Detail{Field: name, Message: "must be one whole number from " +
			strconv.FormatUint(low, 10) + " to " + strconv.FormatUint(high, 10)})
	}
	return n, nil
}
