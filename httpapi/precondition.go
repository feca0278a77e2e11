package httpapi

import (
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"slices"
	"strings"

	"lightd/desired"
)

// The headers of preconditions (RFC 9110, section 13.1).
const (
	headerMatch     = "If-Match"
	headerNoneMatch = "If-None-Match"
)

// etag names one generation of one life of a container: a container that was deleted
// and made anew under its id counts from 1 again.
func etag(c desired.Container) string {
	return fmt.Sprintf(`"%x-%d"`, c.CreatedAt.UnixNano(), c.Generation)
}

// etagOfList names the generations of containers, which are sorted by id. It tells nothing
// of their status.
func etagOfList(containers []desired.Container) string {
	h := fnv.New64a()
	for _, c := range containers {
		_, _ = io.WriteString(h, c.InternalID+etag(c))
	}
	return fmt.Sprintf(`"list-%x"`, h.Sum64())
}

// precondition is what a write demands of the container as it is.
type precondition struct {
	// match is satisfied by any of its tags; absent when nil. A tag "*" is any container.
	match []string
	// noneMatch is satisfied when none of its tags fits.
	noneMatch []string
}

// demands reports whether p demands anything.
func (p precondition) demands() bool { return p.match != nil || p.noneMatch != nil }

func preconditionOf(h http.Header) (precondition, error) {
	match, err := tagsOf(h, headerMatch)
	if err != nil {
		return precondition{}, err
	}
	noneMatch, err := tagsOf(h, headerNoneMatch)
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
			return nil, errTags(name)
		}
		tags = append(tags, tag)
	}
	if len(tags) > 1 && slices.Contains(tags, "*") {
		return nil, errTags(name)
	}
	return tags, nil
}

func errTags(name string) error {
	return invalid(Detail{Field: name, Message: "must be * or a list of quoted entity tags"})
}

var errStale = fail(http.StatusPreconditionFailed, "precondition_failed", "The container is not in the state that the request demands")

// check compares p with the entity tag of what is there; empty when nothing is. It belongs
// into the transaction that writes.
func (p precondition) check(tag string) error {
	fits := func(tags []string) bool {
		return tag != "" && slices.ContainsFunc(tags, func(one string) bool { return one == "*" || generationOf(one) == tag })
	}
	if p.match != nil && !fits(p.match) || p.noneMatch != nil && fits(p.noneMatch) {
		return errStale
	}
	return nil
}
