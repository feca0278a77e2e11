// Package node answers the routes of what the containers of a node share: the pool of ports, the
// volumes, the report of drift with the containers of other instances, and what the daemon itself is like.
//
// # Maintenance
//
// The words are those of kubectl:
//
//	lightd cordon      nothing new begins; what runs goes on
//	lightd drain       the same, and what runs is stopped, some at once
//	lightd uncordon    all that should run is started
//
// A panel writes the same with PUT /node/cordon, as in {"drain": true, "parallel": 4, "reason": "kernel
// update"}, and ends it with DELETE. Both need a token with the scope admin, for all containers. GET /node
// has the cordon with how many processes still run, whether a drain is over, how many containers wait for the
// end of the cordon, and in "remaining" what a drain waits for: how many containers, and the first 100 by their
// ids, each with a reason. "lightd drain" prints the same.
//
//	Running      its process is to be stopped
//	Stopping     its process is being stopped
//	Killed       its process was sent SIGKILL, and has not ended
//	Installing   its install script runs
//	Starting     the engine was asked to start one of them
//	Unobserved   it is not known what runs, as while the engine is away
//
// While a node is cordoned nothing is started, restarted after a crash, recreated, pulled or installed, and
// no limit or name is put right: what runs is left alone, and observed. Stops, kills and deletions work, and
// an install script that runs goes on, up to the container of its server. Specs stay as they are and can be
// written; what they ask for waits. Such a container has the condition Synced False with the reason
// NodeCordoned or NodeDrained, its dry run and its drift say the same, and a wait for it ends at once with
// that reason. A step whose call of the engine was being made when the cordon was answered may still happen.
//
// A drain stops containers in the order of their ids, so many at once, each with the stop settings of its
// spec. A process that outlives SIGKILL holds up the end of the drain, and no other container. The drain is
// over once nothing remains: an event NodeDrained reports it. Containers whose
// spec is paused are left alone, and do not count.
//
// The cordon is in the database: it outlasts a crash, a restart of daemon or machine, and is in a backup.
// NodeCordoned, NodeDrained and NodeUncordoned are events of the node. lightd_node_cordoned and
// lightd_node_drained are metrics, "lightd check" has a warning, and readyz stays ready. A version of the
// daemon from before there were cordons ignores one.
package node

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: maintenance of a node.
//
//go:embed doc.go
var Doc string
