// Package images keeps what Docker has of image references, and pulls images.
//
// What it guarantees:
//
//   - Reading never touches Docker: a reference that was never requested is unknown, and
//     inspected in the background.
//   - One pull a reference at a time, a bounded number over all. A pull without progress is ended,
//     one with progress never; a long one does not keep others from beginning.
//   - Changed is called after the news is there to read. A pull that succeeded shows its
//     image at the instant at which it stops showing as a pull. The progress of a pull is
//     published at intervals, and a pull that is over soon publishes its end alone.
//   - What happens to an image in Docker is observed by its events, and whatever was missed
//     is found again when the stream of events is back. Docker loses events all the same: what
//     is missing is inspected every 5 min, with a twelfth of what is there.
//   - Retain drops what is not needed.
//
// # When an image is pulled
//
// image_pull of a spec, in the words of Compose (Kubernetes: IfNotPresent, Always, Never), counts for the
// image of the server and for that of an installer of its own:
//
//   - missing (the default): an image that is not on the machine is pulled.
//   - always: before each new container, and at each installation, the registry is asked once, and the new
//     container is made from what the tag means there. A start or restart of the container that
//     exists asks nothing; "lightd reinstall ID", a change that recreates the container, and its loss do. (What
//     an install script has left in the image of the server is kept until a reinstall.) The old
//     container runs until the answer is there. Where the registry cannot be asked, refuses or stalls, the
//     image that is on the machine is used, and the event PullFailed says why: a server must
//     not stay down because a registry is. (Kubernetes does not start it then.)
//   - never: nothing is pulled. Where the image is missing, Synced is False with ImageNotPresent until
//     "docker load" or "docker pull" brings it.
//
// What happens to containers that run when a tag moves is image_policy of the spec.
//
// # Digests
//
// An image may be named by its digest, as ghcr.io/team/game@sha256:..., with a tag before it or without; the
// engine ignores the tag. It is one image for ever: it is pulled where it is missing, and never asked for again, with
// image_pull: always too.
//
// # Pulls that take long, stall or fail
//
// Containers that need the same image share its pull. Three pulls run at once; one that takes longer than
// timeouts.pull (10m) goes on, and its place is given to the next.
//
// A pull is never ended while it makes progress. It is ended, as ImageUnavailable says, when
//
//   - the registry sends nothing for 60 s, or less than 16 KiB of a layer in that time;
//   - nothing happens for timeouts.pull while the engine verifies or extracts a layer, or while all layers that
//     are left wait for their turn among the downloads of the engine (max-concurrent-downloads of its daemon.json).
//
// What is kept of a pull that was ended is the engine's affair: the containerd image store keeps the layers that
// are complete, Docker's own store discards them, and the next pull begins with the first layer that the machine lacks.
//
// A pull that has failed is tried again after 30 s, and at once after a write of the spec or a start. Where the
// registry has answered (no such image, access denied, too many requests, a bad answer, TLS), the wait doubles with
// each failure to 5 min; a Retry-After of the registry is not passed on by the engine. The message of the
// condition is one of few sentences:
//
//   - "the registry has no such image", or none "for this platform": the name, the tag, the architecture
//   - "the registry denies access, or has no such image": see "lightd docs registries"
//   - "the registry limits the rate of pulls": log in to it, or wait
//   - "the registry is unreachable", "does not answer in time": the network, the name and port, its load
//   - "TLS with the registry fails": its certificate, or its CA in /etc/docker/certs.d/HOST/ca.crt
//   - "the registry sends a bad answer": the registry itself, or a proxy before it
//   - "the pull stalled": as above
//   - "the engine has no space left on a disk": see "docker system df"
//   - "the engine does not answer", "the engine fails": see "journalctl -u docker"
//
// # Images that nothing needs
//
// "images: {remove_unused_after: 720h}" in the configuration removes images that nothing has needed for that time;
// by default none is. Every five minutes those are looked at that this daemon has brought to the engine: an image that was
// there before its pull, and all that was pulled before this version, is never removed. It is kept while
//
//   - a spec names it, for its server or its installer;
//   - a container of anybody is made from it, running or not, or another image is known to rest on it;
//   - it has a name that somebody else gave it.
//
// When somebody else pulls it too, it is theirs for ever, as far as the event of that pull has reached the
// daemon. It is removed by its names, without force: the engine refuses what a container needs. The event ImageRemoved
// of the node says so, which lightd_events_total counts. A spec that names it later has it pulled again; with
// image_pull: never it must be loaded again. The images of installations are not concerned: "lightd docs prune".
package images

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: pulls of images.
//
//go:embed doc.go
var Doc string
