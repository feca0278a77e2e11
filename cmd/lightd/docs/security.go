// # Security
//
// The engine's socket is root of the machine, and Lightd has it. This is what it defends, against whom,
// and what it leaves to the operator. Other topics have the details: listen, tokens, scopes, isolation,
// audit.
//
// # What is worth an attack
//
//   - root on the machine, which the daemon has by the engine
//   - the containers: their data, console, environment and installation, each apart from the others
//   - the node's time, memory, disk, files, ports and processes
//   - the tokens, and the record of who did what
//
// # Who may attack, and what stops them
//
// Somebody on the network, without a token, gets few routes: /healthz and /api/v1/public/ping say nothing of
// the node, /openapi.json has what every daemon of this version has, and /readyz tells a load balancer what is
// missing, as the engine, or room on the disk with its figures. A link to a file is for one file, one method and
// minutes, signed, and in no log. TLS is on, or only loopback is served. Connections, headers, bodies and waiting answers are bounded; whoever guesses
// tokens is slowed down alone. Another Host is refused, and a page of an origin that is not listed
// may read no answer, so that a page in a browser cannot call the API by a name of its own.
//
// Somebody with a token gets its scopes, and of its containers only: what it is not for does not exist for
// it. It makes no token that has more than it has, and loses open streams within 5 s of its end. The
// environment is shown to those who may write it. Every write has its line in the audit before its answer.
//
// Somebody who writes specs, as the customers of a panel do, gets no privileges, devices, namespaces or
// paths of the host, whatever the spec says: a spec asks for what the table of "lightd docs isolation" has,
// in the bounds that the operator sets. Sources of mounts are below mounts.allowed, belong to root, are
// looked up again at every start, and compared with what the kernel has mounted. An image of another
// container's installation is refused in every form. A start pattern is bounded when it is written.
//
// Code in a container or in an install script is taken to be hostile. It has the short list of
// capabilities, no-new-privileges, a limit of processes, and the engine's seccomp profile. Its files are
// read, served and removed without following its links, opening its devices, or waiting for its pipes. What
// it prints is escaped where it reaches a log line or a terminal, unless it was asked for raw. Its output,
// its records and what is kept of its installation are bounded. It reaches no other container, none of the
// machine's own addresses and ports, and no metadata service: "lightd docs isolation".
//
// A user of the machine who is not root cannot enter the data directory, read the tokens, or use what a
// container made set-uid there. A unix socket of the daemon asks for a token too.
//
// Somebody with the engine, as another panel on the same machine, is root; from mistakes of such users
// Lightd keeps itself: it never starts or adopts a container that it did not create, and shows what differs
// from a spec, privileges included. Two daemons never act for one node.
//
// A hostile registry or image chooses the layers, and what its error answers say. Answers come down to
// short classes. Registries at private addresses are refused unless images.allowed lists them. HEALTHCHECK
// of an image is not run, and nothing of an image's configuration becomes an instruction.
//
// # What it does not hold
//
//   - Root on the machine, the group of the engine's socket, or whoever can write the configuration, can do
//     everything.
//   - Containers share the kernel: a hole in it, in runc or in the engine lets them out. userns-remap
//     is supported, and makes root in a container a user of the machine without rights.
//   - What mounts.allowed lists is in the hands of those who write specs.
//   - A token with write and no containers of its own is as good as all containers of the node.
//   - Without a limit in the spec, or a default of the operator, a container may use all memory, CPU and disk.
//     Bandwidth of disk and network has no limit.
//   - The engine fetches images by itself: it looks names up again, follows the token service that a registry
//     names, which gets the credentials for that registry, and uses its own mirrors. Where that matters, list registries in images.allowed.
//   - What containers may reach beyond the machine, as your private network, is up to your firewall.
//   - The engine's name server answers containers with the addresses of their neighbours, whose names are
//     lightd-ID. No traffic passes between them, but a program in one can find out which ids are there.
//   - Settings of network and containers hold from the next start of the daemon, but for network.allowed: a
//     reload logs what needs one. Two daemons on one engine each keep rules of their own, and what one of them
//     drops is dropped: a port of the host is open where both have opened it.
//   - Data on the disk is not encrypted. A token's hash is of no use to a thief; the master token's file is.
//   - The audit is as safe as the machine: send it elsewhere where root may be the attacker.
//
// # A node on the internet
//
// Install a release of Docker that gets fixes, give the daemon TLS, open its port and those of the pool and
// nothing else, keep the master token on the machine, and give each client a token with its scopes:
//
//	lightd token create --ttl 30d --scopes write --name billing
//	lightd token create --ttl 30d --scopes read --name dashboard
//	lightd audit -f

package docs

import _ "embed"

// security is the source of this file, which has the topic's text.
//
//go:embed security.go
var security string
