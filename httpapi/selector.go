package httpapi

import (
	"iter"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"lightd/desired"
	"lightd/httpapi/api"
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
	errSelector = invalid(Detail{Field: selectorQuery, Message: "must be a list of key, !key, key=value or key!=value; a backslash makes a comma, a blank, ! or = part of a label"})
	errSets     = invalid(Detail{Field: selectorQuery, Message: "knows no sets: it must be a list of key, !key, key=value or key!=value"})
)

// setDemand is how Kubernetes writes "one of": read as the key that it would be here, it
// would choose nothing, or with a negation all.
var setDemand = regexp.MustCompile(`\s(in|notin)\s*\(`)

// parseSelector reads demands that are separated by commas; nothing selects all. A backslash
// takes the meaning from a character that has one, so that every label can be named.
func parseSelector(text string) (selector, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if setDemand.MatchString(text) {
		return nil, errSets
	}
	var s selector
	for term := range splitSymbols(symbolsOf(text), ',') {
		d, ok := parseDemand(trimSymbols(term))
		if !ok {
			return nil, errSelector
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

// word is what symbols spell; ok is false where one of them has a meaning that it cannot have
// there.
func word(all []symbol, meaning string) (text string, ok bool) {
	var b strings.Builder
	for _, s := range trimSymbols(all) {
		if !s.literal && strings.ContainsRune(meaning, s.r) {
			return "", false
		}
		b.WriteRune(s.r)
	}
	return b.String(), true
}

// parseDemand reads one demand. No label has an empty key, nor one with a bare "!" or "=": read
// as such, "!a=b" would choose all.
func parseDemand(term []symbol) (d demand, ok bool) {
	bang, equals := symbol{r: '!'}, symbol{r: '='}
	key, value := term, []symbol(nil)
	switch i := slices.Index(term, equals); {
	case len(term) > 0 && term[0] == bang:
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
	d.value, _ = word(value, "")
	d.key, ok = word(key, "!=")
	return d, ok && d.key != ""
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
