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
// # Pulls that take long or stall
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
// A connection that breaks in the middle of a layer is resumed by the engine at the byte where it broke, some times
// (max-download-attempts of its daemon.json). What is kept of a pull that was ended is the engine's affair. The
// containerd image store keeps the layers that are complete and each whole MiB of the others, and the next pull goes on
// from there; as it reports its progress in such steps too, one of the layers has to gain 1 MiB in 60 s. Docker's
// own store discards what it has, and the next pull begins with the first layer that the machine lacks.
//
// # Faults of registries
//
// A pull that has failed is tried again after 30 s, and at once after a write of the spec or a start. Where the
// registry has answered, the wait doubles with each failure to 5 min; a Retry-After of the registry is not passed on by
// the engine. Once the registry behaves, the next try succeeds, and nothing is to be done. The message of Synced, the
// event PullFailed and "lightd describe" have one of few sentences, and describe what to do about it; the answer of the
// registry itself is in the log of the daemon alone, without credentials.
//
//	what the registry does       the sentence begins with               retry
//	---------------------------  -------------------------------------- -------
//	nobody listens there         the registry is unreachable            30 s
//	no answer to the engine's    the registry does not answer in time   30 s
//	  own deadlines
//	nothing for 60 s, or drips   the pull stalled: the registry sends   30 s
//	ends in the middle           the registry cuts off its answers      30 s
//	401, 403; a private image    the registry denies access, or has no  doubles
//	  without credentials          such image
//	404 for the tag              the registry has no such image         doubles
//	404 for a layer              the registry lacks a part of the image doubles
//	no image for this machine    the registry has no such image for     doubles
//	                               this platform
//	429                          the registry limits the rate of pulls  doubles
//	500 to 599                   the registry has an error of its own   doubles
//	HTML, other bytes than its   the registry sends a bad answer        doubles
//	  digest says, endless
//	  redirects, a token service
//	  that is none
//	a certificate of an unknown  the certificate of the registry is     doubles
//	  CA, expired, other name      not trusted
//	plain HTTP, and not loopback the registry does not speak TLS        doubles
//	TLS that fails otherwise     TLS with the registry fails            doubles
//
// Faults of the machine are "the credentials for the registry cannot be read", "the engine has no space left on a
// disk", "the engine does not answer" and "the engine fails": "journalctl -u docker" has more.
//
// # Certificates, plain HTTP, mirrors
//
// All three are the engine's. The CA of a registry goes to /etc/docker/certs.d/HOST:PORT/ca.crt, which the next pull
// reads. A registry without TLS, other than on loopback, is listed in insecure-registries of daemon.json, which needs
// "systemctl reload docker"; Podman has registries.conf for this. Images of Docker Hub, which name no registry, come from the registry-mirrors of
// daemon.json where those have them, and else from Docker Hub; a mirror needs no entry in images.allowed.
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
