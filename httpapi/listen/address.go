package listen

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Address is where a listener is.
type Address struct {
	// Network is "tcp" or "unix".
	Network string
	// TLS reports whether the listener speaks TLS.
	TLS bool
	// At is host:port, or the path of a unix socket.
	At string
	// Name is the host name that At was configured with; empty for an address.
	Name string
}

// unixScheme begins the address of a unix socket.
const unixScheme = "unix://"

// Parse reads addresses, separated by commas: host:port, http://host:port, https://host:port or
// unix:///path. secure makes host:port alone mean TLS.
func Parse(list string, secure bool) ([]Address, error) {
	var all []Address
	for text := range strings.SplitSeq(list, ",") {
		a, err := parse(strings.TrimSpace(text), secure)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(all, a.collides); i >= 0 && all[i].At == a.At {
			return nil, fmt.Errorf("%q is given twice", a.At)
		} else if i >= 0 {
			return nil, fmt.Errorf("%q and %q are one port twice: without a host, 0.0.0.0 and [::] are every address", all[i].At, a.At)
		}
		all = append(all, a)
	}
	return all, nil
}

// collides reports whether only one of both can be opened: they are one address, or one is every address
// of the machine and the other among them. A free port (0, or none) is another one each time.
func (a Address) collides(b Address) bool {
	if a.Network != b.Network || a.Network == "unix" {
		return a.Network == b.Network && a.At == b.At
	}
	host, port, _ := net.SplitHostPort(a.At)
	other, same, _ := net.SplitHostPort(b.At)
	if port != same || port == "" || port == "0" {
		return false
	}
	return host == other || covers(host, other) || covers(other, host)
}

// covers reports whether wild is every address of the machine, of IPv4 alone where it is 0.0.0.0, and host
// one of them. A name may be anything, and is left to the kernel.
func covers(wild, host string) bool {
	all, err := netip.ParseAddr(cmp.Or(wild, "::"))
	one, bad := netip.ParseAddr(cmp.Or(host, "::"))
	return err == nil && bad == nil && all.IsUnspecified() && (all.Is6() || one.Is4() || one.IsUnspecified())
}

func parse(text string, secure bool) (Address, error) {
	if path, ok := strings.CutPrefix(text, unixScheme); ok || filepath.IsAbs(text) {
		if !ok {
			path = text
		}
		if !filepath.IsAbs(path) {
			return Address{}, fmt.Errorf("%q: the path of a unix socket is absolute, as in unix:///run/lightd.sock", text)
		}
		return Address{Network: "unix", At: filepath.Clean(path)}, nil
	}
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		return Address{}, fmt.Errorf("%q: a unix socket has two slashes before its path, as in %s/%s", text, unixScheme, strings.TrimLeft(path, "/"))
	}
	scheme, at, found := strings.Cut(text, "://")
	if !found {
		if err := checkPort(text, "", text); err != nil {
			return Address{}, err
		}
		return named(Address{Network: "tcp", TLS: secure, At: text}), nil
	}
	u, err := url.Parse(text)
	if err != nil || scheme != "http" && scheme != "https" || strings.TrimSuffix(at, "/") != u.Host {
		return Address{}, fmt.Errorf("%q is none of host:port, http://host:port, https://host:port and unix:///path", text)
	}
	if scheme == "https" && !secure {
		return Address{}, fmt.Errorf("%q needs a certificate: set tls.cert and tls.key, or tls.self_signed: true", text)
	}
	if err := checkPort(text, scheme+"://", u.Host); err != nil {
		return Address{}, err
	}
	return named(Address{Network: "tcp", TLS: scheme == "https", At: u.Host}), nil
}

// checkPort refuses an address without a port that can be listened on. An empty port is a free one.
func checkPort(text, scheme, at string) error {
	_, port, err := net.SplitHostPort(at)
	if err != nil {
		host := strings.Trim(at, "[]")
		if _, err := strconv.ParseUint(host, 10, 16); err == nil {
			return fmt.Errorf("%q has no address, as in %s127.0.0.1:%s", text, scheme, host)
		}
		if host == "" {
			host = "127.0.0.1"
		}
		return fmt.Errorf("%q has no port, as in %s%s", text, scheme, net.JoinHostPort(host, "8070"))
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("%q: %q is not a port from 0 to 65535", text, port)
	}
	return nil
}

// named keeps the host name of an address, which a bound listener has no more.
func named(a Address) Address {
	if host, _, err := net.SplitHostPort(a.At); err == nil {
		if _, err := netip.ParseAddr(host); err != nil {
			a.Name = host
		}
	}
	return a
}

// URL returns the address as clients have it.
func (a Address) URL() string {
	switch {
	case a.Network == "unix":
		return unixScheme + a.At
	case a.TLS:
		return "https://" + a.At
	}
	return "http://" + a.At
}

// Local returns the address that clients of this machine connect to.
func (a Address) Local() Address {
	host, port, err := net.SplitHostPort(a.At)
	if a.Network != "tcp" || err != nil {
		return a
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		a.At = net.JoinHostPort("127.0.0.1", port)
	}
	return a
}

// Loopback reports whether the address is of this machine alone.
func (a Address) Loopback() bool {
	host, _, err := net.SplitHostPort(a.At)
	ip, bad := netip.ParseAddr(host)
	return a.Network == "tcp" && err == nil && (host == "localhost" || bad == nil && ip.Unmap().IsLoopback())
}

// Hosts returns the name and the address that the listener is bound to; none for a unix socket and for
// all addresses of the machine.
func (a Address) Hosts() (hosts []string) {
	if a.Name != "" {
		hosts = append(hosts, a.Name)
	}
	at, err := netip.ParseAddrPort(a.At)
	if a.Network == "tcp" && err == nil && !at.Addr().IsUnspecified() {
		hosts = append(hosts, at.Addr().Unmap().WithZone("").String())
	}
	return hosts
}

// ErrPlainHTTP refuses a listener that would carry tokens over a network in the clear.
var ErrPlainHTTP = errors.New("is not a loopback address, and plain HTTP shows every token to the network that it crosses: " +
	"set tls.cert and tls.key (or tls.self_signed: true), or listen on 127.0.0.1 or a unix socket behind a proxy that speaks TLS, " +
	"or, where the network itself is private, set insecure_plain_http: true")

// checkPlain refuses plain HTTP on what is bound to another address than loopback.
func (a Address) checkPlain(bound net.Addr) error {
	at, err := netip.ParseAddrPort(bound.String())
	if a.Network != "tcp" || a.TLS || err == nil && at.Addr().Unmap().IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s %w", a.At, ErrPlainHTTP)
}

// family returns the network of net.Listen: an IPv4 address stands for IPv4 alone, where Go would listen
// on IPv6 too for 0.0.0.0. Without a host it is both.
func (a Address) family() string {
	host, _, _ := net.SplitHostPort(a.At)
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		return "tcp4"
	}
	return "tcp"
}
