package tracing

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/httpapi/auth"
	"lightd/observed/engine"
	"lightd/observed/status"
)

// The attributes of our own.
const (
	keyContainer   = "lightd.container"
	keyGeneration  = "lightd.generation"
	keyObserved    = "lightd.observed_generation"
	keyReconcileID = "lightd.reconcile_id"
	keyRequestID   = "lightd.request_id"
	keySynced      = "lightd.synced.reason"
	keyStep        = "lightd.step"
	keyStepReason  = "lightd.step.reason"
	keyTarget      = "lightd.engine.target"
	keyTokenID     = "lightd.token.id"
	keyTokenName   = "lightd.token.name"
)

// text is an attribute whose value comes from elsewhere: a batch with one that is not UTF-8 could not be sent.
func text(key, value string) attribute.KeyValue {
	return attribute.String(key, strings.ToValidUTF8(value, "\uFFFD"))
}

// nothing ends a span that there is not.
func nothing(error) {}

// StartRequest starts the span of a request, in the trace of its client if it has one. The function that is
// returned ends it; a status of 0 is an answer that was cut short.
func (t *Tracer) StartRequest(r *http.Request) (context.Context, func(status int)) {
	ctx, span := t.tracer.Start(
		t.propagation.Extract(r.Context(), propagation.HeaderCarrier(r.Header)), method(r),
		trace.WithSpanKind(trace.SpanKindServer),
	)
	if !span.IsRecording() {
		return ctx, func(int) {}
	}
	request := auth.RequestOf(ctx)
	span.SetAttributes(
		semconv.HTTPRequestMethodKey.String(method(r)), text(string(semconv.URLPathKey), auth.LoggedPath(r)),
		text(string(semconv.UserAgentOriginalKey), r.UserAgent()), text(string(semconv.ClientAddressKey), request.Remote()),
		text(keyRequestID, request.ID()),
	)
	return ctx, func(status int) {
		if route := request.Audit.Route; route != "" {
			span.SetName(method(r) + " " + route)
			span.SetAttributes(semconv.HTTPRoute(route))
		}
		if by := request.Identity(); by.ID != "" {
			span.SetAttributes(text(keyTokenID, by.ID), text(keyTokenName, by.Name))
		}
		if request.Audit.Container != "" {
			span.SetAttributes(text(keyContainer, request.Audit.Container))
		}
		for _, change := range request.Audit.Changes {
			span.SetAttributes(text(keyContainer, change.Container), attribute.Int64(keyGeneration, change.Generation))
		}
		if status > 0 {
			span.SetAttributes(semconv.HTTPResponseStatusCode(status))
		}
		if status == 0 || status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
			span.SetAttributes(semconv.ErrorTypeKey.String(errorType(request.Audit.Code, status)))
		}
		span.End()
	}
}

// errorType is the code of an answer that is an error, or what there is of one.
func errorType(code string, status int) string {
	switch {
	case code != "":
		return code
	case status == 0:
		return "cut_off"
	}
	return fmt.Sprint(status)
}

// method is that of a request, by the semantic conventions: another one may be anything.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "HTTP"
}

// Wrote links the reconciles of a container, until they have observed a generation, to the request of ctx.
func (t *Tracer) Wrote(ctx context.Context, id string, generation int64) {
	if by := trace.SpanContextFromContext(ctx); by.IsSampled() {
		t.writes.add(id, write{by, generation})
	}
}

// StartReconcile starts the span of a reconcile, which is a trace of its own. The number is that of the log.
func (t *Tracer) StartReconcile(ctx context.Context, id string, number uint64) (context.Context, func(error)) {
	ctx, span := t.tracer.Start(ctx, "reconcile", trace.WithNewRoot())
	if !span.IsRecording() {
		return ctx, nothing
	}
	span.SetAttributes(text(keyContainer, id), attribute.Int64(keyReconcileID, int64(number)))
	return ctx, func(err error) { end(span, err) }
}

// Decided adds to the span of a reconcile what it has decided, and the link to the write that it serves.
func (t *Tracer) Decided(ctx context.Context, spec desired.Container, d plan.Decision) {
	by, known := t.writes.of(spec, d.Status.ObservedGeneration)
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	if known {
		span.AddLink(trace.Link{SpanContext: by})
	}
	span.SetAttributes(
		attribute.Int64(keyGeneration, spec.Generation), attribute.Int64(keyObserved, d.Status.ObservedGeneration),
		attribute.String(keySynced, string(d.Status.Get(status.Synced).Reason)),
	)
	if d.Step != nil {
		span.SetAttributes(attribute.String(keyStep, string(d.Step.Kind)))
	}
}

// StartStep starts the span of a step below the reconcile of ctx, which may have ended.
func (t *Tracer) StartStep(ctx context.Context, spec desired.Container, s plan.Step) (context.Context, func(error)) {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ctx, nothing
	}
	ctx, span := t.tracer.Start(ctx, "step "+string(s.Kind))
	span.SetAttributes(
		text(keyContainer, spec.InternalID), attribute.Int64(keyGeneration, spec.Generation),
		attribute.String(keyStep, string(s.Kind)), text(keyStepReason, s.Reason),
	)
	if s.Target != "" {
		span.SetAttributes(text(string(semconv.ContainerIDKey), s.Target))
	}
	if s.Image != "" {
		span.SetAttributes(text(string(semconv.ContainerImageNameKey), s.Image))
	}
	return ctx, func(err error) { end(span, err) }
}

// StartCall starts the span of a call of the engine below that of ctx, where it has one; a pull, which several
// containers may wait for, is a trace of its own.
func (t *Tracer) StartCall(ctx context.Context, call, target string) (context.Context, func(error)) {
	if call != engine.CallPull && !trace.SpanContextFromContext(ctx).IsSampled() {
		return ctx, nothing
	}
	ctx, span := t.tracer.Start(ctx, call, trace.WithSpanKind(trace.SpanKindClient))
	span.SetAttributes(text(keyTarget, target))
	// Docker's client makes a span of each request below a span that records. This one passes the trace on, and
	// has none below it.
	return trace.ContextWithSpanContext(ctx, span.SpanContext()), func(err error) { end(span, err) }
}

// end ends a span. The type of an error is its class.
func end(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, strings.ToValidUTF8(err.Error(), "\uFFFD"))
		span.SetAttributes(semconv.ErrorTypeKey.String(engine.Classify(err).String()))
	}
	span.End()
}
