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

// requirement is one of "key", "!key", "key=value", "key!=value", "key in (value, ...)" and
// "key notin (value, ...)".
type requirement struct {
	key string
	// values are those of which the label must have one.
	values []string
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
	return rest.Invalid(rest.Detail{Field: rest.QuerySelector, Message: fmt.Sprintf("must be a list of key, !key, key=value, key!=value, key in (a,b) or key notin (a,b): in %q %s", part, why)})
}

// setDemand is "key in (values)" or "key notin (values)", as Kubernetes has them; likeSet is what was
// meant to be one.
var (
	setDemand = regexp.MustCompile(`^([^!].*?)\s+(in|notin)\s*\(([^()]*)\)$`)
	likeSet   = regexp.MustCompile(`(^|\s)(in|notin)(\(|\s)`)
)

// Parse reads demands that are separated by commas; nothing selects all. A backslash
// takes the meaning from a character that has one, so that every label can be named.
func Parse(text string) (Selector, error) {
	if message := rest.BadText(text); message != "" {
		return nil, rest.Invalid(rest.Detail{Field: rest.QuerySelector, Message: message})
	}
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var s Selector
	for _, term := range terms(hide.Replace(text)) {
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

// terms splits a selector at the commas that are in no set.
func terms(text string) (list []string) {
	depth, begin := 0, 0
	for i, r := range text {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth = max(0, depth-1)
		case r == ',' && depth == 0:
			list, begin = append(list, text[begin:i]), i+1
		}
	}
	return append(list, text[begin:])
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
	if m := setDemand.FindStringSubmatch(term); m != nil {
		return parseSet(m[1], m[2] == "notin", m[3])
	}
	if likeSet.MatchString(term) {
		return r, "a set is not written as key in (a,b) or key notin (a,b)"
	}
	key, value, equals := strings.Cut(term, "=")
	switch {
	case term[0] == '!':
		key, r.exists, r.not = term[1:], true, true
	case !equals:
		r.exists = true
	default:
		value = strings.TrimPrefix(value, "=") // "==" is how others write it
		key, r.not = strings.CutSuffix(key, "!")
	}
	if r.key, why = label(key); why != "" || r.exists {
		return r, why
	}
	value, why = word(value)
	r.values = []string{value}
	return r, why
}

// label is word of a key, which is never empty.
func label(key string) (text, why string) {
	if text, why = word(key); text == "" && why == "" {
		why = "there is no key"
	}
	return text, why
}

// parseSet reads a key and values of which its label must, or must not, have one.
func parseSet(key string, not bool, values string) (r requirement, why string) {
	r.not = not
	if r.key, why = label(key); why != "" {
		return r, why
	}
	if strings.TrimSpace(values) == "" {
		return r, "the set is empty"
	}
	for value := range strings.SplitSeq(values, ",") {
		text, why := word(value)
		if why != "" {
			return r, why
		}
		r.values = append(r.values, text)
	}
	return r, ""
}

// Filter returns those of containers that s matches, in their order.
func (s Selector) Filter(containers []desired.Container) []desired.Container {
	return slices.DeleteFunc(containers, func(c desired.Container) bool { return !s.Matches(c.Labels) })
}

// Matches reports whether s selects what has these labels.
func (s Selector) Matches(labels map[string]string) bool {
	for _, d := range s {
		value, found := labels[d.key]
		if (found && (d.exists || slices.Contains(d.values, value))) == d.not {
			return false
		}
	}
	return true
}
