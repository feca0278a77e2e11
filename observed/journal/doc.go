// Package journal defines the events of a container, and which there are.
// Package records keeps them.
package journal
