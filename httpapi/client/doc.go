// Package client talks to a daemon over its HTTP interface.
//
// What it guarantees:
//
//   - Every call ends with its context. Every error says what was asked; a refusal is an
//     *Error with the daemon's own words, a call without an answer a *NoAnswer, and both
//     are told apart by errors.Is with the sentinels of this package. No error, address or
//     printed value holds the token, and no redirect takes it elsewhere.
//   - A call is repeated, with growing and jittered pauses, for as long as Config.Patience
//     and the context allow, and only where that is safe: a read, a dry run, and a write
//     that says what should be (PUT, PATCH, DELETE, an apply) without a precondition; any
//     other write only when nothing of it was accepted, because no connection came about
//     or the daemon turned it away and said when to come back (429). After a 503, which may
//     come from a database that did not answer in time, a 502 or 504 of a proxy, or a
//     connection that broke, the outcome of a write is unknown: no restart is asked for
//     twice. The caller is told by ErrUnknownOutcome: read, then decide.
//   - A stream is an iterator. It survives broken connections without a gap or a
//     repetition, for as long as Config.Patience allows without a sign of life. Leaving the
//     loop closes its connection; nothing outlives it.
//   - What a newer daemon says beyond what this program knows is passed over.
//
// A desired.Spec says everything: begin with desired.DefaultSpec. A document, JSON as a
// person wrote it, leaves to the daemon what it leaves out. Whoever reads a container,
// changes and writes it back should use Patch, which keeps what a newer daemon added.
//
// It imports neither a router nor a database nor Docker.
package client
