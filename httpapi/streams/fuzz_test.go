package streams

import "testing"

// FuzzOrigins: an origin that passes is not that of all.
func FuzzOrigins(f *testing.F) {
	for _, s := range []string{"https://a.example", "http://a:80", "null", "*", "https://*.example", "a", "https://a/b", "HTTPS://A"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if o, err := parseOrigins([]string{text}); err == nil && o.any != (text == "*") {
			t.Errorf("%q allows all", text)
		}
	})
}
