// Package token decides who may speak to the daemon.
//
// There is one master token, given by the operator or generated into a file, and any
// number of temporary ones. What it guarantees:
//
//   - Of temporary tokens only SHA-256 hashes are stored; the token itself is seen once,
//     in the answer to its creation.
//   - A single-use token is accepted exactly once, also under concurrent use and whatever
//     crashes when: it is accepted after its consumption is on disk.
//   - How long a refusal takes says nothing about any token.
//   - A master token that is reset is refused from the next request on, and Valid tells
//     open connections so.
package token
