// Package conform checks the exchanges of HTTP clients with the daemon against the
// OpenAPI document. It serves tests only.
package conform
