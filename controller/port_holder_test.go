package controller

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"lightd/desired"
)

// TestPortHolder finds this very process, by every address that overlaps the one that it listens on.
func TestPortHolder(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		var address string
		if network == "tcp" {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			address = l.Addr().String()
		} else {
			c, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			address = c.LocalAddr().String()
		}
		port := int(netip.MustParseAddrPort(address).Port())
		for ip, held := range map[string]bool{"127.0.0.1": true, "0.0.0.0": true, "::": true, "127.0.0.2": false} {
			e := desired.Endpoint{IP: ip, Port: port, Protocol: desired.Protocol(network)}
			if listed := slices.ContainsFunc(LocalEndpoints(), e.Overlaps); listed != held {
				t.Errorf("%s is among the sockets of this host: %t", e, listed)
			}
			got := portHolder(os.DirFS("/proc"), e)
			want := fmt.Sprintf("(pid %d)", os.Getpid())
			if held != strings.HasSuffix(got, want) {
				t.Errorf("%s is held by %q", e, got)
			}
			// A host without IPv6 has nothing to probe at "::".
			if err := probePort(e); held && ip != "::" && (err == nil || !strings.HasSuffix(err.Error(), want)) {
				t.Errorf("the probe of %s: %v, want an error that ends in %s", e, err, want)
			}
		}
	}
}

// TestStrangeSocketTables: what cannot be read names nobody.
func TestStrangeSocketTables(t *testing.T) {
	const header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	line := func(local, state string) string {
		return "   0: " + local + " 00000000:0000 " + state + " 00000000:00000000 00:00000000 00000000     0        0 4711 1\n"
	}
	e := desired.Endpoint{IP: "0.0.0.0", Port: 80, Protocol: desired.TCP}
	for name, c := range map[string]struct{ table, want string }{
		"a holder":           {header + line("0100007F:0050", "0A"), "game server (pid 7)"},
		"one of IPv6":        {header + line("00000000000000000000000001000000:0050", "0A"), "game server (pid 7)"},
		"no table":           {"", ""},
		"a connection":       {header + line("0100007F:0050", "01"), ""},
		"another port":       {header + line("0100007F:0051", "0A"), ""},
		"half an address":    {header + line("0100:0050", "0A"), ""},
		"no hexadecimal":     {header + line("0100007X:0050", "0A"), ""},
		"no port":            {header + line("0100007F", "0A"), ""},
		"a line that is cut": {header + "   0: 0100007F:0050 00000000:0000 0A", ""},
	} {
		proc := fstest.MapFS{
			"7/comm": {Data: []byte("game server\n")}, "7/fd/3": {Data: []byte("socket:[4711]"), Mode: os.ModeSymlink},
			"8/comm": {Data: []byte("other\n")}, "net/tcp": {Data: []byte(c.table)},
		}
		if got := portHolder(proc, e); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
