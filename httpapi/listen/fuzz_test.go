package listen

import "testing"

// FuzzListenAddress: what passes is an address with a URL, and is of this machine alone only where it says so.
func FuzzListenAddress(f *testing.F) {
	for _, s := range []string{"127.0.0.1:8070", "[::1]:1", "unix:///run/x", "https://a:1", "http://a:1/", "0.0.0.0:80,unix:///x", "", ",", "://", "unix://x", "http://[::1%25lo]:1", "/a/../b"} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, text string, secure bool) {
		all, err := Parse(text, secure)
		if err != nil {
			return
		}
		for _, a := range all {
			if a.URL() == "" || a.TLS && !secure {
				t.Errorf("%q is %+v", text, a)
			}
			_, _, _ = a.Local(), a.Loopback(), a.Hosts()
		}
	})
}
