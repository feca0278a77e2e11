// Package socket serves the WebSockets: the live events and output of one container,
// the events of all, and the input of clients. It serves the output of a container as plain
// text too.
//
// What it guarantees:
//
//   - A client gets the present event first, then the lifecycle events that it missed,
//     then the live ones, in the order of their numbers, each exactly once: they are read from
//     the journal, and a notification only says that there are new ones.
//   - A client that reads slowly slows nobody else. It loses console text and
//     gets a notice of how much; lifecycle events wait for it in the journal; one that takes nothing for
//     a minute is dropped.
//   - What a client sends is handled in its order and answered. While it does not read
//     the answers, its next messages are not read either.
//   - A connection ends with the token that opened it, with the container that it
//     follows, and with the Hub. After Close no goroutine or connection is left.
//
// # WebSocket
//
// GET /ws/:id is the live console of a container. GET /ws has the event and lifecycle messages of all
// containers. Each text message is one JSON object, in both directions. The token comes in the header
// Authorization, as the subprotocol bearer.<token> (browsers can send no header) or as ?token=. A
// page from another origin than the daemon's must be listed in origins of the configuration.
//
//   - ?after=SEQ: first the lifecycle events after that number.
//   - ?since=POSITION: console text after the position of a message, or after a time (RFC 3339, or
//     seconds since 1970; 0 is all that is kept).
//   - ?tail=200: the last lines of console text, at most 5,000; not together with since.
//   - ?compress=true: messages may be compressed (permessage-deflate) if the client offers it.
//     Console text becomes about five times smaller, for about four times the CPU.
//
// # Messages of the server
//
//	{"event":"event","data":"running"}
//
// The present state in one word, first and at every change: installing, installed, failed, starting,
// running, stopping or exit. While there is no process it follows install_state, and is exit once a
// process of this installation has ended. On GET /ws it has an internal_id.
//
//	{"event":"lifecycle","seq":42,"time":"...","internal_id":"...",
//	 "type":"Running","generation":2,"message":"..."}
//
// An event of the journal; see "lightd docs states".
//
//	{"event":"console","data":"Hello\r\n","position":"Aqs..."}
//
// Output, also of an installation, unchanged except for invalid UTF-8. Complete lines, many in one
// message under load.
//
//	{"event":"logs","data":"..."}
//
// The answer to request_logs.
//
//	{"event":"stats","cpu_usage":25.5,"memory_usage":888832,...}
//
// What "docker stats" shows, at most once a second and only when it changed; the last known comes at
// once. cpu_usage is in percent of a core; memory_usage (without page cache), memory_limit,
// network_rx, network_tx, block_read and block_write are in bytes.
//
//	{"event":"daemon_message","data":"Server started"}
//
// Text for people. "Error: " begins the answer to a message that could not be carried out.
//
// # Messages of the client
//
//	{"event":"send_command","command":"say hi\n"}
//
// Written to the standard input as it is. CRLF is one line end; a line for a terminal has at most
// 4,095 bytes. Each connection has a line of its own, and so has stop.command: a line that another
// one left open is erased first (^U) with a terminal, and ended without one.
//
//	{"event":"resize","cols":120,"rows":40}
//
// The size of the terminal, 1 to 1,000 each. It is set again after a restart while this connection is
// open. Until then it is 80 by 24; with Docker 20.10 from 1 s after the start on.
//
//	{"event":"power","action":"stop"}
//
// start, stop, kill or restart, as the routes.
//
//	{"event":"request_logs","lines":200}
//
// Answered with the last lines, 1 to 5,000.
//
//	{"event":"auth","token":"lightd_..."}
//
// The connection now lasts as long as this token instead of the one that opened it, and may do what this
// one may. Answered with "Token accepted". It must be one that could have opened the connection.
//
// GET /ws/:id needs the scope console, and GET /ws read. The message power needs the scope power.
//
// # Ends and limits
//
//	1000  container deleted
//	1001  daemon is stopping        connect again, with after and since
//	1008  token is no longer valid  within 5 s
//	1009  a message was above 64 KiB
//
// A connection ends without a close message when the network breaks, and when a client gives no sign
// of life (a ping comes every 30 s) or takes nothing for 60 s. Before the upgrade the answers are
// 400, 401, 403 (origin), 404, 426, 429 (more than 64 for a container or 4,096 in all; see consoles
// in the configuration) and 503 (stopping).
//
// With since or tail nothing is missing or repeated between earlier and live output, across restarts
// of container and daemon too. A gap is reported by a daemon_message: what log rotation removed, what
// nobody kept, and where a power cut damaged the log. Behind such damage, what Docker can still read
// is shown, and a start pattern is found.
//
// A client that reads too slowly loses console text, is told how much, and slows nobody else; events
// wait for it. Above 20 messages a second (120 at once) the daemon ignores what a client sends, and
// says so.
//
// # In a browser or Node.js 22
//
//	let query = "tail=50", refused = 0
//	function connect() {
//	  const url = `ws://127.0.0.1:8070/ws/my-server-001?${query}`
//	  const ws = new WebSocket(url, ["bearer." + token])
//	  ws.onopen = () => {
//	    refused = 0
//	    ws.send(JSON.stringify(
//	      { event: "send_command", command: "say hi\n" }))
//	  }
//	  ws.onmessage = e => {
//	    const m = JSON.parse(e.data)
//	    if (m.position) query = "since=" + m.position
//	    console.log(m.event, m.data ?? m)
//	  }
//	  ws.onclose = e => {
//	    if ([1000, 1008].includes(e.code)) console.log(e.reason)
//	    else if (++refused > 5) console.log("gone: get a new token")
//	    else setTimeout(connect, 1000 * refused)
//	  }
//	}
//	connect()
//
// A browser shows no status of a connection that is refused: a token that has expired looks like a daemon
// that is away. So ask the panel for a new token after some attempts, rather than try for ever.
//
// hack/console.html in the source is such a console as one page without a build step: list its origin
// ("http://127.0.0.1:8000") in origins, and serve the folder with
// "python3 -m http.server 8000 --bind 127.0.0.1". In Go, use "lightd docs client".
//
// # Output without a WebSocket
//
// GET /containers/:id/logs gives the same output as text: the last ?tail= lines (200; 0 is none of
// before) or all ?since=, and with ?follow=true for as long as a WebSocket would last; without that,
// ?timestamps=true has each line begin with its time in Docker's log. A gap is a line of its own,
// "[lightd: ...]". The trailer Lightd-Position is where the next since goes on.
package socket

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: the WebSocket.
//
//go:embed doc.go
var Doc string
