// Package explain describes the fields of a container. All of it is read from the OpenAPI
// document, so that it cannot differ from what the daemon accepts.
package explain
