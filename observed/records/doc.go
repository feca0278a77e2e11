// Package records keeps in the database what was observed of containers: the status of
// each, and the journal of their events.
//
// An event is written in the transaction of the change that it reports, so it is there
// exactly when the change is. Sequence numbers only grow, for ever and over all
// containers, in the order of commits; subscribers are notified of events in that order. The
// newest events of each container are kept, deleted containers included, until they
// are too old.
//
// A status is written only over the version that it follows, so that no decision is
// recorded twice, or over a status that it did not read.
package records
