package registry

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/distribution/reference"
)

// attacks are references whose registry is at no public address, in the forms that resolvers take.
var attacks = []string{
	"localhost/x", "localhost:5000/x", "LOCALHOST:5000/x", "LocalHost/x", "evil.localhost/x", "a.b.localhost:1/x",
	"127.0.0.1/x", "127.0.0.1:22/x", "127.1:22/x", "127.0.1/x", "0x7f.1/x", "0x7f.0.0.1/x", "0x7f000001:80/x", "2130706433:80/x", "017700000001:80/x",
	"0177.0.0.1/x", "0177.1/x", "127.0.0.0x1/x", "0.0.0.0/x", "0:80/x", "0x0:1/x", "0x.1/x",
	"10.0.0.1/x", "10.1:2375/x", "010.0.0.1/x", "172.16.0.1/x", "172.31.255.255/x", "192.168.0.1/x", "192.168.1/x", "3232235777:80/x",
	"169.254.169.254/latest/meta-data", "2852039166:80/x", "0xa9fea9fe:80/x", "100.64.0.1/x", "100.127.255.255/x",
	"224.0.0.1/x", "239.255.255.255/x", "240.0.0.1/x", "255.255.255.255/x", "198.18.0.1/x", "192.0.0.1/x",
	"[::1]/x", "[::1]:5000/x", "[::]/x", "[0:0:0:0:0:0:0:1]:80/x", "[::ffff:7f00:1]/x", "[::ffff:a9fe:a9fe]:80/x", "[::7f00:1]/x",
	"[fc00::1]/x", "[fd12:3456::1]:5000/x", "[fe80::1]/x", "[FE80::1]/x", "[ff02::1]/x", "[64:ff9b::7f00:1]/x", "[64:ff9b:1::1]/x", "[2002:7f00:1::]/x",
	"[2001:0:7f00:1::]/x", "[fec0::1]/x", "[:::]:1/x", "[1]/x:1",
	"999.999.999.999/x", "1.2.3.4.5/x", "08.1.1.1/x",
}

// harmless are references that only their resolution can refuse.
var harmless = []string{
	"ghcr.io/team/x", "registry.example.com:5000/x", "8.8.8.8/x", "8.8.8.8:5000/x", "1.1.1.1:443/x", "172.32.0.1/x", "100.128.0.1/x", "192.169.0.1/x",
	"[2606:4700:4700::1111]/x", "[64:ff9b::808:808]:443/x", "[::ffff:808:808]/x", "cafe:80/x", "0xcafe.io/x", "127.example/x", "7f.1a/x", "localhost.example/x", "notlocalhost:1/x",
}

// domain returns the registry of a reference, and "" for what is none.
func domain(t testing.TB, ref string) string {
	t.Helper()
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ""
	}
	return reference.Domain(named)
}

func TestLiteralAddresses(t *testing.T) {
	for _, ref := range attacks {
		if d := domain(t, ref); d != "" && Check(d) == nil {
			t.Errorf("%s (registry %q) passes", ref, d)
		}
	}
	for _, ref := range harmless {
		d := domain(t, ref)
		if err := Check(d); d == "" || err != nil {
			t.Errorf("%s (registry %q): %v", ref, d, err)
		}
	}
	var refused *AddressError
	if err := Check("127.0.0.1:5000"); !errors.As(err, &refused) || !strings.Contains(err.Error(), `"127.0.0.1:5000"`) || !strings.Contains(err.Error(), "images.allowed") {
		t.Errorf("got %v", err)
	}
}

// FuzzCheck: what passes is either a name or a public address, and never one by another form.
func FuzzCheck(f *testing.F) {
	for _, ref := range append(attacks, harmless...) {
		f.Add(ref)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		d := domain(t, ref)
		if d == "" || Check(d) != nil {
			return
		}
		h := Host(d)
		if addr, err := netip.ParseAddr(h); err == nil {
			if !Public(addr) || addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr.IsUnspecified() {
				t.Errorf("%q passes", h)
			}
			return
		}
		if last := h[strings.LastIndexByte(h, '.')+1:]; strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") && strings.Trim(last[2:], "0123456789abcdef") == "" {
			t.Errorf("%q passes, which inet_aton may read as an address", h)
		}
	})
}
