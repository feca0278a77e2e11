package strictjson

import (
	"slices"
	"strconv"
	"strings"
)

// pointer is where a value stands. It is put into words only for an error: a path that was
// carried along as text would cost its length at every element below it.
type pointer struct {
	up *pointer // nil for the root
	// key names a member; for an element of a list it is empty and at counts.
	key  string
	at   int
	list bool
}

func (p pointer) member(key string) pointer { return pointer{up: &p, key: key} }

func (p pointer) index(at int) pointer { return pointer{up: &p, at: at, list: true} }

// maxPath bounds how much of a client's own keys an error repeats, in bytes.
const maxPath = 256

// String formats p as in "ports[0].port".
func (p pointer) String() string {
	var steps []pointer
	for at := &p; at.up != nil; at = at.up {
		steps = append(steps, *at)
	}
	var b strings.Builder
	for _, step := range slices.Backward(steps) {
		if step.list {
			b.WriteString("[" + strconv.Itoa(step.at) + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strings.ReplaceAll(clip(step.key), "\x00", "\ufffd"))
	}
	return clip(b.String())
}

func clip(s string) string {
	if len(s) <= maxPath {
		return s
	}
	return strings.ToValidUTF8(s[:maxPath], "") + "…"
}
