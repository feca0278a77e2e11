package rest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// The headers of preconditions (RFC 9110, section 13.1).
const (
	HeaderMatch     = "If-Match"
	HeaderNoneMatch = "If-None-Match"
)

// Tags reads a list of entity tags. Our tags hold no comma, so that splitting at
// commas can only make two foreign tags of one, and neither fits.
func Tags(h http.Header, name string) ([]string, error) {
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
	return Invalid(Detail{Field: name, Message: "must be * or a list of quoted entity tags"})
}

// packedMark ends the entity tag of an answer that is compressed: other bytes, another tag.
const packedMark = "-gz"

// ReadTag is the entity tag of an answer to a read: what it is a generation of, if it is of
// one, and behind a dot a sum of its bytes. A precondition of a write compares the former alone, so
// that a status that changed makes no write stale.
func ReadTag(generation string, data []byte) string {
	return fmt.Sprintf(`"%s.%x"`, strings.Trim(generation, `"`), xxhash.Sum64(data))
}

// GenerationTag is the part of an entity tag that names a generation.
func GenerationTag(tag string) string {
	if generation, _, read := strings.Cut(tag, "."); read {
		return generation + `"`
	}
	return tag
}

// hasRead reports whether a client has the answer of that entity tag, compressed or not.
func hasRead(h http.Header, tag string) bool {
	plain := func(tag string) string { return strings.TrimSuffix(strings.Trim(tag, `"`), packedMark) }
	tags, err := Tags(h, HeaderNoneMatch)
	if err != nil {
		return false // refused before
	}
	for _, one := range tags {
		if one == "*" || plain(strings.TrimPrefix(one, "W/")) == plain(tag) {
			return true
		}
	}
	return false
}
