// Package owner keeps two daemons with one instance id from acting on one engine. A data
// directory that is copied takes its instance id along: what tells the copy from the original is
// the identity of the directory on its host, and a random epoch, which containers and a mark in
// Docker carry.
//
// It promises: a directory that is not the one that was recorded acts on no engine that shows
// anything of its instance, unless an operator says which of the two is the node; and a daemon
// whose instance was taken over by another one ends. Each act reads the mark before; the other one
// waits for the acts that have begun by then.
//
// # The data directory
//
//	db                             the database; ballast is room for a full disk
//	volumes/<volume_id>            the files of the servers; in .lightd what
//	                               the file routes have not completed
//	*/.trash                       what was deleted, and is still being removed
//	containers/<internal_id>       entry script, install log
//	image_volumes/<internal_id>    what images keep in their own volumes
//	snapshots                      copies of the images of installations
//	token                          the master token
//	token.old                      the hash of the one before it, if kept
//	audit/                         who changed what
//	tls/                           the self-signed certificate and its key
//	settings.json                  sums of the settings, for "lightd check"
//
// To move it, stop the daemon, rename the directory within one file system, and start the daemon on
// the new path. Each container is recreated there.
//
// A copy, or a directory on another disk or host, is recognised by its inode, its time of birth and
// the machine's id. Where the engine shows nothing of its instance, as after a restore on a fresh
// host, it starts as it is. Where the engine shows containers or images of the original, or its mark
// (the Docker volume lightd-owner-<instance>, which a prune may remove), the start is refused until
// one of these flags says what the directory is:
//
//	lightd serve --take-over       it is the node from now on
//	lightd serve --new-instance    it becomes an instance of its own
//
// "lightd restore --take-over" has the first start on the directory take over without the flag.
//
// After --take-over the other daemon ends with an error, or is refused at its next start. After
// --new-instance the containers of the new instance report NameTaken while those of the original have
// the names. Either flag counts once and may stay.
//
// # Formats
//
// The database has a format, a number in db/format; without that file it is 1. "lightd version" shows the newest that
// the program reads. All versions so far have the format 1: each opens what any other has written, and the first start
// of a version with another one will rewrite it. A format that is newer than the program is refused by serve, and a
// backup of one by restore, before anything is changed:
//
//	sudo lightd migrate            which format there is, and whether it is read
//
// Then use the version that wrote it, or a newer one, or restore a backup from before the upgrade ("lightd docs
// backup"). Do not edit the file.
//
// # Two daemons
//
// A second daemon on the same data directory is refused. Two daemons with directories of their own
// share an engine without touching each other's containers.
package owner

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: moving and copying the data directory.
//
//go:embed doc.go
var Doc string
