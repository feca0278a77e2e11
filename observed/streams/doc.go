// Package streams opens the streams of a container on Docker, keeps one of a kind open while it is
// needed, and takes Docker's framing off.
//
// What it promises:
//
//   - A Reconnector has at most one current stream. One that ends while it is needed is opened
//     again, after a pause that grows from 100 ms to 5 s; one that was open for 5 s resets the pause.
//   - A stream that does not open within 10 s is cancelled, and opened again.
//   - A Notifier calls its function once for any number of changes of an id that come meanwhile, and
//     never blocks who reports them.
//   - After Close of a Group no goroutine that it started is left.
package streams
