// Package controller makes Docker match the specs.
//
// Keys of containers travel through one rate-limited queue. For each key a worker reads
// spec, status and observation afresh, lets package plan decide, records the decision
// with its events in one transaction, and sends the one step on its way. It promises:
//
//   - One step of a key runs at a time, and no worker waits for it: steps run off the
//     workers, each kind within a bound of its own, kills within none.
//   - What may happen once only is recorded before it is done. The record outlives a death
//     of the daemon, and a power cut too unless that ends what was started as well.
//   - No decision rests on an observation from before the key's own last step.
//   - A key whose step failed comes back by itself, after a delay that grows; what only
//     somebody else can mend (a busy port, a missing image) is asked again slowly and
//     said in the condition Synced; what the engine refuses for good waits for the spec.
//   - What a full disk has no room to record is held in memory, where readers see it; steps that
//     may happen twice without harm go on, all others wait.
//   - Each act that makes Docker resolve paths of the host comes after a check of all of them, and
//     what a start has mounted is compared with what was checked.
//   - It writes status, events and, as the finalizer of a deletion or of a port that
//     nobody binds, removals; never a spec. Containers that do not carry this
//     instance's label are never touched.
package controller
