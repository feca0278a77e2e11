package listen

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/hack/harness"
	"lightd/httpapi/peer"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		list   string
		secure bool
		urls   string
		err    string
	}{
		{"127.0.0.1:8070", false, "http://127.0.0.1:8070", ""},
		{"127.0.0.1:8070", true, "https://127.0.0.1:8070", ""},
		{"http://127.0.0.1:8070, https://:8443", true, "http://127.0.0.1:8070 https://:8443", ""},
		{"unix:///run/x.sock,/run/y.sock", false, "unix:///run/x.sock unix:///run/y.sock", ""},
		{"node:1", false, "http://node:1", ""},
		{"https://:8443", false, "", "needs a certificate"},
		{"127.0.0.1:0,127.0.0.1:0, 127.0.0.1:,127.0.0.1:", false, "http://127.0.0.1:0 http://127.0.0.1:0 http://127.0.0.1: http://127.0.0.1:", ""},
		{"127.0.0.1:1, https://127.0.0.1:1", true, "", `"127.0.0.1:1" is given twice`},
		{"unix:///run/x.sock,/run//x.sock", false, "", `"/run/x.sock" is given twice`},
		{"0.0.0.0:1,127.0.0.1:1", false, "", `"0.0.0.0:1" and "127.0.0.1:1" are one port twice`},
		{"127.0.0.1:1,:1", false, "", "one port twice"},
		{"[::]:1,192.0.2.1:1", false, "", "one port twice"},
		{"[::]:1,0.0.0.0:1", false, "", "one port twice"},
		{"0.0.0.0:1,[::1]:1, 0.0.0.0:2", false, "http://0.0.0.0:1 http://[::1]:1 http://0.0.0.0:2", ""},
		{"0.0.0.0:0,127.0.0.1:0", false, "http://0.0.0.0:0 http://127.0.0.1:0", ""},
		{"unix://run/x.sock", false, "", "absolute"},
		{"ftp://x:1", false, "", "is none of"},
		{"http://x:1/path", false, "", "is none of"},
		{"http://user@x:1", false, "", "is none of"},
	} {
		all, err := Parse(c.list, c.secure)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: got %v, want %s", c.list, err, c.err)
			}
			continue
		}
		urls := make([]string, len(all))
		for i, a := range all {
			urls[i] = a.URL()
		}
		if got := strings.Join(urls, " "); err != nil || got != c.urls {
			t.Errorf("%s: got %s, %v", c.list, got, err)
		}
	}
}

// TestPlainHTTPIsForLoopback: on every other address a token would cross the network in the clear.
func TestPlainHTTPIsForLoopback(t *testing.T) {
	for address, allowed := range map[string]bool{
		"127.0.0.1:0": true, "localhost:0": true, "127.8.9.1:0": true, "0.0.0.0:0": false, ":0": false, "[::]:0": false, "https://0.0.0.0:0": true,
	} {
		all := harness.Value[[]Address](t)(Parse(address, strings.HasPrefix(address, "https")))
		l, err := OpenAll(all, Options{})
		if err := CloseAll(l); err != nil {
			t.Error(err)
		}
		if allowed != (err == nil) || err != nil && !errors.Is(err, ErrPlainHTTP) {
			t.Errorf("%s: %v", address, err)
		}
		l, err = OpenAll(all, Options{InsecurePlainHTTP: true})
		if err = errors.Join(err, CloseAll(l)); err != nil {
			t.Errorf("%s, where it is allowed: %v", address, err)
		}
	}
}

// TestFamily: an IPv4 address opens nothing on IPv6, past the rules that an operator has for IPv4.
func TestFamily(t *testing.T) {
	for address, want := range map[string]string{"0.0.0.0:0": "0.0.0.0:", "127.0.0.1:0": "127.0.0.1:", ":0": "[::]:", "[::]:0": "[::]:"} {
		l, err := OpenAll(harness.Value[[]Address](t)(Parse(address, false)), Options{InsecurePlainHTTP: true})
		if err != nil || !strings.HasPrefix(l[0].Addr().String(), want) {
			t.Errorf("%s: %v, %v", address, l, err)
		}
		if err := CloseAll(l); err != nil {
			t.Error(err)
		}
	}
}

// TestUnixSocket is bound with its mode, knows its peer, and replaces only what nobody uses.
func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.sock")
	all := harness.Value[[]Address](t)(Parse("unix://"+path, false))
	open := func(o Options) *Listener {
		t.Helper()
		return harness.Value[[]*Listener](t)(OpenAll(all, o))[0]
	}
	l := open(Options{UnixMode: 0o600})
	if mode := harness.Value[os.FileInfo](t)(os.Stat(path)).Mode().Perm(); mode != 0o600 {
		t.Errorf("its mode is %o", mode)
	}
	dialed := harness.Value[net.Conn](t)(net.Dial("unix", path))
	defer dialed.Close()
	accepted := harness.Value[net.Conn](t)(l.Accept())
	defer accepted.Close()
	if who := accepted.(peer.Connection).Peer(); !who.Unix || int(who.UID) != os.Getuid() || int(who.PID) != os.Getpid() {
		t.Errorf("the peer is %s", who)
	}
	if _, err := OpenAll(all, Options{UnixMode: 0o600}); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("a second listener: %v", err)
	}
	// One that a killed daemon left is replaced, and the later one's stays when the first is closed late.
	if err := l.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	next := open(Options{UnixMode: 0o660})
	if mode := harness.Value[os.FileInfo](t)(os.Stat(path)).Mode().Perm(); mode != 0o660 {
		t.Errorf("its mode is %o", mode)
	}
	if err := l.release(); err != nil {
		t.Error(err)
	}
	if err := harness.Value[net.Conn](t)(net.Dial("unix", path)).Close(); err != nil {
		t.Error(err)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
	if left := harness.Value[[]os.DirEntry](t)(os.ReadDir(filepath.Dir(path))); len(left) > 0 {
		t.Errorf("%s is left", left[0].Name())
	}
	if err := os.WriteFile(path, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAll(all, Options{UnixMode: 0o600}); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("over a file: %v", err)
	}
}
