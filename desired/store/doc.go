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
//     answered, and subscribers hear of it in the order of commits.
//   - A disk that runs full refuses ordinary writes before it can damage the database. What
//     frees space or powers off, and what is recorded of that (SetEssential), goes on in
//     blocks that were allocated before, with nothing free at all. What does not fit there
//     either never reaches the database. Writes work again as soon as there is room.
//   - A second process on the same directory is refused with a *LockedError.
//   - A power cut loses nothing that was acknowledged. A database that lost or altered a
//     record all the same, by a bad disk or a bad copy, is refused with a *DamagedError:
//     none is ever opened with less than was acknowledged unless somebody says so.
//
// No type of the database beneath shows here.
package store
