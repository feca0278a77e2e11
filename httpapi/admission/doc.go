// Package admission bounds what requests may take, before the routes see them: which hosts they are for, how
// often authentication may fail, how many are under way for one token, how much memory their bodies and
// answers hold.
//
// What it guarantees:
//
//   - What is beyond a limit is answered with 429 or 503 and Retry-After, and takes nothing more.
//   - No token gets more than its share: while one uses up what it may, others are served.
//   - Failed authentication is limited by address. A token that was accepted lately is never refused for what
//     others at its address do.
//   - All records have a fixed size, whoever sends what.
//
// Streams (WebSockets, watches, logs) have limits and deadlines of their own: they are neither counted nor
// cut here.
package admission
