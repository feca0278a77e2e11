// Package owner keeps two daemons with one instance id from acting on one engine. A data
// directory that is copied takes its instance id along: what tells the copy from the original is
// the identity of the directory on its host, and a random epoch, which containers and a mark in
// Docker carry.
//
// It promises: a directory that is not the one that was recorded acts on no engine that shows
// anything of its instance, unless an operator says which of the two is the node; and a daemon
// whose instance was taken over by another one ends. Each act reads the mark before; the other one
// waits for the acts that have begun by then.
package owner
