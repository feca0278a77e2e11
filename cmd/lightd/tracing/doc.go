// Package tracing sends traces of requests, of reconciles with their steps, and of the calls of the engine, to a
// receiver of OpenTelemetry. It alone knows the tracing library: the packages below have a hook for what begins,
// which is not called while tracing is off.
//
// # Tracing
//
// Tracing is off until the configuration names a receiver of OTLP over HTTP, as the OpenTelemetry Collector,
// Jaeger and Tempo are one at port 4318:
//
//	tracing: {endpoint: "http://127.0.0.1:4318", sample: 0.1}
//
// Spans go to /v1/traces below the endpoint, as protobuf. Sample is the share of traces that is recorded,
// from 0 to 1 (the default, 1, is all). A request with the header traceparent (W3C Trace Context) belongs to the
// trace of its client, and is recorded if the client's span is. Both settings need a restart.
//
// The environment of the daemon has the rest, in the variables of OpenTelemetry: OTEL_EXPORTER_OTLP_HEADERS has
// headers with the credentials that a receiver asks for ("authorization=Bearer%20SECRET"), which a file of
// settings should not have. OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME name the node, OTEL_BSP_* bound the
// buffer. OTEL_EXPORTER_OTLP_ENDPOINT does not count: the file alone says whether, and to whom, a daemon
// reports.
//
// # Spans
//
// The names and attributes are those of OpenTelemetry's semantic conventions, and ours begin with "lightd.":
//
//	POST /containers     a request, by its method and route: its status,
//	                     lightd.request_id as in the log, lightd.token.id
//	                     and lightd.token.name, never the token itself; that
//	                     of a stream ends when its answer begins
//	reconcile            lightd.container, lightd.reconcile_id as in the log,
//	                     the generation that it read and the one that is
//	                     observed, the reason of the condition Synced, and
//	                     the step that it starts
//	step StartContainer  below the reconcile that started it, which may end
//	                     before: the reason, the container, the image
//	start container      a call of the engine, below its step: the target,
//	                     and in error.type the class of an error
//
// A write and the reconciles that it causes are traces of their own, as a reconcile serves whatever was written
// until then, and is repeated until the container is as specified. Each of those reconciles has a link to the
// request of the newest write, until its generation is observed. The link is kept in memory: a daemon that is
// restarted meanwhile goes on without. Both sides have lightd.container and lightd.generation too.
//
// A call of the engine that belongs to no request and no step, as an inspect after an event, has no span;
// a pull is a trace of its own. Docker gets the header traceparent with the calls that have one: an engine with
// tracing of its own continues the trace.
//
// # Failures
//
// Spans wait in a bounded buffer, of 2,048; what finds it full is dropped, and nothing waits for the
// receiver. An export that fails is not repeated: its spans are lost. The log has one line when exports
// begin to fail, or fail otherwise, and one when they succeed again, with how many spans were lost. A daemon
// that stops sends what it has, for 3 s at most.
package tracing

import _ "embed"

// Doc is this file: the package comment is the reference of tracing.
//
//go:embed doc.go
var Doc string
