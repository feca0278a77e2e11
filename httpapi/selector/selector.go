package selector

import (
	"fmt"
	"iter"
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
	for term := range splitSymbols(symbolsOf(text), ',') {
		d, why := parseRequirement(trimSymbols(term))
		if why != "" {
			if len(trimSymbols(term)) == 0 {
				return nil, badTerm(text, why)
			}
			return nil, badTerm(spell(trimSymbols(term)), why)
		}
		s = append(s, d)
	}
	return s, nil
}

// symbol is a character of a selector. One that is literal stands for itself.
type symbol struct {
	r       rune
	literal bool
}

// symbolsOf reads the backslashes of a selector. Before a character that has no meaning of its
// own a backslash is one.
func symbolsOf(text string) []symbol {
	runes := []rune(text)
	symbols := make([]symbol, 0, len(runes))
	for i := 0; i < len(runes); i++ {
		if runes[i] == '\\' && i+1 < len(runes) && (strings.ContainsRune(api.SelectorSymbols, runes[i+1]) || unicode.IsSpace(runes[i+1])) {
			i++
			symbols = append(symbols, symbol{runes[i], true})
			continue
		}
		symbols = append(symbols, symbol{r: runes[i]})
	}
	return symbols
}

// splitSymbols yields what is between the separators that are none of a label.
func splitSymbols(all []symbol, separator rune) iter.Seq[[]symbol] {
	return func(yield func([]symbol) bool) {
		for {
			i := slices.Index(all, symbol{r: separator})
			if i < 0 {
				yield(all)
				return
			}
			if !yield(all[:i]) {
				return
			}
			all = all[i+1:]
		}
	}
}

func trimSymbols(all []symbol) []symbol {
	blank := func(s symbol) bool { return !s.literal && unicode.IsSpace(s.r) }
	for len(all) > 0 && blank(all[0]) {
		all = all[1:]
	}
	for len(all) > 0 && blank(all[len(all)-1]) {
		all = all[:len(all)-1]
	}
	return all
}

// spell returns symbols as they stand in a selector.
func spell(all []symbol) string {
	var b strings.Builder
	for _, s := range all {
		if s.literal {
			b.WriteByte('\\')
		}
		b.WriteRune(s.r)
	}
	return b.String()
}

// word returns the text of symbols, or why one of them has a meaning that it cannot have there.
func word(all []symbol) (text, why string) {
	var b strings.Builder
	for _, s := range trimSymbols(all) {
		switch {
		case s.literal || s.r == '\\':
		case unicode.IsSpace(s.r):
			return "", "a blank must follow a backslash to be part of a label"
		case strings.ContainsRune(api.SelectorSymbols, s.r):
			return "", fmt.Sprintf("%q must follow a backslash to be part of a label", s.r)
		}
		b.WriteRune(s.r)
	}
	return b.String(), ""
}

// parseRequirement reads one demand, or returns why it is none. No label has an empty key, nor one with
// a bare "!" or "=": read as such, "!a=b" would choose all.
func parseRequirement(term []symbol) (d requirement, why string) {
	bang, equals := symbol{r: '!'}, symbol{r: '='}
	if len(term) == 0 {
		return d, "there is an empty entry"
	}
	key, value := term, []symbol(nil)
	switch i := slices.Index(term, equals); {
	case term[0] == bang:
		key, d.exists, d.not = term[1:], true, true
	case i < 0:
		d.exists = true
	default:
		key, value = term[:i], term[i+1:]
		if len(value) > 0 && value[0] == equals { // "==" is how others write it
			value = value[1:]
		}
		if last := len(key) - 1; last >= 0 && key[last] == bang {
			key, d.not = key[:last], true
		}
	}
	if d.key, why = word(key); why != "" {
		return d, why
	}
	if d.key == "" {
		return d, "there is no key"
	}
	d.value, why = word(value)
	return d, why
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
