package strictjson

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxPath bounds how much of a client's own keys an error repeats, in bytes.
const maxPath = 256

// pathOf formats a pointer as in "ports[0].port". kinds are those of the lists and objects that its tokens
// lead through.
func pathOf(pointer jsontext.Pointer, kinds []jsontext.Kind) string {
	var b strings.Builder
	level := 0
	for token := range pointer.Tokens() {
		if level < len(kinds) && kinds[level] == jsontext.KindBeginArray {
			b.WriteString("[" + token + "]")
		} else {
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(strings.ReplaceAll(clip(token), "\x00", "\ufffd"))
		}
		level++
	}
	return clip(b.String())
}

// openKinds are the kinds of the lists and objects that dec is in.
func openKinds(dec *jsontext.Decoder) []jsontext.Kind {
	kinds := make([]jsontext.Kind, dec.StackDepth())
	for i := range kinds {
		kinds[i], _ = dec.StackIndex(i + 1)
	}
	return kinds
}

// kindsAlong are the kinds of the lists and objects of o that a pointer leads through.
func (o Object) kindsAlong(pointer jsontext.Pointer) []jsontext.Kind {
	dec := jsontext.NewDecoder(bytes.NewBuffer(o))
	for {
		if _, err := dec.ReadToken(); err != nil || dec.StackPointer() == pointer {
			return openKinds(dec)
		}
	}
}

func clip(s string) string {
	if len(s) <= maxPath {
		return s
	}
	return strings.ToValidUTF8(s[:maxPath], "") + "…"
}
