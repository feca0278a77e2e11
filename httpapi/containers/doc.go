// Package containers answers the routes of containers: reads of their specs and states, and all
// writes of what is desired.
//
// A write has four steps, which each handler shows: newWrite reads the query and the preconditions,
// the body is decoded, update runs the one transaction, reply answers, after the wait that the
// request asks for.
//
// What it guarantees:
//
//   - A write changes desired state only, in one transaction. A request that fails changes nothing;
//     one that was answered with success is on disk.
//   - Preconditions are checked before the body is read, and again in the transaction.
//   - A wait begins with the commit of its write: no state that is recorded after it is missed.
//   - Reads come from memory, never from the engine.
package containers
