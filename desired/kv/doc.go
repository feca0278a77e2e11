// Package kv is a small transactional database of keys and values on the local disk, which one
// process at a time opens. It is independent of what its values mean.
//
// What it promises:
//
//   - Nothing acknowledged is lost. A write that was answered without an error is on disk, and
//     survives a kill and a power cut. One that was answered with an error other than
//     desired.ErrUnavailable changed nothing.
//   - All writes pass through one committer, one after the other, and never conflict. The
//     numbers that it gives out (revisions, sequence numbers) only grow, for ever, in the order
//     of commits.
//   - Publication follows the order of commits. Options.OnCommit is called once for each
//     transaction, after its commit and before its writer is answered.
//   - A commit that fails is answered with desired.ErrUnavailable: whether it happened is
//     unknown to its writers. The committer reads from the disk what became of it before it
//     takes another write, and publishes one that happened. Its numbers are never given out
//     again either way.
//   - A disk that runs full refuses ordinary writes before it can damage the database. What
//     frees space or powers off, and what is recorded of that (SetEssential), goes on in
//     blocks that were allocated before, with nothing free at all. What does not fit there
//     either never reaches the database. Writes work again as soon as there is room.
//   - A second process on the same directory is refused with a *LockedError.
//   - A database that lost or altered a record, by a bad disk or a bad copy, is refused with a
//     *DamagedError: none is opened with less than was acknowledged, unless an operator removes
//     the file with the high-water mark.
//   - A database of a newer version of the program is refused with a *FormatError, and no file of
//     it is changed.
//
// The files of the package, each of which uses only those below it:
//
//	db          opening, closing, reads
//	commit      the committer: groups writes into batches
//	engine      writes to Badger
//	compact     merges tables, reclaims the value log
//	damage      verification of the files before they are opened
//	highwater   the high-water mark and the checksum over all records
//	disk        what may be written with so much space left
//	space       the free space and its levels
//	reserve     blocks that are allocated ahead
//	readlog     how much of a file is written
//	tx          reads and writes of one transaction
//	lock        one process for one directory
//	format      the format of a database, checked before Badger opens it
//
// No type of Badger shows in the exported names.
package kv
