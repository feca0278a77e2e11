// Package status says what is recorded of a container: its conditions with their reasons,
// what its process does, and how far an installation has come. Package records keeps it.
package status
