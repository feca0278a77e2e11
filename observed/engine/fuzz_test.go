package engine

import (
	"errors"
	"strings"
	"testing"
)

// FuzzChanges: a list of changes ends, with or without an error.
func FuzzChanges(f *testing.F) {
	for _, s := range []string{"null", "[]", `[{"Path":"/a","Kind":1}]`, `[{`, `{"a":1}`, `[1,2`, ""} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		_ = decodeChanges(strings.NewReader(text), func(Change) bool { return true })
	})
}

// FuzzEngineMessage: a message never grows without bound, and the faults of an error have a name, whatever
// text an engine or a registry sends.
func FuzzEngineMessage(f *testing.F) {
	for _, s := range []string{"dial tcp 1.2.3.4:5: connect: refused", "request id: a", "current time 1 is", "(0123456789abcdef)", "\x1b]0;x\a", "took 1.5s", "toomanyrequests", "x509: bad", "/\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		err := errors.New(text)
		if got := Message(err, "/a", text); len(got) > 4*len(text)+64 {
			t.Errorf("%d bytes of %d", len(got), len(text))
		}
		if PullFaultOf(err) == "" || FaultOf(err).String() == "" {
			t.Error("a fault without a name")
		}
	})
}

// FuzzEngineHost: the address of an engine is one, or has an error.
func FuzzEngineHost(f *testing.F) {
	for _, s := range []string{"", "unix:///run/docker.sock", "tcp://a:1", "npipe://x", "ssh://a", "://", "tcp://"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, host string) { _, _, _ = parseHost(host) })
}
