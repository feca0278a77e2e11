// Package simengine is an HTTP server with the part of the Docker Engine API that
// Lightd uses, so that tests and benchmarks have the real Docker client in the path. It
// serves those only: nothing else may import it.
//
// What it guarantees:
//
//   - It responds, fails and emits events as Docker 20.10 does (API 1.41), or as the release
//     does whose API version it is configured with. One suite of scenarios runs against it and
//     against a real engine, whichever is there, and compares the two.
//   - It is controlled by tests: each call can be delayed, held, refused, cut, or done with
//     its response lost; events can be dropped, repeated and reordered; containers can be
//     removed without an event and the whole engine restarted, silenced or stopped.
//   - It records every call, so that a test can check which were made and which were not.
//   - It holds 10,000 containers: a container costs a map entry, and a goroutine only
//     while a Program runs in it.
//   - All its waiting is on channels and timers of its own, so that it works in a bubble
//     of testing/synctest when it is reached through Dial.
//   - Nothing that it started is left when Close returns, but for the goroutines of
//     connections that are being torn down.
package simengine
