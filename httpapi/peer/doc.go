// Package peer identifies who is at the other end of a connection: by address, by the credentials of a
// unix socket, by a client certificate.
//
// What it guarantees: nothing in a Peer is from the peer's own words. An address is the connection's, or
// one that a trusted proxy forwards; uid and pid are the kernel's; a certificate was verified.
package peer
