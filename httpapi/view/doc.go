// Package view makes what a client is shown of a container: its spec, and beside it what the
// controller recorded, in the light of whether Docker can be seen now.
//
// It guarantees that nothing is shown as known that rests on an engine that cannot be seen, and that
// the end of an earlier installation is never shown as that of a later one.
package view
