// Package rest is what every route has in common: how a request is read and how an answer, or a
// refusal, is written.
//
// What it guarantees:
//
//   - Every refusal is the same JSON object, with a stable code. Bad input is never answered
//     with a 500, and no answer holds more of an unexpected error than that it happened.
//   - A body is one JSON object of a bounded size, read by the rules of package strictjson.
//   - A read is answered with an entity tag, and with 304 where the client has that answer; a
//     long answer is compressed where the client takes that.
//   - A page of a list begins after the key that the page before ended with.
package rest
