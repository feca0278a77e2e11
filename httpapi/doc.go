// Package httpapi is the daemon's HTTP interface: routes, authentication, WebSockets.
//
// What it guarantees:
//
//   - Nothing but the three public routes is answered without a valid token, not even
//     the news that a route does not exist.
//   - It writes desired state only, each request in one transaction. A request that
//     fails changes nothing; one that was answered with success is on disk.
//   - Reads come from memory and from the database, never from the engine: with the
//     engine down every route answers as usual, and says unknown where it cannot see.
//   - Every error is the same JSON object, whoever found it. Bad input is never
//     answered with a 500, and no answer holds more of an unforeseen error than that
//     it happened.
//   - No token is ever logged.
package httpapi
