// Package console carries what passes between clients and the processes of containers:
// their output, their input, the match of a start pattern, and the figures of their use.
//
// What it promises:
//
//   - Docker is asked only while somebody needs the answer. However many clients follow
//     a container, it has one output stream, one input connection and one stream of
//     figures; a container that nobody has followed for 10 s has none.
//   - A stream that is open is drained: no client holds up the program in the container or
//     another client, but that one which takes 4 MiB/s or more may pace a flood. A client
//     that falls further behind than its queue of 1 MiB loses the oldest text and is told
//     how many bytes.
//   - Each piece of text carries its Position, from which a later subscription goes on, as
//     does one that begins with the last lines: what was printed in between comes once and
//     completely, and where that cannot be it is told by a Notice. The same holds for a
//     History, which has what any subscriber was handed before it.
//   - A stream that ends while the process lives is opened again. Its end is never taken
//     for the end of the process.
//   - Text is valid UTF-8, cut at line ends wherever a line fits.
//   - A start pattern sees every line of the run that it is expected of, also those that
//     were written before the daemon was there to read them, each as a person sees it in a
//     terminal and in every state that comes to an end (package screen); memory is bounded
//     whatever the program writes.
//   - What a client types is no output: its echo is left out before a pattern is matched.
//   - What different clients write is never mixed within one Write, nor on one line: see Input.
//   - After Close no goroutine, timer or stream of the package is left.
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
// it, and of several the nearest in time. What lies behind it is told up to the seam, which
// is where the live output is, known by its text in the same way. Log and stream are some
// milliseconds apart, in either direction, so that the seam is looked for several times. The
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
//     too many or too few may be told at a seam.
//   - Of a line that is open when a stream is opened in the middle of a run, what came before
//     is not told: nobody has it until it ends. A client that comes at the very moment at which
//     a stream is cut, or a process ends, may be told the beginning of such a line again.
//   - Docker splits lines of more than 16 KiB in its log, and dates all parts as the first
//     one: of a line that took long, parts may be missing, and characters at its splits.
//   - An output that was silent before a position has no text to be known by: what counts
//     then is the time in the log.
//
// # Size
//
// A terminal is 80 by 24 until a client sets a size (Input.Resize), which is set again at each start
// while that client is there. Docker 20.10 starts it with 0 by 0, and it gets its size 1 s later: the
// signal of that would meet an init process without its child, which warns in the output; a daemon
// that ends within that second leaves it at 0 by 0. Later releases start it with 80 by 24. Like input it is no desired state: nothing of it is kept.
//
// # Echo
//
// A terminal echoes what is typed, and so does a program with a line editor; neither can be asked
// not to. So what goes to a terminal is kept for a while, and the end of a line that is the same is
// no output: of a line that ended once, within 10 s, so that the same text as an answer counts; of
// the open line always. What stays: text that was typed past this daemon or before its restart,
// and what a line editor brings back from its history, counts as output; where a program turns the
// echo off and answers with the very line that was typed, the first answer does not count.
//
// # Input
//
// The input of a process is one stream, in which each client has a line of its own, and a stop
// command is one (WriteLine). What a client leaves open is written at once, as a program may
// want keys and not lines. Where somebody else writes then,
//
//   - with a terminal the open line is taken back first, by ^E and the kill character ^U. Its
//     client goes on where it was: what it had typed is typed again before its next text, as
//     far as it has no other keys in it than those that erase. A program that reads keys without
//     a line discipline or a line editor gets these as they are;
//   - without a terminal nothing can take it back: it is ended with a newline. What its client
//     writes next is refused once (ErrLineTaken), so that the rest of a command is not run as one.
//
// A line of more than 4,095 bytes for a terminal, which the kernel would cut and hand over as a line,
// is refused before anything of it is written; keys, up to 16 bytes at once, are not counted.
//
// A run that is older than the daemon, and one to which a write timed out, counts as one with an
// open line: before the first text the program gets ^E ^U, or an empty line. What is written
// past the daemon, by docker attach for instance, is not known.
package console
