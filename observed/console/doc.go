// Package console follows the output of containers, and fans it out to those who subscribed.
//
// What it promises:
//
//   - A stream is open only while it is needed. However many clients follow a container, it has
//     one output stream; a container without subscribers for 10 s has none.
//   - A stream that is open is drained: no client blocks the program in the container or
//     another client, except that one which takes 4 MiB/s or more may pace a flood. A client
//     that falls further behind than its queue of 1 MiB loses the oldest text, and gets the number
//     of bytes.
//   - Each chunk carries its position (package replay), from which a later subscription continues, as
//     does one that begins with the last lines: what was printed in between comes once and
//     completely, and where that is not possible a Notice says so. The same holds for a History, which
//     has all that any subscriber got before it.
//   - A stream that ends while the process lives is opened again. Its end is never taken
//     for the end of the process.
//   - Text is valid UTF-8, cut at line ends wherever a line fits.
//   - After Close no goroutine, timer or stream of the package is left.
//
// # The way of a line
//
//	Docker's stream    streams.Docker.AttachOutput, kept open by a streams.Reconnector
//	      |
//	outputReader.feed  one goroutine per stream: reads, then paces (pace.go); follow.go opens and closes it
//	      |
//	demux              streams.Demuxer: takes the frames off; the Tap (a start pattern) gets the bytes
//	      |
//	decode             replay.Decoder: valid UTF-8, characters that reads split are joined
//	      |
//	batch              batcher: complete lines at once, a flood every 10 ms or 64 KiB; while a gap before
//	      |            the stream is filled from the log, a replayBuffer holds the text
//	broadcastLocked    gives the chunk its position; all up to here is under the hub's lock
//	      |
//	ring               the latest 256 KiB, for those who come back
//	      |
//	Subscription.push  a queue of 1 MiB for each subscriber; the oldest text is dropped
//	      |
//	Subscription.C     one goroutine per subscriber hands out chunks
//	      |
//	socket             encodes a chunk once for all clients (Chunk.Encoded)
package console
