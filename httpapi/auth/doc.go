// Package auth identifies requests: each has an id, a caller with a valid token, and a line in the log
// of what it wrote.
//
// It guarantees that no token is ever logged, that two tokens in one request are as good as none, and
// that a token in an address counts for a WebSocket only.
package auth
