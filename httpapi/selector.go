package httpapi

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"lightd/desired"
)

// selector is a conjunction of demands on labels.
type selector []demand

// demand is one of "key", "!key", "key=value" and "key!=value".
type demand struct {
	key, value string
	// exists demands the key alone; not turns the demand around.
	exists, not bool
}

// selectorOf reads the selector of a list.
func selectorOf(query url.Values) (selector, error) {
	return parseSelector(query.Get(selectorQuery))
}

var (
	errSelector = invalid(Detail{Field: selectorQuery, Message: "must be a list of key, !key, key=value or key!=value"})
	errSets     = invalid(Detail{Field: selectorQuery, Message: "knows no sets: it must be a list of key, !key, key=value or key!=value"})
)

// setDemand is how Kubernetes writes "one of": read as the key that it would be here, it
// would choose nothing, or with a negation all.
var setDemand = regexp.MustCompile(`\s(in|notin)\s*\(`)

// parseSelector reads demands that are separated by commas; nothing selects all.
func parseSelector(text string) (selector, error) {
	var s selector
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if setDemand.MatchString(text) {
		return nil, errSets
	}
	for term := range strings.SplitSeq(text, ",") {
		d := parseDemand(strings.TrimSpace(term))
		// No label has such a key, so that "!a=b" would choose all.
		if d.key == "" || strings.ContainsAny(d.key, "!=") {
			return nil, errSelector
		}
		s = append(s, d)
	}
	return s, nil
}

func parseDemand(term string) demand {
	if rest, negated := strings.CutPrefix(term, "!"); negated {
		return demand{key: strings.TrimSpace(rest), exists: true, not: true}
	}
	key, value, equals := strings.Cut(term, "=")
	if !equals {
		return demand{key: key, exists: true}
	}
	key, not := strings.CutSuffix(key, "!")
	return demand{key: strings.TrimSpace(key), value: strings.TrimSpace(strings.TrimPrefix(value, "=")), not: not}
}

// choose returns those of containers that s matches, in their order.
func (s selector) choose(containers []desired.Container) []desired.Container {
	return slices.DeleteFunc(containers, func(c desired.Container) bool { return !s.matches(c.Labels) })
}

func (s selector) matches(labels map[string]string) bool {
	for _, d := range s {
		value, found := labels[d.key]
		if (found && (d.exists || value == d.value)) == d.not {
			return false
		}
	}
	return true
}
