// Package engine calls the Docker Engine. It is the only package that does.
//
// What it guarantees:
//
//   - No call outlives its deadline, even when the engine accepts a connection and
//     never responds, and no call waits for another one that hangs. Calls with one response
//     have a deadline for each kind; a stream has one for its opening, and then
//     lasts until its context ends or it is closed.
//   - New makes no call. The version of the API is negotiated with the first call, and
//     again after the engine was unreachable or another one replaced it.
//   - An error names what was tried on what, and Classify returns what a caller needs
//     to decide, by the type of the error and never by its text.
//   - Nothing is started here that keeps running by itself: no goroutine outlives the call
//     that made it, but for those of pooled connections, which Close ends.
//   - It changes only what it is given by id or name. Labels identify the owner of a container.
package engine
