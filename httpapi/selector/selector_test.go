package selector

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lightd/httpapi/api"
	"lightd/httpapi/rest"
)

// TestEveryLabelCanBeNamed: whatever a label may be, a selector chooses by it, and by it alone.
func TestEveryLabelCanBeNamed(t *testing.T) {
	part := rapid.StringOfN(rapid.SampledFrom([]rune("ab\\,=!()<>'\"% \tinö\x01")), 0, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		key := part.Filter(func(s string) bool { return s != "" && !strings.Contains(s, "=") }).Draw(t, "key")
		value, other := part.Draw(t, "value"), part.Draw(t, "other")
		labels := map[string]string{key: value, "more": "x"}
		k, v := api.EscapeLabel(key), api.EscapeLabel(value)
		for text, want := range map[string]bool{
			k: true, "!" + k: false, k + "=" + v: true, k + "==" + v: true, k + "!=" + v: false, " " + k + " = " + v + " , more ": true,
			k + " in (" + v + "," + v + ")": true, k + " notin (x, " + v + ")": false, "more in (y,x)," + k + " in (" + v + "," + v + "x )": true, k + " in (" + v + "x)": false,
			k + "=" + v + "x": false, k + "x": false, "x" + k + "=" + v: false, k + "=" + api.EscapeLabel(other): other == value,
		} {
			s, err := Parse(text)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if got := s.Matches(labels); got != want {
				t.Fatalf("%q of %q: got %v", text, labels, got)
			}
		}
	})
}

// TestSelectors: a backslash before what has no meaning is one.
func TestSelectors(t *testing.T) {
	labels := map[string]string{"path": `C:\games`, "q": `a=b"c'`, "p": "100%", "in": "(x)", "e": ""}
	for text, want := range map[string]bool{
		`path=C:\games`: true, `path=C:games`: false, `q=a\=b"c'`: true, `p=100%`: true, `path,q,!z`: true, `in=\(x\)`: true, `path\`: false, ` path `: true,
		"e=": true, "e==": true, "q=": false,
		"p in (100%)": true, "p in (1, 100% ,2)": true, "p  in(1,2)": false, "p notin (1,2)": true, "p notin (1,100%)": false, "z in (a)": false, "z notin (a)": true,
		"e in (,x)": true, "e in (x)": false, "e notin (,)": false, `in in (\(x\),y),q`: true, `in notin (\(x\))`: false, `q in (a\=b"c'),path,p=100%`: true, "p in (1),path": false,
	} {
		s, err := Parse(text)
		if err != nil || s.Matches(labels) != want {
			t.Errorf("%q: %v, %v", text, s, err)
		}
	}
}

// TestBadSelectors: what the grammar of Kubernetes refuses is refused, by the name of the part.
func TestBadSelectors(t *testing.T) {
	for text, want := range map[string]string{
		"=": `in "=" there is no key`, "!": `in "!" there is no key`, "!=b": `'='`,
		"a,,b": `in "a,,b" there is an empty entry`, "a,": `in "a," there is an empty entry`, " , ": `in " , " there is an empty entry`,
		"x,a=b=c": `in "a=b=c" '=' must follow a backslash`, "a===b": `'='`, "a=b==c": `'='`, "!a=b": `in "!a=b" '='`,
		"a!b": `in "a!b" '!' must follow a backslash`, "!!a": `'!'`, "a!!=b": `'!'`, "a=!b": `'!'`, "a=b!=c": `'!'`,
		"a(b": `in "a(b" '(' must follow a backslash`, "in=(x)": `'('`, "a)": `')'`, "a>1": `'>'`, "a=<1": `'<'`,
		"a b": `in "a b" a blank must follow a backslash`, "a=b\tc": "a blank",
		`\ in (b)`: "a blank", "a in (b": `in "a in (b" a set is not written as`, "a in b)": "a set is not written", "a in b": "a set is not written", "a in ()": `in "a in ()" the set is empty`, "a in ( )": "the set is empty",
		" in (b)": "a set is not written", "a in (b))": "a set is not written", "a in (b)c": "a set is not written", "a in (b c)": "a blank", "a in (b=c)": `'='`, "!a in (b)": "a set is not written",
		"a,b in (c),,": "an empty entry", "a has (b)": "a blank", "a in (b) in (c)": "a blank", "a in (b),=c": "no key", "a b in (c)": "a blank", "= in (c)": `'='`,
		"a=\x00": "must not contain NUL", "a\xff": "must be UTF-8",
		"a=" + strings.Repeat("x", 200) + "=": "xxx...",
	} {
		s, err := Parse(text)
		if err == nil {
			t.Errorf("%q is read as %v", text, s)
			continue
		}
		if p, _ := rest.ErrorOf(err); len(p.Details) != 1 || !strings.Contains(p.Details[0].Message, want) || len(p.Details[0].Message) > 250 {
			t.Errorf("%q: got %+v, want %q", text, p.Details, want)
		}
	}
}
