package token

import "testing"

// BenchmarkLookup is what a request costs before anything is done for it.
func BenchmarkLookup(b *testing.B) {
	m, err := FromFile(b.TempDir() + "/token")
	must(b, err)
	k, _ := open(b, m)
	text, _ := create(b, k, Spec{})
	for name, secret := range map[string]string{"accepted": text, "refused": text + "x"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, _ = k.Lookup(secret)
			}
		})
	}
}
