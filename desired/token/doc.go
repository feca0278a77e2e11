// Package token decides who may call the daemon, and what for.
//
// There is one master token, given by the operator or generated into a file, and any
// number of others, each with the scopes and the containers that it is for. What it guarantees:
//
//   - Only SHA-256 hashes are stored; a token itself appears once, in the answer to its creation.
//   - A token gives no more than it has: no other scopes, no other containers, no longer life. It ends
//     with the token that made it, when that is revoked, and with the master token that both go back to.
//   - The use of a single-use token is on disk before anything is done for who has it, and
//     succeeds once, also under concurrent use and whatever crashes when.
//   - How long a refusal takes says nothing about any token.
//   - A master token that is reset is refused from the next request on; open connections
//     learn it from Valid.
//
// # Tokens
//
// Every request except GET /healthz, /readyz, /openapi.json and /api/v1/public/ping, and but for links to
// files ("lightd docs files"), needs the header
// "Authorization: Bearer lightd_...".
//
//	lightd token show                  prints the master token
//	lightd token create --ttl 1h --scopes console,power --container web
//	lightd token create --ttl 30d --scopes read --name dashboard
//	lightd token create --ttl 30d --scopes write --name billing
//	lightd token create --ttl 5m --single-use
//	lightd token list                  id, name, scopes, end, last use
//	lightd token revoke ID             ends it, and those that it made; takes
//	                                   a name that only one token has, too
//	lightd token reset                 replaces the master token
//	lightd token reset --keep-old 1h   the old one holds for an hour more;
//	                                   refused while one before it holds
//
// A token has a name and an id, which is no secret: the log has it. It lives for a number and s, m, h or
// d, at most 30d. The database holds only hashes.
//
// Its scopes say what it may do; "lightd docs scopes" has the whole table.
//
//	read     specs, states, events, drift, ports and volumes
//	console  what programs print, and their input
//	power    start, stop, kill, restart
//	write    changes, and the values of env; includes read and power
//	files    reads and writes the files of volumes
//	admin    makes, lists and revokes tokens; includes all others
//
// Without --scopes a token has all of them but admin. A token without write sees the names of env alone:
// the values are empty, and "env_hidden" is true. A write that has "env_hidden" is refused, so that
// nobody writes the empty values back.
//
// # Tokens for some containers
//
// A token can be for containers by id (--container, up to 1,000), by label (-l, as in a list), or by
// both. Nothing else exists for it: lists, events, watches, drift, ports and volumes show what is theirs,
// and every other id is answered as one that does not exist.
//
//   - It moves no container out of its selector or into it, and its specs name no volume but those of
//     its containers and those that it has made itself.
//   - With the scope write it makes volumes. It sees them, and deletes them, as long as it holds; after
//     that they exist for tokens whose containers name them, and for tokens for all containers.
//   - It does not change the pool of ports: that is the node's.
//   - With --quota containers=4,ports=8,volumes=4 there are at most so many of the containers that it is
//     for, of the ports of their specs, and of the volumes that they name or that it has made. One more is
//     refused with the figures (403, quota_exceeded); what is left out is not bounded, and what there is
//     already stays usable. A token with a quota has not the scope admin, as it could make others.
//   - A selector shows the events of a container since that was created, and none of one that is gone.
//   - The "path" of a volume on the host is empty for it. "revision" and "last_seq" count what happens on the
//     whole node, as a client goes on from them: how much happens there is no secret.
//   - That an id is taken by another's container shows where it creates one by that id.
//
// # Their end
//
// Revocation, expiry and a reset close open WebSockets and streams within 5 s. A reset ends every token
// too that the old master token has made, and those that they made; with --keep-old, when that time is
// over, and "token list" shows that as their end. The audit has how many they were. A request that is refused does not use up a single-use token. The time and the address of the
// last use are written once a minute: that much of them is lost where the daemon is killed.
//
// While a former master token holds, "token list", GET /auth/tokens ("former_master") and "lightd check" say
// until when, and the audit and the log name its caller "master (former)". Only one is kept: another --keep-old
// would end it, with what it has made, and is refused without --force.
//
// A token file is 0600 and its owner's: the daemon makes it so, and warns at its start, as "lightd check"
// does, of one that others can read. A file that a client reads (--token-file) should be, too; make it in
// "umask 077". So should the configuration, where it has a token, and the key of the certificate. The unix
// socket of the API has unix_socket.mode, 0600.
//
// show and reset are about the token file of this machine's daemon, which they find as "lightd serve" does
// (--config, --data-dir, --token-file), whatever the current context is. create, list and revoke talk to the
// daemon that all client commands talk to: "lightd docs cli". With --config or --data-dir that is this
// machine's. With LIGHTD_TOKEN they go by another token.
//
// Over HTTP: POST /auth/tokens with {"name", "ttl", "scopes", "containers", "selector", "quota",
// "single_use"},
// of which only ttl is needed, GET /auth/tokens, and GET and DELETE /auth/tokens/:id. They need the scope
// admin, and what a token makes has no more than it has itself. "remove_on_use" is the former name of
// "single_use".
package token

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: tokens.
//
//go:embed doc.go
var Doc string
