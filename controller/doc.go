// Package controller makes the engine match the specs: one reconcile loop over the containers of a
// node, in the manner of a Kubernetes controller.
//
// # Promises
//
//   - One step of a key runs at a time, and no worker waits for it: steps run off the workers, each
//     class of step within a bound of its own, kills within none.
//   - What may happen once only is recorded before it is done. A start may happen twice without
//     harm, as its evidence is the start time that the engine shows: a program that has ended is
//     started while its record is being written.
//   - No decision rests on an observation from before the key's own last step.
//   - A failed step is retried after a delay that grows; what is blocked by something outside (a
//     busy port, a missing image) is retried slowly and reported in the condition Synced; what the
//     engine rejects because of the spec waits for a new generation.
//   - What a full disk has no room to record is held in memory, where readers see it; steps that
//     may happen twice without harm go on, all others wait.
//   - Each act that makes the engine resolve paths of the host follows a check of all of them, and
//     what a start has mounted is compared with what was checked.
//   - The controller writes status, events and, as the finalizer of a deletion or of a port that
//     no container binds, removals; never a spec. Containers without this instance's label are not touched.
//
// # Glossary
//
//	key              the internal id of a container, as it travels through the workqueue
//	spec             what a client wants; its generation counts the changes
//	status           what the controller has recorded of a container, with its conditions
//	observation      the cache's newest view of the engine, see observed.Snapshot
//	input            all that one decision rests on, see plan.Input
//	decision         the status and events to record, and the step to execute next
//	step             one effect on the engine or the host; its kind has traits, see plan.Traits
//	execution        a step that is being executed
//	outcome          what an execution leaves behind for the status
//	intent           the record of a step, made before it is executed
//	reconcile        one pass over one key, steps 1 to 6 of Controller.reconcile
//	result           when the key is reconciled again
//	refresh          an inspect of a container by the cache, which enqueues its key
//	backoff          the delay of a step that failed, or of a program that crashes
//	blocked          waiting for something outside of Lightd and of the spec
//	terminal         a failure that only a new generation ends
//	stale            a step whose container changed before the step reached it
//	class            the kinds of step that compete for the same part of the engine
//	slot             the right to run one step of a class
//	run              the lifetime of one process, from start to end: a RunID
//	run container    the container that runs the server's program
//	install container  the container that runs the install script
//	snapshot         the image that keeps what an install script changed
//	startup probe    the search of a program's output for its start pattern
//	drift            a difference between spec and observation
//	orphan           a container of this instance without a spec
//	foreign          a container outside of this instance that has the name of one of ours
//	instance         one data directory, whose id labels its containers
//	engine health    whether the engine can be reached, and since when
//	finalize         the last step of a deletion
//
// # Phases of an installation
//
// status.Install.Phase goes down this list; a reinstall begins it again. A failure keeps the phase
// and sets the condition Installed to False.
//
//	Preparing ── image present ──────────────► Creating
//	Creating ─── install container exists ───► Created        (without a script: the run container)
//	Created ──── StartInstallScript ─────────► Script         (recorded first: it runs once)
//	Script ───── exit code 0, kept ──────────► Kept           (other exits: Failed)
//	Kept, Created ── WriteEntrypoint ────────► Entrypoint
//	Entrypoint ─ the run container fits ─────► Done
//
// # States of a process
//
//	            start recorded                  pattern matched, or none
//	offline ───────────────────► starting ───────────────────────────────► running
//	   ▲  ▲                          │                                        │
//	   │  │ power is stopped         │ ends                                   │ ends
//	   │  └───────── backoff ◄───────┴────────────────────────────────────────┤
//	   │              └─ delay over ─► starting                               │
//	   └───────────────────────────── stopping ◄──────── stop, kill, restart ─┘
//
// # Ways back into the queue
//
// Controller.requeue and Controller.work turn what a reconcile or an execution returns into queue
// calls. What comes from outside calls Enqueue, which never blocks.
//
//	from                             when
//	Store.Subscribe                  a spec was written or deleted
//	the cache (Changed)              an event, a list or a refresh showed something else
//	the console (Changed)            the start pattern matched
//	EnqueueImage                     an image was pulled, removed, loaded or inspected
//	slots                            a slot may be free
//	watchPorts                       no socket holds the port any more that a container waits for
//	watchSpace                       the disk of the data directory became full or has room again
//	resyncFiles                      an entry point was altered; every CollectEvery
//	Result.After                     a backoff, a deadline or a blocked retry is over
//	Result.Again                     a step that leaves the observation as it is has ended
//	Result.Refresh                   a step that mutates has ended, or the observation is too old
//	work, on an error                rate-limited; a success resets the delay
package controller
