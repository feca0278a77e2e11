package peer

import (
	"net/netip"
	"testing"
)

// FuzzForwardedFor: nobody but a trusted proxy names an address, and what is named is valid.
func FuzzForwardedFor(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "1.2.3.4, 10.0.0.1", "[::1]:80", "::ffff:1.2.3.4", "unknown", ",,", "1.2.3.4:99999", "fe80::1%eth0"} {
		f.Add(s)
	}
	trusting := Resolver{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	proxy, stranger := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("8.8.8.8")
	f.Fuzz(func(t *testing.T, header string) {
		if got := trusting.client(stranger, []string{header}); got != stranger {
			t.Errorf("%q from a stranger is %s", header, got)
		}
		if got := trusting.client(proxy, []string{header}); !got.IsValid() {
			t.Errorf("%q from a proxy is no address", header)
		}
	})
}
