package selector

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/rest"
)

// Selector is a conjunction of requirements on labels; the zero value selects all.
type Selector []requirement

// requirement is one of "key", "!key", "key=value" and "key!=value".
type requirement struct {
	key, value string
	// exists demands the key alone; not turns the demand around.
	exists, not bool
}

// FromQuery reads the selector of a list.
func FromQuery(query url.Values) (Selector, error) {
	return Parse(query.Get(rest.QuerySelector))
}

// maxQuoted bounds how much of a selector an error quotes, in characters.
const maxQuoted = 80

// badTerm refuses a selector because of one part of it.
func badTerm(part, why string) error {
	if runes := []rune(part); len(runes) > maxQuoted {
		part = string(runes[:maxQuoted]) + "..."
	}
	return rest.Invalid(rest.Detail{Field: rest.QuerySelector, Message: fmt.Sprintf("must be a list of key, !key, key=value or key!=value: in %q %s", part, why)})
}

// setDemand is how Kubernetes writes "one of": read as the key that it would be here, it
// would choose nothing, or with a negation all.
var setDemand = regexp.MustCompile(`\s(in|notin)\s*\(`)

// Parse reads demands that are separated by commas; nothing selects all. A backslash
// takes the meaning from a character that has one, so that every label can be named.
func Parse(text string) (Selector, error) {
	if message := rest.BadText(text); message != "" {
		return nil, rest.Invalid(rest.Detail{Field: rest.QuerySelector, Message: message})
	}
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if setDemand.MatchString(text) {
		return nil, badTerm(text, "there is a set, and sets (in, notin) are not supported")
	}
	var s Selector
	for term := range strings.SplitSeq(hide.Replace(text), ",") {
		term = strings.TrimSpace(term)
		r, why := parseRequirement(term)
		switch {
		case why != "" && term == "":
			return nil, badTerm(text, why)
		case why != "":
			return nil, badTerm(spell.Replace(term), why)
		}
		s = append(s, r)
	}
	return s, nil
}

// hide replaces the characters behind a backslash, which have no meaning, by bytes that are in no
// text: what is left of them has one. reveal replaces those bytes by the characters, and spell by the
// characters with their backslashes.
var hide, reveal, spell = func() (hide, reveal, spell *strings.Replacer) {
	var hidden, revealed, spelled []string
	add := func(r rune) {
		bytes, text := "\xff"+string(r+1<<16), string(r)
		hidden, revealed, spelled = append(hidden, `\`+text, bytes), append(revealed, bytes, text), append(spelled, bytes, `\`+text)
	}
	for _, r := range api.SelectorSymbols {
		add(r)
	}
	for r := range rune(1 << 16) {
		if unicode.IsSpace(r) {
			add(r)
		}
	}
	return strings.NewReplacer(hidden...), strings.NewReplacer(revealed...), strings.NewReplacer(spelled...)
}()

// word returns the text of a key or a value, or why a character has a meaning that it cannot have there.
func word(s string) (text, why string) {
	s = strings.TrimSpace(s)
	for _, r := range s {
		switch {
		case r == '\\':
		case unicode.IsSpace(r):
			return "", "a blank must follow a backslash to be part of a label"
		case strings.ContainsRune(api.SelectorSymbols, r):
			return "", fmt.Sprintf("%q must follow a backslash to be part of a label", r)
		}
	}
	return reveal.Replace(s), ""
}

// parseRequirement reads one requirement, or returns why it is none. No label has an empty key, nor one
// with a bare "!" or "=": read as such, "!a=b" would select all.
func parseRequirement(term string) (r requirement, why string) {
	if term == "" {
		return r, "there is an empty entry"
	}
	key, value, equals := strings.Cut(term, "=")
	switch {
	case term[0] == '!':
		key, value, r.exists, r.not = term[1:], "", true, true
	case !equals:
		r.exists = true
	default:
		value = strings.TrimPrefix(value, "=") // "==" is how others write it
		key, r.not = strings.CutSuffix(key, "!")
	}
	if r.key, why = word(key); why != "" {
		return r, why
	}
	if r.key == "" {
		return r, "there is no key"
	}
	r.value, why = word(value)
	return r, why
}

// Filter returns those of containers that s matches, in their order.
func (s Selector) Filter(containers []desired.Container) []desired.Container {
	return slices.DeleteFunc(containers, func(c desired.Container) bool { return !s.Matches(c.Labels) })
}

// Matches reports whether s selects what has these labels.
func (s Selector) Matches(labels map[string]string) bool {
	for _, d := range s {
		value, found := labels[d.key]
		if (found && (d.exists || value == d.value)) == d.not {
			return false
		}
	}
	return true
}
