// Package audit records who changed what: one line of JSON for each write, for each failed authentication,
// and for what clients of WebSockets do to processes.
//
// What it guarantees: the line of a write is in the file before the first byte of its answer is sent; no
// line is torn or split by a rotation; what is refused without a valid token, and console input, takes a
// bounded number of lines; no line has a token, a script, a value of an environment, or a body.
//
// # Audit
//
// The daemon records every write (also one that is refused, and dry runs, which are marked), every failed
// authentication, every read that a token may not do, and over a WebSocket each power action and console
// input. "lightd audit" reads it as root, on the daemon's machine and without the daemon:
//
//	lightd audit --since 24h
//	lightd audit -f --container web
//	lightd audit --who billing -o json
//
// --who takes the id or name of a token, the name of a client certificate, or uid=N.
//
// # The file
//
//	audit:
//	  output: file          # or stdout, or off
//	  max_size: 10m         # of one file
//	  max_age: 168h         # of its first line
//	  max_files: 10         # the oldest is removed
//	  console_input: false  # record the text of console input too
//
// The file is audit/audit.jsonl in the data directory, for root alone (0700, files 0600). One that is full or
// old is renamed to audit-00000001.jsonl and so on. With stdout the lines follow the daemon's first one, and
// a line waits in memory where nobody reads them, up to 1,024. A change of these settings needs a restart.
//
// Whoever may write containers can also fill the files until the oldest is gone. Where that matters, send
// the lines to another machine.
//
// # A line
//
//	{"time":"2026-11-29T04:10:00.123456789Z","event":"write",
//	 "request_id":"5f0c","token":"9d1f","token_name":"billing",
//	 "remote":"192.0.2.7","method":"PATCH","route":"/containers/:id",
//	 "container":"web","changes":[{"container":"web",
//	 "action":"updated","generation_before":3,"generation":4}],
//	 "status":200,"duration_ms":4.2}
//
//	event             write, denied, power, input, master, or lost
//	request_id        also in the answer and in the log
//	token, token_name who: the id and the name of a token, "master", or
//	                  "master" and "master (former)"
//	certificate       the name in the client certificate
//	uid, pid          the process at the other end of a unix socket
//	remote            the address, as trusted_proxies allow; "unix"
//	method, route     as in "lightd docs scopes"; WEBSOCKET for a message
//	action            the power action of a WebSocket's client; "reset" or
//	                  "end" of a master token
//	container         the id in the path, or of what is created
//	changes           each container that was changed, or would be
//	volume, port      the id; the first port, and "ports", how many
//	op, path, to      what was done to a file of a volume, and where
//	                  it went; paths, how many of several
//	link              it came by a link that the token has made
//	made_token        the token that was made, or is revoked
//	webhook           the name of the one that is tried again
//	dry_run           nothing was written
//	status, code      the answer, and the code of its error
//	duration_ms       until the answer began
//	bytes, text       of console input; text with console_input only
//	count, since      how many requests the line is for, from when on;
//	                  how many tokens ended with a master token
//
// The token of a 401 is one that has ended, while the daemon has its record: until the end of its life, or
// until it is revoked. Of a line with a count, token and route are those of the last request.
//
// A "denied" line is a request without a valid token (401), with too many failures before (429), for
// another host (421), or a read without the scope (403). One address that goes on takes a line after 1 s, then 2 s,
// up to one a minute, each with the count since the one before; beyond 64 addresses at once, the others share
// a line without an address. Console input of a connection takes a line a second, with the sum of its
// bytes, and so do the commands of a token to a container. With console_input each has a line of its own.
//
// "master" records that the file of the master token has changed ("reset"), and that the one before has ended
// ("end", at once or when the time of --keep-old is over), with the count of the tokens that it had made and
// that ended with it. They name nobody: a reset is done in the file, which does not say who wrote it.
// Both come within 1 s; not for what happened while the daemon was stopped. Ids that can be
// none are left out, as they may be anything.
//
// # What can be lost
//
// Each line is one write to the file, before the answer. It is not synced to the disk: after a power loss the
// last seconds may be missing; after a kill of the daemon only counts that were not written yet, and a write
// that has been made while its client still waits for ?wait= (the log has "write accepted").
//
// Where the file cannot be written, as on a full disk, writes go on: a stop or a deletion must stay possible.
// Blocks for about 1 MiB of lines are allocated ahead, so that those have room on a full disk. Lines that are
// lost are counted: the log has an ERROR for the first, readyz a warning "audit" as long as it lasts, and
// the first line that can be written again is a "lost" with their count.
package audit

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: the audit.
//
//go:embed doc.go
var Doc string
