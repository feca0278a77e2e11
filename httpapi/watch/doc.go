// Package watch serves the stream of changes to containers.
//
// What it guarantees:
//
//   - Every change of a spec or a status that a client can see appears in the order of
//     revisions, once. A stream begins with what is there, in the order of its last
//     change, and a bookmark; or it goes on after a revision. Whatever line was read last,
//     its revision is where to go on.
//   - Changes are kept in one log for all, bounded in bytes, each encoded once and not
//     before somebody reads it. Who falls behind the log is ended, and may go on from its
//     revision as far as the log still has it; otherwise the answer is ErrCompacted, never
//     a gap. The log is in memory: after a restart only a reader who has missed nothing
//     goes on.
//   - A reader costs its goroutine and its connection. One that does not take what is
//     written to it for half a minute is ended.
//   - A stream ends with its client, with the token that opened it, and with the Hub. One
//     that the Hub ends closes with a bookmark, if the client takes it.
package watch
