package admission

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"lightd/httpapi/peer"
	"lightd/httpapi/rest"
)

// Hosts are the names and addresses that requests may be for. A page of another site can have its own name
// resolve to this machine (DNS rebinding), and is then of the same origin as the daemon; its name is in the
// Host header all the same.
type Hosts struct {
	any    bool
	names  map[string]bool
	suffix []string // of names below a domain, with the dot
	covers func(host string) bool
}

// NewHosts returns hosts by name or address; "*.example.com" is every name below one, "*" is any. covers
// reports whether the daemon's certificate is valid for a host; nil for no certificate.
func NewHosts(names []string, covers func(host string) bool) (*Hosts, error) {
	h := &Hosts{names: map[string]bool{}, covers: covers}
	for _, name := range names {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		addr, err := netip.ParseAddr(name)
		switch below, wild := strings.CutPrefix(name, "*"); {
		case err == nil:
			h.names[addr.Unmap().WithZone("").String()] = true
		case name == "" || strings.ContainsAny(name, ":/ "):
			return nil, errors.New(`"` + name + `" is neither a host name without a port nor an address`)
		case wild && below == "":
			h.any = true
		case wild && strings.HasPrefix(below, "."):
			h.suffix = append(h.suffix, below)
		default:
			h.names[name] = true
		}
	}
	return h, nil
}

// permits reports whether a request is for this daemon. On a unix socket there is no DNS to rebind, and a
// request without a Host comes from no browser.
func (h *Hosts) permits(r *http.Request) bool {
	if h == nil || h.any || r.Host == "" || peer.From(r.Context()).Unix {
		return true
	}
	host := hostOf(r.Host)
	local := localAddr(r)
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.Unmap().WithZone("")
		return addr == local || addr.IsLoopback() && local.IsLoopback() || h.names[addr.String()]
	}
	switch {
	case h.names[host]:
		return true
	case host == "localhost" || strings.HasSuffix(host, ".localhost"):
		return local.IsLoopback() // browsers resolve these themselves (RFC 6761)
	case r.TLS != nil && h.covers != nil && h.covers(host):
		return true
	}
	for _, suffix := range h.suffix {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}

// hostOf returns the name or address of a Host header, without port, brackets and final dot, in lower case.
func hostOf(text string) string {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(text, "[]"), "."))
}

// localAddr is the daemon's own address on the connection of r.
func localAddr(r *http.Request) netip.Addr {
	at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return netip.Addr{}
	}
	return peer.OfAddr(at.String()).Addr.WithZone("")
}

// errHost refuses a request for another host, and says what to configure.
func errHost(host string) *rest.Error {
	return rest.NewError(http.StatusMisdirectedRequest, "unknown_host", "This daemon does not serve the host "+
		truncate(hostOf(host))+": if that is its name or address, add it to \"hosts\" in its configuration")
}

// truncate bounds what is repeated of a request.
func truncate(text string) string { return text[:min(len(text), 255)] }
