// Package token decides who may call the daemon.
//
// There is one master token, given by the operator or generated into a file, and any
// number of temporary ones. What it guarantees:
//
//   - Of temporary tokens only SHA-256 hashes are stored; the token itself appears
//     once, in the answer to its creation.
//   - A single-use token is accepted exactly once, also under concurrent use and whatever
//     crashes when: it is accepted after its consumption is on disk.
//   - How long a refusal takes says nothing about any token.
//   - A master token that is reset is refused from the next request on; open connections
//     learn it from Valid.
//
// # Tokens
//
// Every request except GET /healthz, /readyz, /openapi.json and /api/v1/public/ping needs the header
// "Authorization: Bearer lightd_...".
//
//	lightd token show                  prints the master token
//	lightd token reset                 replaces it, also for a running daemon
//	lightd token create --ttl 1h       asks the daemon for a temporary token
//	lightd token create --ttl 5m --single-use
//
// A temporary token lives for a number and s, m, h or d, at most 30d. It may do everything but create
// tokens. The database holds only hashes of temporary tokens.
//
// The commands find the token file as "lightd serve" does (--config, --data-dir, --token-file). Like
// all client commands they read only listen, data_dir, token and token_file of the configuration.
// "token create" finds the daemon's address there too, or takes --server URL (LIGHTD_URL).
//
// Over HTTP, POST /auth/tokens with {"ttl": "1h", "remove_on_use": false} creates one; it needs the
// master token.
package token

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: tokens.
//
//go:embed doc.go
var Doc string
