package containers

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"

	"lightd/desired"
	"lightd/httpapi/rest"
)

// etag names one generation of one life of a container: a container that was deleted
// and made anew under its id counts from 1 again.
func etag(c desired.Container) string { return string(appendETag(nil, c)) }

func appendETag(to []byte, c desired.Container) []byte {
	to = strconv.AppendInt(append(to, '"'), c.CreatedAt.UnixNano(), 16)
	return append(strconv.AppendInt(append(to, '-'), c.Generation, 10), '"')
}

// etagOfList names the generations of containers, which are sorted by id. It is independent
// of their status.
func etagOfList(containers []desired.Container) string {
	h := fnv.New64a()
	var one []byte
	for _, c := range containers {
		one = appendETag(append(one[:0], c.InternalID...), c)
		_, _ = h.Write(one) // it never fails
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

// creates reports whether p demands that nothing is there.
func (p precondition) creates() bool { return slices.Contains(p.noneMatch, "*") }

func preconditionOf(h http.Header) (precondition, error) {
	match, err := rest.Tags(h, rest.HeaderMatch)
	if err != nil {
		return precondition{}, err
	}
	noneMatch, err := rest.Tags(h, rest.HeaderNoneMatch)
	return precondition{match: match, noneMatch: noneMatch}, err
}

var errStale = rest.NewError(http.StatusPreconditionFailed, "precondition_failed", "The container is not in the state that the request demands")

// check compares p with the entity tag of what is there; empty when nothing is. It belongs
// into the transaction that writes.
func (p precondition) check(tag string) error {
	fits := func(tags []string) bool {
		return tag != "" && slices.ContainsFunc(tags, func(one string) bool { return one == "*" || rest.GenerationTag(one) == tag })
	}
	if p.match != nil && !fits(p.match) || p.noneMatch != nil && fits(p.noneMatch) {
		return errStale
	}
	return nil
}
