// Package desired holds what clients asked for: the spec of a container, its
// defaults, its validation, and the ports that it claims.
//
// Everything here is a value or a pure function. What a spec means for Docker is
// decided elsewhere; that a spec is well-formed is decided here and only here, so
// that every way of writing one passes the same checks. Package desired/mountsource
// compares mount sources with the host, and package desired/store keeps the values.
package desired
