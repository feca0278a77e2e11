// Package store keeps what clients asked for, durably: containers, the network pool,
// volumes, and the raw room in which packages status, journal and token keep theirs.
//
// What it guarantees:
//
//   - A write that was answered without an error is on disk. One that was answered
//     with an error other than desired.ErrUnavailable changed nothing.
//   - All writes pass through one committer, one after the other. Numbers that it gives
//     out (revisions, sequence numbers) only grow, for ever, in the order of commits;
//     writes never conflict; and no two containers ever hold overlapping ports.
//   - What is read from memory (Container, Containers) is current when a write is
//     answered, and subscribers are notified in the order of commits.
//   - A disk that runs full refuses ordinary writes before it can damage the database. What
//     frees space or powers off, and what is recorded of that (SetEssential), goes on in
//     blocks that were allocated before, with nothing free at all. What does not fit there
//     either never reaches the database. Writes work again as soon as there is room.
//   - A second process on the same directory is refused with a *LockedError.
//   - A power cut loses nothing that was acknowledged. A database that lost or altered a
//     record all the same, by a bad disk or a bad copy, is refused with a *DamagedError:
//     none is ever opened with less than was acknowledged, unless an operator allows it.
//
// No type of the database beneath shows here.
//
// # When the database is damaged
//
// A power cut or a kill damages nothing. A bad disk, an incomplete copy or a lost file can. The daemon
// then does not start: it names the file, or what is missing, touches no container and changes nothing
// else. Either everything that was acknowledged is there, or the database is not opened.
//
// With a backup: stop the service, move db away, put the db of the backup in its place, and start.
// Containers that were created since keep running; the log reports them as having no spec.
//
// Without a backup, where the message names the file db/acknowledged: remove that file. The daemon
// goes on with what is left of the database. Compare "lightd get" with what you expect.
//
// Without either: move db away and start. The containers of before keep running. The log and the
// condition NameTaken report them as another instance's, and they are left alone until you remove
// them with Docker. Their volumes are in volumes/; new containers get new ones.
//
// # When the disk is full
//
// With less than 64 MiB free the daemon starts only if its reserve in db (48 MiB, db/ballast, created
// again once there is room) is still there, and gives that up to do so. The next start is refused,
// and says so. With Restart=always the service is back by itself when there is room.
//
// # Backups
//
// Back the data directory up while the daemon is stopped, or from a snapshot of the file system. Files
// that are copied one by one while it runs do not fit together.
package store

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: a damaged database.
//
//go:embed doc.go
var Doc string
