package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"lightd/desired"
)

// etag names one generation of one life of a container: a container that was deleted
// and made anew under its id counts from 1 again.
func etag(c desired.Container) string {
	return fmt.Sprintf(`"%x-%d"`, c.CreatedAt.UnixNano(), c.Generation)
}

// precondition is what a write demands of the container as it is.
type precondition struct {
	// match is satisfied by any of its tags; absent when nil. A tag "*" is any container.
	match []string
	// noneMatch is satisfied when none of its tags fits.
	noneMatch []string
}

func preconditionOf(h http.Header) (precondition, error) {
	match, err := tagsOf(h, "If-Match")
	if err != nil {
		return precondition{}, err
	}
	noneMatch, err := tagsOf(h, "If-None-Match")
	return precondition{match: match, noneMatch: noneMatch}, err
}

// tagsOf reads a list of entity tags. Our tags hold no comma, so that splitting at
// commas can only make two foreign tags of one, and neither fits.
func tagsOf(h http.Header, name string) ([]string, error) {
	values := h.Values(name)
	if len(values) == 0 {
		return nil, nil
	}
	tags := []string{}
	for tag := range strings.SplitSeq(strings.Join(values, ","), ",") {
		tag = strings.TrimSpace(tag)
		quoted := strings.TrimPrefix(tag, "W/")
		if tag != "*" && (len(quoted) < 2 || quoted[0] != '"' || quoted[len(quoted)-1] != '"') {
			return nil, invalid(Detail{Field: name, Message: "must be * or a list of quoted entity tags"})
		}
		tags = append(tags, tag)
	}
	return tags, nil
}

var errStale = fail(http.StatusPreconditionFailed, "precondition_failed", "The container is not in the state that the request demands")

// check compares p with the container as it is; nil when there is none. It belongs
// into the transaction that writes.
func (p precondition) check(c *desired.Container) error {
	fits := func(tags []string) bool {
		return c != nil && (slices.Contains(tags, "*") || slices.Contains(tags, etag(*c)))
	}
	if p.match != nil && !fits(p.match) || p.noneMatch != nil && fits(p.noneMatch) {
		return errStale
	}
	return nil
}
