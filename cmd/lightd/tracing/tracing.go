package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Config is what a Tracer works with. Everything is required but Getenv, for which nil is an empty environment.
type Config struct {
	// Endpoint is the URL of the receiver, without /v1/traces; see CheckEndpoint.
	Endpoint string
	// Sample is the share of traces that is recorded, from 0 to 1.
	Sample float64
	// Version is that of the daemon, Instance the id of its data directory.
	Version, Instance string
	Getenv            func(string) string
	Log               *slog.Logger
}

// Tracer makes the spans of a daemon. Its methods never block, and may be used by any number of goroutines.
type Tracer struct {
	provider    *sdktrace.TracerProvider
	tracer      trace.Tracer
	propagation propagation.TraceContext
	writes      writes
}

// attributeLimit bounds the text of an attribute, in bytes: paths and messages of errors may be long.
const attributeLimit = 1024

// Open returns a Tracer that sends what is recorded until it is closed. It does not contact the receiver yet.
func Open(ctx context.Context, c Config) (*Tracer, error) {
	client, err := newClient(c)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptrace.New(ctx, client)
	if err != nil {
		return nil, err
	}
	limits := sdktrace.NewSpanLimits()
	limits.AttributeValueLengthLimit = attributeLimit
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(&reporter{SpanExporter: exporter, log: c.Log}),
		sdktrace.WithResource(describe(ctx, c)),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(c.Sample))),
		sdktrace.WithRawSpanLimits(limits),
	)
	// Docker's client passes the trace on by what is set here, and by nothing else.
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return &Tracer{provider: provider, tracer: provider.Tracer("lightd", trace.WithInstrumentationVersion(c.Version))}, nil
}

// describe returns what all spans of this daemon have in common; the environment may say otherwise.
func describe(ctx context.Context, c Config) *resource.Resource {
	r, err := resource.New(ctx,
		resource.WithHost(), resource.WithTelemetrySDK(),
		resource.WithAttributes(semconv.ServiceName("lightd"), semconv.ServiceVersion(c.Version), semconv.ServiceInstanceID(c.Instance)),
		resource.WithFromEnv(),
	)
	if err != nil {
		c.Log.Warn("traces describe this daemon in part", "error", err)
	}
	return r
}

// flushWithin bounds what Close waits for the receiver.
const flushWithin = 3 * time.Second

// Close sends what was recorded, within a deadline. Spans that end later are dropped.
func (t *Tracer) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), flushWithin)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last traces: %w", err)
	}
	return nil
}

// CheckEndpoint returns what is wrong with the URL of a receiver.
func CheckEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return errors.New("it is not a URL")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("%q is not a URL as in http://127.0.0.1:4318", endpoint)
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return errors.New("the URL may have an address and a path alone; credentials are for OTEL_EXPORTER_OTLP_HEADERS")
	}
	return nil
}
