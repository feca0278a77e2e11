package api

import (
	"strings"
	"unicode"
)

// SelectorSymbols are the characters that have a meaning in a selector, here or in Kubernetes, as
// blanks have.
const SelectorSymbols = `\,=!()<>`

// EscapeLabel returns the key or the value of a label as a selector names it.
func EscapeLabel(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune(SelectorSymbols, r) || unicode.IsSpace(r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
