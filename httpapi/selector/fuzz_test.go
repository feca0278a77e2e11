package selector

import "testing"

// FuzzParseSelector: a selector is read or has an error, and one that demands nothing chooses all.
func FuzzParseSelector(f *testing.F) {
	for _, s := range []string{"", "a", "!a", "a=b", "a!=b", "a==b", `a\,b=c\=d`, "a=b,c", "a in (b)", `\`, ",", "=", "!", "\x00"} {
		f.Add(s, "a", "b")
	}
	f.Fuzz(func(t *testing.T, text, key, value string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		chosen := s.Matches(map[string]string{key: value})
		if len(s) == 0 && !chosen {
			t.Errorf("%q demands nothing, and does not choose %q=%q", text, key, value)
		}
	})
}
