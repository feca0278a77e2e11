package peer

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// TestForwardedForCountsFromTrustedProxiesOnly: everybody can send the header.
func TestForwardedForCountsFromTrustedProxiesOnly(t *testing.T) {
	proxies := Resolver{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("fd00::/8")}}
	for _, c := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"nobody is trusted with another's address", "203.0.113.9:1", []string{"198.51.100.1"}, "203.0.113.9:1"},
		{"a proxy", "10.1.2.3:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"a client that sends the header itself", "10.1.2.3:1", []string{"6.6.6.6, 198.51.100.1"}, "198.51.100.1"},
		{"in lines of its own", "10.1.2.3:1", []string{"6.6.6.6", "198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "127.0.0.1:1", []string{"6.6.6.6, 198.51.100.1, 10.9.9.9"}, "198.51.100.1"},
		{"with a port", "10.1.2.3:1", []string{"198.51.100.1:99"}, "198.51.100.1"},
		{"IPv6", "[fd00::1]:1", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv6 with a port", "[fd00::1]:1", []string{"[2001:db8::1]:99"}, "2001:db8::1"},
		{"IPv4 in IPv6", "[::ffff:10.1.2.3]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"nothing is said", "10.1.2.3:1", nil, "10.1.2.3:1"},
		{"nonsense", "10.1.2.3:1", []string{"198.51.100.1, unknown"}, "10.1.2.3:1"},
		{"nonsense behind a proxy", "10.1.2.3:1", []string{"x, 10.9.9.9"}, "10.9.9.9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr, r.Header["X-Forwarded-For"] = c.remote, c.forwarded
			var remote string
			proxies.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				remote = r.RemoteAddr
				if at := From(r.Context()); at.String() != remote && OfAddr(remote) != at {
					t.Errorf("the peer is %s, and the remote address %s", at, remote)
				}
			})).ServeHTTP(httptest.NewRecorder(), r)
			if remote != c.want {
				t.Errorf("got %s, want %s", remote, c.want)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	for want, p := range map[string]Peer{
		"uid:7": {Unix: true, UID: 7, PID: 8}, "192.0.2.1": {Addr: netip.MustParseAddr("::ffff:192.0.2.1")},
		"2001:db8:1:2::/64": {Addr: netip.MustParseAddr("2001:db8:1:2:3:4:5:6")}, "fe80::/64": {Addr: netip.MustParseAddr("fe80::1%eth0")},
	} {
		if got := p.Key(); got != want {
			t.Errorf("%s: got %s, want %s", p, got, want)
		}
	}
}
