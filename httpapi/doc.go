// Package httpapi is the daemon's HTTP interface: the table of all routes, and the groups of handlers
// that answer them.
//
// The groups are packages below, each with the few dependencies that it needs: containers, node,
// files, streams, auth and health. Below them are view, which makes what a client is shown of a container,
// selector, and rest, which every route has in common. New wires them.
//
// What it guarantees:
//
//   - Nothing but the public routes is answered without a valid token, not even
//     the news that a route does not exist.
//   - It writes desired state only, but for console input, each request in one transaction. A request that
//     fails changes nothing; one that was answered with success is on disk.
//   - Reads come from memory and from the database, never from the engine: with the
//     engine down every route answers as usual, and says unknown where it cannot see.
//   - Every error is the same JSON object, whoever found it. Bad input is never
//     answered with a 500, and no answer holds more of an unforeseen error than that
//     it happened.
//   - No token is ever logged.
//   - Which scope a route needs is in the table of routes alone: the check, the OpenAPI document and the
//     reference are made from it. What a token is not for is answered as what does not exist.
//
// # HTTP API
//
// Bodies are JSON: at most 1 MiB, 16 MiB for POST /apply. Unknown fields, and unknown or repeated
// parameters, are refused by name. An empty list where an object is meant, as PHP writes it ("env": [],
// or [] as the whole body), is the empty object; in a merge patch both change nothing. Every request carries "Authorization: Bearer TOKEN", except
// GET /healthz, /readyz, /openapi.json and /api/v1/public/ping, and links to files; see "lightd docs tokens". Which scope
// of a token a route needs is in "lightd docs scopes".
//
// GET /openapi.json (or "lightd openapi") is the complete OpenAPI 3.1 document, with every field,
// error and example. Generators such as openapi-typescript and oapi-codegen make clients from it.
//
//	POST   /containers                      creates, then installs
//	GET    /containers                      lists: ?selector=, ?view=full
//	GET    /containers?watch=true           changes: lightd docs watch
//	GET    /containers/:id                  spec and status, with an ETag
//	PUT    /containers/:id                  creates or replaces
//	PATCH  /containers/:id                  JSON merge patch (RFC 7396)
//	DELETE /containers/:id                  deletes; the volume stays
//	POST   /containers/:id/start            also /stop, /restart, /kill
//	POST   /containers/:id/command          {"command": "say hi"}: input
//	POST   /containers/:id/reinstall        image, install_script optional
//	POST   /containers/:id/rebind-network   other ports, image optional
//	GET    /containers/:id/wait             ?wait=GOAL&timeout=60s, as a read
//	GET    /containers/:id/plan             the next steps, and why
//	GET    /containers/:id/history          specs before: ?generation=N
//	GET    /containers/:id/drift            lightd docs drift
//	GET    /containers/:id/events           ?after=SEQ&limit=N
//	GET    /containers/:id/stats            what its process uses
//	GET    /containers/:id/logs             output: lightd docs websocket
//	GET    /containers/:id/install-log      output of the install script
//	POST   /apply                           up to 2,000 specs, all or none
//	GET    /drift                           all containers out of sync
//	GET    /events                          the journal of all
//	GET    /webhooks                        lightd docs webhooks
//	POST   /webhooks/:name/retry            tries what failed, at once
//	GET    /stats                           what each container uses
//	GET    /node                            the machine, and what is promised
//	PUT    /node/cordon                     lightd docs node; DELETE ends it
//	POST   /backup                          lightd docs backup
//	GET    /metrics                         lightd docs metrics
//	GET    /debug/pprof/:profile            profiles of the daemon
//	GET    /ws, /ws/:id                     lightd docs websocket
//	POST   /network/ports                   adds a port, or a range
//	GET    /network/ports                   the pool; also /random
//	GET    /network/ports/:ip/:port         one port; also DELETE
//	PUT    /network/ports/:ip/:port/use     {"in_use": true} reserves it
//	POST   /network/ports/bulk-delete       removes many
//	POST   /volumes                         creates; also GET
//	PUT    /volumes/:id                     creates or keeps, sets its quota;
//	                                        also GET, DELETE
//	GET    /volumes/:id/files               lightd docs files; also PUT
//	POST   /volumes/:id/files               mkdir and others; also DELETE
//	POST   /volumes/:id/uploads             a link to upload a file
//	POST   /volumes/:id/downloads           a link to download one
//	PUT    /uploads/:token                  by a link, without a token
//	GET    /downloads/:token                by a link, without a token
//	GET    /volumes/:id/jobs                copies and archives under way
//	GET    /volumes/:id/jobs/:job           one of them; also DELETE
//	POST   /auth/tokens                     makes a token; also GET
//	GET    /auth/tokens/:id                 one token; also DELETE
//	GET    /healthz                         the process answers
//	GET    /readyz                          database, engine and disk
//
// A command is a line for the standard input of the process, of at most 64 KiB (4,095 bytes
// where it has a terminal); a newline is added where none ends it. Where no process runs the answer is 409, with the "state" of the container. What the
// program prints is in its logs.
//
// stop is graceful, for as long as the spec says or, this once, ?grace=30s; kill is SIGKILL; start ends a
// backoff too. A port is removed only while nothing uses it, a volume only while no container names it.
// HEAD is answered as GET is, without the body, unless the answer would be a stream.
//
// The pages of a web origin that the configuration lists in "origins" may call every route from a browser
// (CORS): preflights are answered without a token, and every answer, a refusal too, can be read, with
// ETag, Location, Retry-After and X-Request-Id. The page sends the token itself; cookies have no meaning.
//
// With curl:
//
//	api() {
//	  curl -sS -H "Authorization: Bearer $(lightd token show)" \
//	    -H 'Content-Type: application/json' \
//	    "http://127.0.0.1:8070$1" "${@:2}"
//	}
//	api /containers/my-server-001/start -X POST
//	{"message":"Container start initiated","internal_id":"my-server-001",
//	 "generation":2}
//
// # Generations and preconditions
//
// Every write of a container answers with its generation. The change is complete when
// observed_generation reaches it. Writes need no engine: while Docker is down they are accepted, and
// carried out later. A PUT keeps a power and host ports that its spec leaves out; writing the same
// spec again changes nothing.
//
// Writes of a container take If-Match and If-None-Match: *. A stale precondition is answered with
// 412, whatever else is wrong. An ETag has the generation of the spec, a dot, and a hash of the
// answer. Writes compare the generation alone; a read whose If-None-Match has the whole is answered
// with 304. The ETag of a list covers the specs that its selector chooses, and an apply with the same
// selector takes it as If-Match; If-None-Match: * of an apply demands that none of its containers is there.
// An apply with prune deletes what its selector chooses and its list lacks; with If-Match every container
// of the list must match the selector.
//
// An apply may bring what its containers need: "volumes": [{"volume_id": UUID, "quota_bytes": N}] and "ports":
// [{"ip": "0.0.0.0", "ports": "25565-25570"}] are made where they are missing, in the same transaction,
// and stay as they are where they are there, but for a quota that is named. No apply deletes a volume or takes a port out of the pool.
//
// The last ten specs of a container are kept, the present one included, until it is gone. Its history has for each
// the generation with which it began, when that was, and which fields it changed; ?generation=N has
// the spec of that generation with it. A token by labels sees those since it is for the container. Power and suspended alone make no version. To go back, put that
// spec with If-Match, and the present power.
//
// # Lists and selectors
//
// Lists of containers, drift, ports and volumes are sorted. ?limit=N (1 to 1,000) asks for pages;
// ?continue= takes the "continue" of the page before, which is absent on the last one. What exists
// throughout is in exactly one page; a watch from the revision of the first page shows what changed
// meanwhile. Answers above 1 KiB are compressed for clients that accept gzip.
//
// A selector is key, !key, key=value, key!=value, key in (a,b) or key notin (a,b), joined by commas, all
// of which must hold. key!=value and key notin (a,b) choose what has no such label too. Inside a label a
// backslash escapes a comma, blank, =, !, (, ), <, > or backslash.
//
// # Dry runs
//
// ?dry_run=true on a write validates it as the write itself would, changes nothing, and answers with
// what would follow. This asks for another port:
//
//	{
//	  "action": "updated",
//	  "plan": [
//	    {"step": "CheckHost", "reason": "ports changed"},
//	    {"step": "StopContainer", "reason": "ports changed"},
//	    {"step": "RemoveContainer", "reason": "ports changed"},
//	    {"step": "CreateContainer",
//	     "reason": "the container does not exist"},
//	    {"step": "ReleasePorts",
//	     "reason": "no container binds them any more"},
//	    {"step": "StartContainer", "reason": "power is running"}
//	  ],
//	  "restarts": true,
//	  "recreates": true,
//	  "keeps": ["volume 61c98fc8-0dcd-4226-b14e-29122f3e1626",
//	    "what the install script changed outside the volume"],
//	  "loses": ["what the process wrote outside its volume and mounts"]
//	}
//
// # Waiting
//
// ?wait=installed|running|stopped|synced on a write of a container, or on an apply, answers when that
// holds for the generation of this write. Without a start_pattern, "running" means one second of
// uptime; a process that ends sooner ends the wait.
//
// After ?timeout=60s (at most 10m) the answer is 202 with the conditions so far. What only another
// write or somebody's hand can put right answers 202 sooner, with the reason of its condition:
//
//   - at once: a failed installation, InstallationLost, RefusedByEngine, ImageUnsuitable,
//     ImageUnavailable where the registry has no such image, denies it or is not trusted, Paused,
//     NodeCordoned, NodeDrained, and Overtaken where a later write wants the opposite
//   - after 20 s, in which it was looked at twice: PortUnavailable, MountUnavailable, MountEscaped,
//     NetworkUnavailable, NameTaken, ImageNotAllowed, ImageNotPresent, OverQuota, and for "synced"
//     PortNotPublished and LimitNotEnforced
//
// All else is waited for: a registry, an engine or a disk that may be back, failed steps, backoffs, and a
// start pattern that may match yet. The message of a failed wait for running ends with up to
// five lines of output. The "wait" of an answer:
//
//	{"for":"installed","met":false,"reason":"InstallScriptFailed",
//	 "message":"the install script ended with exit code 3"}
//
// A DELETE waits for its end by itself: it answers when the container is gone, or with 202 after
// timeout (30s). In an apply each container has its own "wait"; one that cannot be met ends all. A
// daemon that stops while a request waits answers 503: the write is accepted all the same. At most
// 1,000 requests wait at once; one more is answered with 429, and writes nothing.
//
// # Errors
//
//	{"error": "<sentence>", "code": "<word>",
//	 "details": [{"field": "...", "message": "..."}]}
//
// "details" is there where a field is to blame, "state" where the state of a container is. The status codes:
//
//	400  invalid                       412  stale precondition
//	401  no valid token                413  body too large
//	403  the token may not do this     415  not JSON
//	404  not found                     421  host is not configured
//	405  method not allowed            429  too many at once
//	406  cannot give that type         503  no answer now: database, limits
//	409  conflict with the present     507  disk full
//	     state
//
// A 401 has WWW-Authenticate as in RFC 6750: error="invalid_token" where the token is unknown or has ended, in
// one word, "invalid_request" where there are two or it is in the wrong place, and none where there is no token.
// That of a preflight names the setting: its origin is not in "origins".
//
// After a 503 of a write the outcome is unknown: read, then decide. Every answer has an
// X-Request-Id, the client's own where it sent one; the daemon's log has it too.
package httpapi

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: the HTTP API.
//
//go:embed doc.go
var Doc string
