// Package watch serves the stream of changes to containers.
//
// What it guarantees:
//
//   - Every change of a spec or a status that a client can see appears in the order of
//     revisions, once. A stream begins with what is there, in the order of its last
//     change, and a bookmark; or it goes on after a revision. The revision of
//     the last line that was read is where to go on.
//   - Changes are kept in one log for all, bounded in bytes, each encoded once, at its first
//     read, and shared by all readers. A reader that falls behind the log is ended, and may go on from
//     its revision while the log still has it; otherwise the answer is ErrCompacted, never
//     a gap. The log is in memory: after a restart only a reader that missed nothing can go
//     on.
//   - A reader costs its goroutine and its connection. One that does not take what is
//     written to it for half a minute is ended.
//   - A stream ends with its client, with the token that opened it, and with the Hub. One
//     that the Hub ends closes with a bookmark, if the client takes it.
//
// # Watch
//
// GET /containers?watch=true answers with one JSON object a line and goes on until the client leaves.
// Where Accept asks for text/event-stream, each is a server-sent event with the revision as its id.
//
//	{"type":"ADDED","revision":1038,"container":{"state":"starting",...}}
//	{"type":"BOOKMARK","revision":1041}
//	{"type":"MODIFIED","revision":1042,"container":{"state":"running",...}}
//
// What a client may rely on:
//
//   - A watch begins with all containers, in the order of their last change, and a bookmark.
//   - With ?after=REVISION, or the header Last-Event-ID, it goes on after that revision, which a list
//     or any line has. Revisions only grow.
//   - Every change that a GET would show comes once. When the engine becomes unreachable, or
//     reachable again, every container is MODIFIED.
//   - With ?selector=, a container that begins to match is ADDED, and one that stops matching is
//     DELETED.
//   - A token for some containers is shown those alone. One that goes out of what the token is for is
//     DELETED, and shows no more than its id.
//   - A bookmark comes after 30 s of silence. The daemon ends a stream whose token has expired or
//     whose reader is too slow, with a bookmark where it can.
//   - 410 (compacted): the changes since that revision are no longer known. Watch without after, and
//     drop what the list lacks. The daemon keeps some thousands of changes, in memory: after its
//     restart only a client that missed nothing can go on.
//   - 429 (too_many_watches): more than 2,048 streams.
package watch

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: the watch.
//
//go:embed doc.go
var Doc string
