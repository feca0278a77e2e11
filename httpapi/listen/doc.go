// Package listen opens the daemon's listeners, TCP and unix sockets, whose connections know their peer.
//
// What it guarantees: plain HTTP is bound to loopback only, unless the operator allows more; a unix socket
// exists under its name with its final mode only, and replaces none that is in use.
//
// # Listeners
//
// "listen" has one address or several: as a list in the file, separated by commas in --listen and
// LIGHTD_LISTEN. Without anything the daemon listens on 127.0.0.1:8070, where nobody outside the machine
// gets.
//
//	listen: [unix:///run/lightd.sock, 127.0.0.1:8070, 0.0.0.0:8443]
//
//	host:port          TLS if a certificate is configured, else plain HTTP
//	https://host:port  TLS
//	http://host:port   plain HTTP beside a certificate, as for a proxy
//	unix:///path       a unix socket, mode 0600
//
// Plain HTTP on an address other than loopback is refused at the start: each token would cross the network
// in the clear. The three ways out are a certificate, a loopback address or unix socket behind a proxy that
// speaks TLS, and, on a network that is private itself, insecure_plain_http: true.
//
// unix_socket has mode (in quotes: "0660") and group. Whoever may connect needs a token all the same: root
// in a container that the socket is mounted into has uid 0 on this side too, and would need nothing else
// for the whole node. The log names the peer by uid and pid, as the kernel has them.
//
// # TLS
//
//	tls: {cert: /etc/lightd/tls/fullchain.pem, key: /etc/lightd/tls/privkey.pem}
//
// TLS 1.2 or newer, and HTTP/2. The files are compared with what is served every 2 s, links followed, so
// that a renewal by certbot, cert-manager or a copy is served without a reload. A pair that does not fit
// together is logged, and the one before stays in use.
//
//	tls: {self_signed: true}
//
// makes a certificate once, in the data directory below tls/, and prints its fingerprint in the first line.
// A client keeps it, and then accepts this certificate and no other, whatever its name:
//
//	lightd context set prod --server https://node-1:8443 \
//	  --pin SHA256 --token-file ~/.config/lightd/prod
//
// The first line has the pin of the public key too (in JSON public_key_pin), which other programs take. curl
// then accepts no other key; with -k it asks for no authority:
//
//	curl -k --pinnedpubkey sha256//BASE64 https://node-1:8443/healthz
//
// As root on the daemon's machine the commands pin the configured certificate by themselves. The certificate
// is for the machine's own names and for those in hosts at that first start: other programs can verify it
// with tls/cert.pem as their authority, as in "curl --cacert". A browser cannot: where a page opens
// consoles, take a certificate of an authority.
//
// With client_ca a connection needs a client certificate of one of these authorities, besides the token of
// each request: "lightd context set prod --client-cert FILE --client-key FILE". Its name identifies the
// client in the audit.
//
// A WebSocket is opened over HTTP/1.1, beside the HTTP/2 connection of the same client; browsers and the Go
// client do so by themselves.
//
// # Hosts and proxies
//
// A request is for a host (its Host header) that is the address of the connection, the name that a listener
// was given, the machine's own name, one that the certificate is valid for, or in "hosts"; on loopback
// localhost too. Another one is answered with 421: a page could have its own name resolve to this machine,
// and would be let in as if it were the daemon's. "*.example.com" is each name below one, "*" turns this
// off. Put into hosts what a proxy in front, or a router, is reached by.
//
// X-Forwarded-For counts from trusted_proxies alone, addresses or networks as in 10.0.0.0/8: for limits by
// address and in the log. The last address in it that is no trusted proxy is the client.
//
// # Limits
//
// Beyond a limit a request is answered with 429 or 503, with Retry-After, and takes nothing more.
//
//	limits:
//	  connections: 0              # room for all consoles and watches
//	                              # and 2,048 more
//	  connections_per_address: 0  # half of that
//	  requests_per_token: 1500    # under way; 1,000 of them may wait
//	  memory: 64m                 # of bodies, and as much of answers
//
// All connections take at most half of the files that the process may open, so that the other half is there
// for the database, the engine and the consoles. Where there are too many, the one that has gone longest
// without a request is closed for a new one: idle connections, and headers that do not end, keep nobody out.
// The limit by address does not count for loopback, unix sockets and trusted proxies, which stand for many.
//
// Bodies that are being received may hold limits.memory together, and three quarters of it by one token; so
// may answers that wait to be read. The largest body, of an apply, has 16 MiB, and memory is at least 32m.
// A reader has to take 128 KiB of an answer every 20 s, and all of it within 2 min. A header has at most
// 64 KiB and 10 s, a body 60 s; a connection without a request is closed after 2 min.
//
// An address whose tokens fail 30 times is answered with 429 from then on, but for one attempt a second.
// That keeps out nobody else: not other addresses, nor a token that was accepted lately, wherever it comes
// from. An IPv6 address counts as its /64, and a unix socket's peer as its user.
//
// WebSockets, watches, logs and transfers of files ("lightd docs files") count as connections and have bounds of
// their own; what bounds the time and the memory of other requests does not cut them.
package listen

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: listeners and TLS.
//
//go:embed doc.go
var Doc string
