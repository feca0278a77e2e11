// Package streams answers the routes of what goes on until its client leaves, and of what was sent
// before: WebSockets and logs with the output of containers, watches of containers, and the journal. It
// also takes console input of those that have no WebSocket.
package streams
