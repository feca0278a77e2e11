// Package explain tells what the fields of a container are. All that it says stands in the
// OpenAPI document, so that it cannot differ from what the daemon takes.
package explain
