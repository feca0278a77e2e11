package certs

import "testing"

// FuzzParseFingerprint: what passes is in its one form.
func FuzzParseFingerprint(f *testing.F) {
	for _, s := range []string{"", "sha256:", "sha256 Fingerprint=AA:BB", "aa", "sha256:" + "0000000000000000000000000000000000000000000000000000000000000000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sum, err := ParseFingerprint(text)
		if err != nil {
			return
		}
		if again, err := ParseFingerprint(sum); len(sum) != 64 || err != nil || again != sum {
			t.Errorf("%q is %q, and then %q %v", text, sum, again, err)
		}
	})
}
