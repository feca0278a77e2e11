// Package engine speaks to the Docker Engine. It is the only package that does.
//
// What it guarantees:
//
//   - No call outlives its deadline, even when the engine accepts a connection and
//     never answers, and no call waits for another one that hangs. Calls that answer
//     once have a deadline for each kind; a stream has one for its opening, and then
//     lives until its context ends or it is closed.
//   - New contacts nobody. The version of the API is agreed on with the first call, and
//     again after the engine was lost or another one took its place.
//   - An error says what was tried on what, and Classify tells what a caller needs to
//     know to decide, by the type of the error and never by its text.
//   - Nothing is started here that goes on by itself: no goroutine outlives the call
//     that made it, but for those of pooled connections, which Close ends.
//   - It changes only what it is told to by id or name. Whose a container is, its labels say.
package engine
