// Package journal keeps the events of containers in the database.
//
// An event is written in the transaction of the change that it reports, so it is there
// exactly when the change is. Sequence numbers only grow, for ever and over all
// containers, in the order of commits; subscribers hear of events in that order. The
// newest events of each container are kept, deleted containers included, until they
// are too old.
package journal
