// Package client talks to a daemon over its HTTP interface.
//
// What it guarantees:
//
//   - Every call ends with its context. Every error says what was asked; a refusal is an
//     *Error with the daemon's own words, a call without an answer a *TransportError, and
//     errors.Is distinguishes them by the sentinels of this package. No error, address or
//     printed value holds the token, and no redirect takes it elsewhere.
//   - A call is repeated, with growing and jittered pauses, for as long as Config.Patience
//     and the context allow, and only where that is safe: a read, a dry run, and a write
//     that says what should be (PUT, PATCH, DELETE, an apply) without a precondition; any
//     other write only when nothing of it was accepted, because no connection came about
//     or the daemon turned it away and said when to come back (429). After a 503, which may
//     come from a database that did not answer in time, a 502 or 504 of a proxy, or a
//     connection that broke, the outcome of a write is unknown: no restart is
//     requested twice. The error is ErrUnknownOutcome then: read, then decide.
//   - A stream is an iterator. It survives broken connections without a gap or a
//     repetition, for as long as Config.Patience allows without a sign of life. Leaving the
//     loop closes its connection; nothing outlives it.
//   - Members of an answer that this version does not know are ignored.
//
// A desired.Spec says everything: begin with desired.DefaultSpec. A document, JSON as a
// person wrote it, leaves to the daemon what it leaves out. Whoever reads a container,
// changes and writes it back should use Patch, which keeps what a newer daemon added.
//
// It imports neither a router nor a database nor Docker.
//
// # Go client
//
// The package lightd/httpapi/client covers the whole interface, typed. It imports neither a router
// nor a database nor Docker.
//
//	c, err := client.New(client.Config{URL: url, Token: token})
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer c.Close()
//	spec := desired.DefaultSpec()
//	spec.InternalID, spec.Image = "quake-1", "alpine:3"
//	spec.VolumeID, spec.StartupCommand = volume.VolumeID, "./server"
//	spec.Power = desired.PowerRunning
//	receipt, err := c.Put(ctx, spec, client.Write{
//		Wait: api.UntilRunning, Timeout: 30 * time.Second,
//	})
//
// A URL may be that of a unix socket, "unix:///run/lightd.sock". Config.Pin is the fingerprint of the one
// certificate to accept, Config.Certificate what a daemon with tls.client_ca asks for.
//
// receipt.Unmet() is a *client.WaitError where the container does not run, and says why. A refusal is
// a *client.Error with status, code and fields; errors.Is compares it with ErrConflict, ErrNotFound
// and others.
//
//	watch := client.Watch{Selector: "name=quake-3"}
//	for e, err := range c.Watch(ctx, watch) {
//		...
//	}
//
// Watch, Events, FollowEvents and Console are iterators: leaving the loop closes the connection. They
// survive broken connections and restarts of the daemon without a gap or a repetition. A watch whose
// history is gone lists again and reports the difference, what vanished included.
//
// Files of a volume are streams: ReadFile returns an io.ReadCloser, WriteFile takes an io.Reader and is never
// repeated. StartFileJob and WaitFileJob copy, pack and unpack.
//
// Reads, dry runs, Put, Patch, Delete and Apply are repeated for Config.Patience (15 s), the last four
// only without a precondition. Any other write is repeated only if nothing of it was accepted: there
// was no connection, or a 429 that says when to come back. A write whose outcome is unknown (a broken
// connection, or a 502, 503 or 504) is ErrUnknownOutcome.
package client

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: the Go client.
//
//go:embed doc.go
var Doc string
