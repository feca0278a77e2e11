// Package replay reads from Docker's log what lies between a position and the live output of a
// container, or the last lines.
//
// What it promises:
//
//   - Each piece of text has its Position, from which a later read goes on, also of another daemon:
//     what was printed in between comes once and completely, and where that cannot be a notice says
//     so.
//   - Text is valid UTF-8, cut at line ends wherever a line fits.
//   - A log that a power cut has damaged is read up to the damage and behind it, with a notice.
//   - Memory is bounded whatever the log has.
//
// # Positions
//
// A Position holds the container, a point in the ring (the latest 256 KiB of text, kept in
// memory while the output stream is open), and of each of the two outputs its place: when
// its last line came, the hash of up to 1 KiB of text that ends with that line, and how many
// bytes of the next line are behind it, with the hash of the last 64 of them. Text is counted
// as it is told, in valid UTF-8.
//
// It is looked for in the ring first, which spans runs and containers. Else Docker's log is
// read, with its times, from shortly before it: the line is the one with that text before
// it, and of several the nearest in time. What lies behind it is read up to the live point, which
// is where the live output is, known by its text in the same way. Log and stream are some
// milliseconds apart, in either direction, so that the live point is looked for several times. The
// same mends a stream that was cut and opened again, and one that was opened late.
//
// A Notice tells that rotation tore the log behind a position, or may have, that its
// container was made anew, that the text is not in the log, that the log does not meet the
// live output, that it is damaged, or that it cannot be read.
//
// Docker ends a damaged log (NUL bytes after a power cut) at the damage, or leaves out an unknown
// number of lines behind it, without an error. So the end of a log stream is not the end of the log:
// each read is verified by the first one of as many last lines, and where it fails, the longest
// undamaged end of the log is looked for and follows the Notice. It is bounded to 4 MiB.
//
// What cannot be told exactly:
//
//   - Of several damaged places only the last one has a Notice. Of one in a log of more than 4 MiB
//     the Notice may come at the end of what was read, and lines behind it may be missing.
//   - The order between the two outputs, where they come from the log, is that of the log.
//   - Where a text repeats itself for more than 1 KiB and within milliseconds, a repetition
//     too many or too few may be told at a live point.
//   - Of a line that is open when a stream is opened in the middle of a run, what came before
//     is not told: nobody has it until it ends. A client that comes at the very moment at which
//     a stream is cut, or a process ends, may be told the beginning of such a line again.
//   - Docker splits lines of more than 16 KiB in its log, and dates all parts as the first
//     one: of a line that took long, parts may be missing, and characters at its splits.
//   - An output that was silent before a position has no text to be known by: what counts
//     then is the time in the log.
package replay
