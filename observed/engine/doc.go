// Package engine calls the Docker Engine. It is the only package that does.
//
// What it guarantees:
//
//   - No call outlives its deadline, even when the engine accepts a connection and
//     never responds, and no call waits for another one that hangs. Calls with one response
//     have a deadline for each kind; a stream has one for its opening, and then
//     lasts until its context ends or it is closed.
//   - New makes no call. The version of the API is negotiated with the first call, and
//     again after the engine was unreachable or another one replaced it.
//   - An error names what was tried on what, and Classify returns what a caller needs
//     to decide, by the type of the error and never by its text.
//   - Nothing is started here that keeps running by itself: no goroutine outlives the call
//     that made it, but for those of pooled connections, which Close ends.
//   - It changes only what it is given by id or name. Labels identify the owner of a container.
//
// # Engines
//
// Docker 20.10 and newer are supported, by the version of the API that both sides know, with images in either
// store (the storage driver overlay2, or containerd's overlayfs). What the engine's daemon.json sets changes this:
//
//   - log-driver: nothing. Each container is made with the driver json-file and the sizes of the setting logs, so
//     that its output is kept and bounded also where the engine's own driver is none, local or journald.
//   - userns-remap: the daemon must be root, and the directories above its data directory open to pass through
//     (0711). Files of a volume have the mapped users as owners.
//   - live-restore: containers live on while the engine restarts. They are taken over as they are.
//   - icc: nothing. Lightd's own network keeps its containers apart in any case.
//   - a rootless engine: the daemon runs as the user of the engine, with a data directory of that user; as root it
//     can mount no volume. Files cannot be given to another user, and there is no firewall of containers. Limits have
//     effect only for the controllers of cgroups that are delegated to the user, which "lightd check" reports; where
//     none are, a change of limits ends as LimitNotEnforced.
//
// # Podman
//
// A Podman's socket ("podman system service", podman.socket) is recognized by its responses, and its own words
// are translated. Podman 5 is supported: 5.4 and 5.8 do all that hack/engines asks of each engine. Podman 4.3 is
// not: it has no call that changes limits in place, which is reported as LimitNotEnforced, and it makes the IPC
// namespace of each container shareable, which is reported as drift. These things stay different:
//
//   - The log has times of whole seconds. A reader that continues from a position may get lines of that second
//     again, or miss one that was printed twice in it.
//   - The log of a container is bounded by its size alone: the number of files has no effect.
//   - Variables of the environment that Podman sets by itself (container, HOSTNAME, and HOME, PATH and TERM where
//     neither the spec nor the image does) are in the process, and are not shown as drift.
//   - No option keeps containers of one network apart. On Lightd's network the firewall of containers does, for
//     packets that the kernel shows to it (the module br_netfilter).
//   - Podman makes the interface of a network with the first container on it, so that a Podman in another network
//     namespace than the daemon is not noticed.
//   - The first process with "init" is catatonit, which passes signals to the program alone: a shell in the
//     container sends them to all others.
//   - Output and input are attached to a container that runs alone: Podman would prepare any other one for a start.
//     What is printed first is read from the log. One that ends in the moment of an attach is prepared nevertheless:
//     it is shown as created, keeps its ports until its next start or its removal, and may be shown with exit code 0.
//   - Podman has no event for a process that the kernel kills for its memory limit, and shows it of the container in
//     all later runs too. It counts for a run that was observed without it before, and that is not followed by a start
//     at once; of any other one the exit code 137 is reported alone.
//   - On cgroup v1 a container has the host's cgroup namespace, whatever is asked for.
//   - Containers do not end with Podman, and neither does it start any: the daemon does.
package engine

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: which engines there are, and how they differ.
//
//go:embed doc.go
var Doc string
