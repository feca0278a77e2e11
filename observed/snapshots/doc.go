// Package snapshots keeps copies of the images that hold installations, in the data
// directory, because Docker's image store is not ours: a prune takes what no container
// uses, and another engine never had it.
//
// A copy is a manifest that names blobs, which are kept once each by their content: the
// layers of a common base cost their size once a node. A copy is there whole or not at all:
// blobs are written beside their place, flushed and renamed, and the manifest comes last.
// Every blob is verified while it is read back; one that was altered ends the load before
// Docker takes anything over, is put aside, and the copy counts as missing from then on.
//
// Neither an archive nor a layer is ever held in memory. Layers may hold secrets: nobody
// but the owner of the data directory can read them.
//
// # What may be pruned
//
// "docker system prune -af" may run every night. It removes stopped containers, their images, and the
// network "lightd" while no container runs, which is made again with the next start. Lightd creates the containers again, pulls plain images when they are needed, and loads the images
// that keep an installation from their copies in the snapshots folder of the data directory.
//
// A copy is made in the background when an installation has ended; a prune in these seconds can still
// lose it. Docker reads the image once for it. Layers are kept once each, uncompressed: the first
// server on an image costs the size of that image, each further one what its install script wrote. A
// copy leaves 512 MiB free. Where that cannot be, or it fails, the event SnapshotNotCopied and the
// message of the condition Installed say so, and it is tried again every 15 min. A copy goes with its
// installation or its container.
//
// Volumes of Docker may be pruned too. What containers keep below a VOLUME of their image is in the
// folder image_volumes; Docker's volumes only refer to it. Both the install script and the program see
// it. It outlives recreations, reinstalls and other images, and goes with a DELETE. A container made by
// an earlier version keeps the volume that Docker made for it until it is recreated, which loses it;
// its drift report (deferred) and plans say so.
//
// Remove nothing in snapshots by hand, unless all of it at once: what is missing there is copied again
// from Docker.
package snapshots

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: what may be pruned.
//
//go:embed doc.go
var Doc string
