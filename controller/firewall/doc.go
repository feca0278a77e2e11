// Package firewall keeps what containers may reach beyond the outside world: a table of the instance's own in
// nftables, which others neither read nor write.
//
// The rules match packets by the interface that they come from, so that nothing has to be changed when a
// container comes or goes. There are those of Lightd's own network, and the same ones for each bridge that the
// operator has made for containers, but that its containers reach each other:
//
//   - To an address of the host, whichever: dropped, but for replies, ICMP and the ports that the
//     operator opened. So the daemon's own API, the engine's, and what listens on the gateway are out
//     of reach.
//   - To another container on Lightd's own network: dropped, as by Docker.
//   - To link-local addresses, and to others where clouds serve credentials of the machine: dropped, but
//     for name servers, which some clouds have there.
//
// What containers publish is reached as before: a packet from outside comes from no interface of theirs,
// and a reply belongs to a connection that is known.
//
// The table is compared with what it should be before each start, and every CheckEvery. One that was
// removed or altered, as by "nft flush ruleset", is put back. Each instance of an engine has a table of its own,
// for the networks that its containers are on: what one of them drops is dropped.
package firewall
