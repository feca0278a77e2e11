// Package blueprint says what a container of a spec is made as.
//
// It is the only place that does. The engine makes containers from a Blueprint and adds
// nothing of its own, and a report of drift compares the same Blueprint with what Docker
// shows, so that what was just made can never be called different. It does no input or
// output.
//
// Whatever is changed here makes every container of every user anew at the next upgrade.
package blueprint
