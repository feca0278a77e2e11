// Package journal says what an event in the life of a container is, and which there are.
// Package records keeps them.
package journal
