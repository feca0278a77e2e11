// Package auth identifies requests: each has an id, a caller with a valid token, and a line in the log
// of what it wrote. It answers the routes of tokens.
//
// Who sent a request, and what the token allows, is in the context of the request: handlers find a
// container through its Caller, which has none that the token is not for.
//
// It guarantees that no token is ever logged, that two tokens in one request are as good as none, that
// a token in an address counts for a WebSocket only, and that a request that is refused uses up no
// single-use token.
package auth
