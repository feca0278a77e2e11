// Package console carries what passes between clients and the processes of containers:
// their output, their input, the match of a start pattern, and the figures of their use.
//
// What it promises:
//
//   - Docker is asked only while somebody needs the answer. However many clients follow
//     a container, it has one output stream, one input connection and one stream of
//     figures; a container that nobody follows has none.
//   - A stream that is open is drained: no client, however slow, holds up the program in
//     the container or another client. A client that falls behind loses the oldest text
//     and is told how many bytes.
//   - A stream that ends while the process lives is opened again. Its end is never taken
//     for the end of the process.
//   - Text is valid UTF-8, cut at line ends wherever a line fits.
//   - A start pattern sees every line of the run that it is expected of, also those that
//     were written before the daemon was there to read them; memory is bounded whatever
//     the program writes.
//   - What different clients write is never mixed within one Write.
//   - After Close no goroutine, timer or stream of the package is left.
package console
