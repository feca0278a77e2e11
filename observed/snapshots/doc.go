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
package snapshots
