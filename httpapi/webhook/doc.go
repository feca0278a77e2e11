// Package webhook delivers the events of the journal to the HTTP servers of panels.
//
// It guarantees that every event that a webhook selects is delivered at least once and in the order of the
// journal, or is counted as missed when the journal has dropped it by then; that a webhook delays no other
// one and no container; and that neither a secret nor anything that a receiver answers is in a log or an
// answer.
//
// # Webhooks
//
// A webhook has the daemon send events to a panel, so that the panel keeps no connection and polls nothing.
// A panel that was away for a day gets what happened meanwhile, in order.
//
//	webhooks:
//	  - name: panel
//	    url: https://panel.example.com/lightd
//	    secret_file: /etc/lightd/panel.secret
//	    events: [Running, Exited, Error]
//	    selector: tenant=acme
//
// A name is unique; a new one begins with what happens from then on. The URL has no user name, and is http://
// only to loopback. The secret has 16 characters at least, and may stand in the file itself, as secret. Without
// events all types are sent, and without a selector the events of all containers.
//
// insecure_plain_http: true allows http:// to other hosts too: whoever is on the way can read the events then.
// Changes of webhooks need a restart. "lightd webhooks" and GET /webhooks show how far each one is, and its
// last error with its time; of its url the scheme and the host alone, as the others may be secret.
//
// # A delivery
//
// A delivery is a POST with a JSON body of at most 512 KiB:
//
//	{"delivery":"5f3c9b1e-...","webhook":"panel","node":"d6764075-...",
//	 "events":[{"seq":42,"time":"2026-01-02T03:04:05Z","internal_id":"web",
//	            "type":"Running","generation":1,"message":""}],
//	 "missed":null}
//
// events has at most 100 events, as GET /events shows them, in the order of seq. node is the id of the data
// directory. The event Deleted has the labels that the container had. An event of the node itself has no
// internal_id, and is sent only where there is no selector.
//
// X-Lightd-Signature is "sha256=" and the HMAC-SHA256 of the body with the secret, in hexadecimal digits.
// Compute it over the bytes as they came, and compare it in constant time, before you read anything of the body:
//
//	$mac = 'sha256=' . hash_hmac('sha256', $request->getContent(), $secret);
//	if (!hash_equals($mac, $request->header('X-Lightd-Signature', ''))) {
//	    abort(401);
//	}
//
// X-Lightd-Delivery is the id of the delivery. A delivery that is repeated has the same id and body. After a
// restart of the daemon events may come once more in another delivery: remember the last seq that you have
// processed for each node, and pass over what is not greater.
//
// Answer with any status from 200 to 299 within 10 seconds; the body is ignored. Everything else is a failure,
// redirects too: the delivery is repeated, after 1 second at first and after at most 5 minutes, until it
// succeeds. A Retry-After of at most an hour, with status 429 or 503, makes the pause longer. What comes
// later waits behind it, so that order is kept. Each webhook waits for its own receiver alone.
// "lightd webhooks retry NAME", or POST /webhooks/:name/retry with the scope admin, tries at once, as after a
// repair; the pauses begin at 1 second again.
//
// # What is missed
//
// The journal keeps events for seven days, the newest 1,000 of each container, and the newest 20,000 of all
// those that are deleted. What it dropped before it was delivered is counted: missed is {"count": 96, "first": 5, "last": 130}, the number of dropped events and
// the range of their seq. They may have been of any container and type. Read GET /containers then, for what is
// there now.
//
// # What a receiver cannot do
//
// TLS certificates are verified; SSL_CERT_FILE in the daemon's environment names another file of authorities.
// Link-local addresses, which have the metadata services of clouds, are refused whatever a name resolves to.
// Proxies of the environment are not used. No redirect is followed.
package webhook

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: webhooks.
//
//go:embed doc.go
var Doc string
