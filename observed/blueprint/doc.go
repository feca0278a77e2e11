// Package blueprint defines what a container of a spec is created as.
//
// It is the only place that does. The engine creates containers from a Blueprint and adds
// nothing of its own, and a report of drift compares the same Blueprint with what Docker
// shows, so that a container just created never differs. It does no input or
// output.
//
// A change here recreates every container of every user at the next upgrade, unless package drift
// defers the difference.
//
// # Isolation
//
// What separates a container from the host and from other containers. A spec asks for none of it,
// and can give none of it away:
//
//	what                     is                           changed by
//	no-new-privileges        always                       nobody
//	privileged, devices      never                        nobody
//	namespaces of the host   none                         nobody
//	IPC, cgroup namespace    private                      nobody
//	seccomp, AppArmor        the engine's own profiles    the engine's operator
//	capabilities of root     CHOWN DAC_OVERRIDE FOWNER    the configuration:
//	                         FSETID KILL SETGID SETUID    containers.
//	                         NET_BIND_SERVICE             capabilities
//	  in install scripts     these, and AUDIT_WRITE       containers.
//	                         SETFCAP SYS_CHROOT           install_capabilities
//	network                  lightd: no container there   the spec: none, or one
//	                         reaches another one          of network.allowed
//	  in install scripts     the same, lightd for none    nobody
//	processes, threads       at most limits.pids (512)    the spec, up to
//	                                                      containers.max_pids
//	written outside of its   without a limit              nobody
//	volume and mounts
//	  in install scripts     at most 10g                  containers.
//	                                                      max_installation
//	memory, CPU              without a limit              the spec, up to
//	                                                      containers.max_memory
//	                                                      and containers.max_cpu
//	user                     the image's                  the spec: a number is
//	                                                      given the volume
//	  in install scripts     root                         the spec: a number
//	root file system         writable                     the spec (read_only)
//	tmpfs                    none; nosuid, nodev          the spec, at most 16
//	HEALTHCHECK of an image  not run by the engine        the spec (health)
//	paths of the host        its volume, its own files    the spec, inside
//	                                                      mounts.allowed
//
// With no-new-privileges a set-uid file, or one with file capabilities, gives a process nothing: sudo
// and su work for root alone. Without NET_RAW there are no packet sockets; ping works where it uses the
// kind of socket that the engine allows to all, as that of Debian does and busybox does not. An operator may give the capabilities that Docker gives by
// default, and IPC_LOCK, NET_ADMIN, SYS_NICE, SYS_PTRACE and SYS_RESOURCE; an empty list gives
// none. A daemon whose configuration has another one does not start.
//
// The network "lightd" (on the host: lightd0) is made with the first container, shared by all instances
// of an engine, and made again when a prune removes it. It has the size of packets, IPv6 and the
// masquerading that the engine's own network was configured with. One of its name on which containers
// reach each other, or with another interface, is never used: it is replaced where Lightd made it and
// nothing runs on it, and reported as NetworkUnavailable otherwise.
//
// From that network nothing of the host is reached: not the daemon's API, the engine's, the ports of the
// gateway or of any other address of the host (a port that another container publishes included), and not
// the addresses where clouds serve credentials (169.254.0.0/16, fe80::/10 and those of the known
// clouds). Replies, ping, name servers elsewhere and the rest of the world are. The rules are a table
// of nftables that is the instance's own, "lightd-" and the first eight characters of its id, put back within
// 10 s and before each start when somebody flushes or alters it.
// network.allow_host_ports opens ports of the host, as [53] for a name server on it or [25565-25600]
// for what other containers publish; network.firewall: required starts no container without the rules
// (else readyz, GET /drift and the event FirewallMissing show that they cannot be made, without
// CAP_NET_ADMIN for instance), and off removes them. Of instances that share an engine each keeps its own
// rules: a port of the host is open where all have opened it. Those of an instance that is gone end with
// the next boot of the host, or "nft delete table inet NAME".
//
// network.allowed lists networks that specs may name besides: bridges that the operator has made
// ("docker network create NAME"), on which containers reach each other by name, as a game and its
// database do. The rules above hold for what comes from them too; Docker separates them from each other
// and from lightd. None of the engine's own or of Lightd's can be listed. One of a swarm, macvlan or
// ipvlan is not used, as its containers would be on the wire of the host: it is reported as
// NetworkUnavailable, as is one that is not there, or whose name two have. A container that somebody
// takes off its network is recreated. One that is connected to a further network keeps that, as deferred
// drift; with network: none the engine refuses it. The rules hold for each network that a running
// container is connected to, within 10 s, until it stops, whatever its spec or the list names by then; but not
// for the engine's "bridge", which others are on. While the engine does not answer when the daemon starts, the
// rules of the daemon before stay.
//
// The operator's bounds are in the section containers of the configuration; 0 and "", which are the defaults but
// for max_installation, are no bound. They hold for install scripts too:
//
//   - max_memory and max_cpu: the most of one container. Its limits.swap is at most max_memory too. Cores
//     are as in 1.5 or 500m.
//   - default_memory and default_cpu: those of a spec that names none; else max_memory and max_cpu.
//   - max_pids: the most of one container, and the default where it is below 512.
//   - max_ports: the most of one container.
//   - max_installation ("10g" by default): what an install script writes outside the volume and the
//     mounts, which is on the engine's disk. It is measured every 15 s while the script runs and once
//     after; a script beyond it is killed and InstallScriptFailed says so, and nothing of it is kept.
//     Files that a process has deleted and holds open or mapped count too, where the engine is on this
//     machine and uses overlayfs, and the daemon runs as root. A measurement that takes longer than
//     60 s, or finds more than 262144 open files, counts as beyond the bound when the next one does too;
//     one that fails otherwise is repeated 15 s later, and the last one delays nothing.
//     It is no quota: between two measurements a script can write as much as the disk has free. The
//     less that is, the more often it is measured (every 5 s below 16 GiB, every 2 s below 4 GiB), and
//     below a floor of 256 MiB, or a sixteenth of the engine's disk where that is less, the script that
//     has written the most is ended with InstallScriptFailed, which names the disk, and then the next one
//     where that made no room in 30 s; one that has written less than a sixteenth of the floor goes on. What
//     a script writes into its volume is not measured, and a deleted file that it keeps in the queue of a
//     socket or in io_uring alone counts for nothing until timeouts.install ends it. A file system of its
//     own for the engine's directory bounds both.
//   - max_containers and max_volumes: the most on the node, those that are being deleted included.
//
// A spec beyond a bound is refused with the figure (400), one more than there may be with how many there
// are (403, quota_exceeded). A bound that is lowered, or a list that is shortened, leaves alone what there is:
// it can be started, stopped and deleted, and a write may leave it as it is or make it less, but not more.
// "lightd check" lists the containers that have more than is allowed, as the log does at a start and a reload.
//
// A container made by an earlier version, or before the operator changed a list, keeps what it has
// until it is recreated for another reason, its place on the engine's network "bridge" included; until
// then "lightd drift ID" lists it as deferred. One that has more than Docker gives by default, whoever gave it, is recreated at once.
package blueprint

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: isolation.
//
//go:embed doc.go
var Doc string
