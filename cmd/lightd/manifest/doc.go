// Package manifest reads the specs of containers from files that people write: YAML or
// JSON, several documents a file, each one spec, a list of specs, or what `lightd get`
// prints for several.
//
// It guarantees that a file holds nothing that two readers could understand differently:
// a key that is unknown or given twice, a value of the wrong kind and a container that is
// named twice are refused, with file, line and path, all of them at once. It fills nothing
// in: what a file leaves out is for the daemon to decide.
package manifest
