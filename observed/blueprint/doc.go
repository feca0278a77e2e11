// Package blueprint defines what a container of a spec is created as.
//
// It is the only place that does. The engine creates containers from a Blueprint and adds
// nothing of its own, and a report of drift compares the same Blueprint with what Docker
// shows, so that a container just created never differs. It does no input or
// output.
//
// A change here recreates every container of every user at the next upgrade.
package blueprint
