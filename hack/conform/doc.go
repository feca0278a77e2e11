// Package conform holds what an HTTP client and the daemon say to each other against the
// OpenAPI document. It serves tests only.
package conform
