// Package manifest reads the specs of containers from files that people write: YAML or
// JSON, several documents a file, each one spec, a list of specs, or an object with
// lists of containers, volumes and ports, as `lightd get` prints for several.
//
// It guarantees that a file holds nothing that two readers could understand differently: a key that
// is given twice and a container that is named twice are refused, with file, line and path. It checks
// no value and fills nothing in, as that is for the daemon; Object.Fault finds the lines of what the
// daemon refuses.
package manifest
