// Package replay reads from Docker's log what lies between a position and the live output of a
// container, or the last lines.
//
// What it promises:
//
//   - Each piece of text has its Position, from which a later read continues, also of another daemon:
//     what was printed in between comes once and completely, and where that is not possible a notice
//     says so.
//   - Text is valid UTF-8, cut at line ends wherever a line fits.
//   - A log that a power cut has damaged is read up to the damage and behind it, with a notice.
//   - Memory is bounded whatever the log contains.
//
// # The cursor
//
// A Position is the cursor of a reader. It names the container, an offset in the ring (the latest
// 256 KiB of text, kept in memory while the output stream is open), and for each of the two outputs
// where the reader is: the time of its last line, the hash of up to 1 KiB of text that ends with that
// line, and how many bytes of the next line come before it, with the hash of the last 64 of them.
// Text is counted as clients get it, in valid UTF-8. The time alone does not suffice: a line of the
// live output has the time at which it was read, and Docker's log has another for it.
//
// The ring is tried first; it spans runs and containers. Otherwise the log is read:
//
//	Range.Run          one attempt after the other, until the log has the live point
//	  find             reads the log from shortly before the position on (LogReader verifies the read)
//	    search         where the position is, and where the live point is, in entries of the log
//	  emitFound
//	    clip           the entries between the two, and the open lines at the live point
//
// Both places are found by their text, and of several with that text the nearest in time counts. The
// log and the stream are some milliseconds apart, in either direction, which is why the live point may
// take several attempts. A stream that was cut and opened again, and one that was opened late, are
// completed in the same way.
//
// A Notice reports that rotation dropped text behind a position, or may have, that its
// container was recreated, that the text is not in the log, that the log does not contain the
// live point, that it is damaged, or that it cannot be read.
//
// Docker ends a damaged log (NUL bytes after a power cut) at the damage, or leaves out an unknown
// number of lines behind it, without an error or, some releases, with one. So the end of a log stream is not the end of the log:
// each read is verified by the first one of as many last lines, and where that differs, the longest
// undamaged end of the log is searched and follows the Notice. It is bounded to 4 MiB.
//
// Limits:
//
//   - Of several damaged places only the last one has a Notice. Of one in a log of more than 4 MiB
//     the Notice may come at the end of what was read, and lines behind it may be missing.
//   - The order between the two outputs, where they come from the log, is that of the log.
//   - Where a text repeats itself for more than 1 KiB and within milliseconds, there may be a
//     repetition too many or too few at a live point.
//   - Where the engine takes more than 250 ms to bring a line to the stream or to the log, on a machine with far
//     more work than processors, that line may come twice at a live point.
//   - When a stream is opened in the middle of a run, the beginning of a line that is open then
//     is missing until the line ends: no log contains it. A client that connects at the very moment at
//     which a stream is cut, or a process ends, may get the beginning of such a line again.
//   - Docker splits lines of more than 16 KiB in its log, and dates all parts as the first
//     one: of a line that took long, parts may be missing, and characters at its splits.
//   - For an output that was silent before a position there is no text to search: the time in the
//     log decides.
//   - A range of more than 8 MiB is read twice.
package replay
