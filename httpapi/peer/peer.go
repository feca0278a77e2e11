package peer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Peer is the other end of a connection, or the client that a trusted proxy forwards.
type Peer struct {
	// Addr is the client's address; the zero Addr on a unix socket.
	Addr netip.Addr
	// Unix reports whether the connection came over a unix socket. UID and PID are those of the process
	// that connected, as the kernel has them.
	Unix bool
	UID  uint32
	PID  int32
	// Certificate is the name in the client certificate that was verified; empty without one.
	Certificate string
}

// String identifies p in a log line.
func (p Peer) String() string {
	if p.Unix {
		return fmt.Sprintf("unix:uid=%d,pid=%d", p.UID, p.PID)
	}
	return p.Addr.String()
}

// Key groups the connections of one client for limits: the user of a unix socket, an IPv4 address, or
// the /64 of an IPv6 address, which one host has whole.
func (p Peer) Key() string {
	switch {
	case p.Unix:
		return fmt.Sprintf("uid:%d", p.UID)
	case p.Addr.Is6() && !p.Addr.Is4In6():
		prefix, err := p.Addr.WithZone("").Prefix(64)
		if err == nil {
			return prefix.String()
		}
	}
	return p.Addr.Unmap().String()
}

type key struct{}

// From returns the peer of the request that ctx belongs to; the zero Peer where there is none.
func From(ctx context.Context) Peer {
	p, _ := ctx.Value(key{}).(Peer)
	return p
}

// With returns ctx with a peer.
func With(ctx context.Context, p Peer) context.Context { return context.WithValue(ctx, key{}, p) }

// Connection is what a listener of package listen accepts.
type Connection interface {
	net.Conn
	Peer() Peer
}

// ConnContext is for http.Server: it puts the peer of a connection into the context of its requests.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	if wrapped, ok := conn.(*tls.Conn); ok {
		conn = wrapped.NetConn()
	}
	if c, ok := conn.(Connection); ok {
		return With(ctx, c.Peer())
	}
	return With(ctx, OfAddr(conn.RemoteAddr().String()))
}

// OfAddr returns the peer at an address as in RemoteAddr.
func OfAddr(remote string) Peer {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return Peer{}
	}
	return Peer{Addr: at.Addr().Unmap()}
}

// Resolver finds the client behind proxies.
type Resolver struct {
	// Trusted are the proxies whose X-Forwarded-For counts.
	Trusted []netip.Prefix
}

// Trusts reports whether an address is that of a trusted proxy.
func (r Resolver) Trusts(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return addr.IsValid() && slices.ContainsFunc(r.Trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// Middleware puts the peer of each request into its context, and into RemoteAddr, from which the log has it.
func (r Resolver) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		p := From(request.Context())
		if p == (Peer{}) {
			p = OfAddr(request.RemoteAddr)
		}
		if request.TLS != nil && len(request.TLS.VerifiedChains) > 0 {
			p.Certificate = CertificateName(request.TLS.PeerCertificates[0])
		}
		client := r.client(p.Addr, request.Header.Values("X-Forwarded-For"))
		resolved := request.WithContext(context.WithValue(request.Context(), key{}, p))
		switch {
		case p.Unix:
			resolved.RemoteAddr = p.String()
		case client != p.Addr:
			p.Addr = client
			resolved = request.WithContext(With(request.Context(), p))
			resolved.RemoteAddr = p.String()
		}
		next.ServeHTTP(w, resolved)
	})
}

// client returns the last address of X-Forwarded-For that is no trusted proxy, read from the end: each
// proxy appends whom it was connected by, and what stands before was sent by the client.
func (r Resolver) client(addr netip.Addr, forwarded []string) netip.Addr {
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for i := len(hops) - 1; i >= 0 && r.Trusts(addr); i-- {
		hop, err := parseHop(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop
	}
	return addr
}

// parseHop reads an address with or without a port.
func parseHop(text string) (netip.Addr, error) {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap(), nil
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return addr.Unmap(), err
}

// CertificateName returns the name of a certificate's subject: its common name, else the first name that
// it is valid for.
func CertificateName(c *x509.Certificate) string {
	names := []string{c.Subject.CommonName}
	names = append(names, c.DNSNames...)
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	names = append(names, c.EmailAddresses...)
	for _, name := range names {
		if name != "" {
			return name
		}
	}
	return c.Subject.String()
}
