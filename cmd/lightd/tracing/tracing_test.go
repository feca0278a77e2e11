package tracing

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed/engine"
	"lightd/observed/status"
)

// collector takes exports, and answers each with the next of its answers, the last of them again and again.
type collector struct {
	*httptest.Server
	mu      sync.Mutex
	answers []func(http.ResponseWriter)
	headers http.Header
	spans   []*tracepb.Span
}

func newCollector(t *testing.T, answers ...func(http.ResponseWriter)) *collector {
	c := &collector{answers: answers}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.headers = r.Header
		body, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		data, _ := io.ReadAll(body)
		var export tracepb.TracesData
		if err := proto.Unmarshal(data, &export); err != nil || r.URL.Path != "/base/v1/traces" {
			t.Errorf("%s: %v", r.URL, err)
		}
		for _, resource := range export.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
		if len(c.answers) > 0 {
			c.answers[0](w)
			c.answers = c.answers[min(1, len(c.answers)-1):]
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// open returns a tracer to c, with what it logs.
func (c *collector) open(t *testing.T, sample float64) (*Tracer, *strings.Builder) {
	t.Helper()
	var log strings.Builder
	tracer, err := Open(t.Context(), Config{
		Endpoint: c.URL + "/base/", Sample: sample, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Getenv: func(name string) string {
			return map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20secret, x-tenant = a"}[name]
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return tracer, &log
}

func TestNothingOutlivesAClose(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	c := newCollector(t)
	tracer, _ := c.open(t, 1)
	_, end := tracer.StartReconcile(t.Context(), "a", 1)
	end(nil)
	if err := tracer.Close(); err != nil {
		t.Fatal(err)
	}
	if len(c.spans) != 1 || c.headers.Get("Authorization") != "Bearer secret" || c.headers.Get("X-Tenant") != "a" {
		t.Errorf("the receiver has %v with %v", c.spans, c.headers)
	}
	c.Close()
}

// TestFailuresAreLoggedOnce: of exports that fail, those that fail otherwise than the one before have a line.
func TestFailuresAreLoggedOnce(t *testing.T) {
	ok := func(http.ResponseWriter) {}
	failing := func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }
	partial := func(w http.ResponseWriter) {
		inner := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 3)
		inner = protowire.AppendString(protowire.AppendTag(inner, 2, protowire.BytesType), "too many")
		_, _ = w.Write(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), inner))
	}
	whole := func(w http.ResponseWriter) { // as the collector writes it
		_, _ = w.Write(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), nil))
	}
	moved := func(w http.ResponseWriter) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
	c := newCollector(t, ok, whole, failing, failing, partial, partial, ok, moved)
	tracer, log := c.open(t, 1)
	for range 8 {
		_, end := tracer.StartReconcile(t.Context(), "a", 1)
		end(nil)
		if err := tracer.provider.ForceFlush(t.Context()); err != nil {
			t.Error(err)
		}
	}
	_ = tracer.Close()
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	want := []string{"503 Service Unavailable", `rejects spans: \"too many\"`, "exported again\" lost_spans=4", "307 Temporary Redirect"}
	if len(lines) != len(want) {
		t.Fatalf("logged:\n%s", log)
	}
	for i, line := range lines {
		if !strings.Contains(strings.ReplaceAll(line, `\\\"`, `\"`), want[i]) {
			t.Errorf("%s: want %s", line, want[i])
		}
	}
}

func TestSampleAndParent(t *testing.T) {
	c := newCollector(t)
	tracer, _ := c.open(t, 0)
	_, end := tracer.StartReconcile(t.Context(), "a", 1)
	end(nil)
	for _, flags := range []string{"00", "01"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"+flags)
		_, end := tracer.StartRequest(r)
		end(200)
	}
	_ = tracer.Close()
	if len(c.spans) != 1 || c.spans[0].ParentSpanId[0] != 0xb7 {
		t.Errorf("of a client that records its span, and nothing else, there is %v", c.spans)
	}
}

// TestCallsBelowSteps: a call has a span where what it belongs to has one, a pull always, and Docker's client
// makes none below it.
func TestCallsBelowSteps(t *testing.T) {
	c := newCollector(t)
	tracer, _ := c.open(t, 1)
	_, end := tracer.StartCall(t.Context(), "ping", "host")
	end(nil)
	_, end = tracer.StartCall(t.Context(), engine.CallPull, "image")
	end(nil)
	ctx, endReconcile := tracer.StartReconcile(t.Context(), "a", 1)
	endReconcile(nil) // a step begins as soon as its reconcile lets it
	ctx, endStep := tracer.StartStep(ctx, desired.Container{}, plan.Step{Kind: plan.StartContainer})
	ctx, endCall := tracer.StartCall(ctx, "start container", "id")
	if s := trace.SpanFromContext(ctx); s.IsRecording() || !s.SpanContext().IsSampled() {
		t.Errorf("below a call there is %v", s)
	}
	endCall(errors.New("no UTF-8: \xff"))
	endStep(engine.ErrTimeout)
	_ = tracer.Close()
	names := make([]string, len(c.spans))
	for i, s := range c.spans {
		names[i] = s.Name + " " + s.Status.Message
	}
	if got := strings.Join(names, "; "); got != "pull image ; reconcile ; start container no UTF-8: \uFFFD; step StartContainer the engine did not answer in time" {
		t.Errorf("spans: %s", got)
	}
}

// TestWritesAreForgotten: a write is kept until a reconcile has observed its generation, and of few containers.
func TestWritesAreForgotten(t *testing.T) {
	var w writes
	by := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}})
	w.add("a", write{by, 2})
	for _, step := range []struct {
		generation, observed int64
		deleting, linked     bool
	}{
		{1, 1, false, false}, // it has read what was there before the write
		{2, 1, false, true}, {3, 1, false, true}, {3, 3, true, true}, {3, 3, false, true}, {3, 3, false, false},
	} {
		spec := desired.Container{Spec: desired.Spec{InternalID: "a"}, Generation: step.generation, Deleting: step.deleting}
		if _, linked := w.of(spec, step.observed); linked != step.linked {
			t.Errorf("%+v: linked is %v", step, linked)
		}
	}
	for i := range 2 * maxWrites {
		w.add(string(rune('a'+i)), write{by, 1})
	}
	if len(w.kept) != maxWrites {
		t.Errorf("%d are kept", len(w.kept))
	}
}

func TestSettings(t *testing.T) {
	for endpoint, want := range map[string]string{
		"http://127.0.0.1:4318": "", "https://otel.example.com/base": "", "127.0.0.1:4318": "not a URL", "localhost:4318": "is not a URL as in",
		"ftp://a": "is not a URL as in", "http://": "is not a URL as in", "http://u:p@a": "OTEL_EXPORTER_OTLP_HEADERS", "http://a?b": "address and a path alone", "http://a/\x00": "not a URL",
	} {
		if err := CheckEndpoint(endpoint); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", endpoint, err, want)
		}
	}
	for _, list := range []string{"secret", "=secret", "a=%zz", "a=b,secret"} {
		if _, err := parseHeaders(list); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", list, err)
		}
	}
}

// FuzzReadReply: whatever a receiver answers is read, or not, in what it takes.
func FuzzReadReply(f *testing.F) {
	f.Add([]byte("\x0a\x00"))
	f.Add([]byte("\x0a\x06\x08\x03\x12\x02no"))
	f.Add([]byte("\x0d\x00\x00\x00\x00\x0a\xff"))
	f.Fuzz(func(t *testing.T, reply []byte) {
		if _, why := readReply(reply); len(why) > len(reply) {
			t.Errorf("%q", why)
		}
	})
}

func TestReasonHasNoPorts(t *testing.T) {
	a := &net.OpError{Op: "read", Source: &net.TCPAddr{Port: 1}, Err: errors.New("connection reset by peer")}
	b := &net.OpError{Op: "read", Source: &net.TCPAddr{Port: 2}, Err: errors.New("connection reset by peer")}
	if reasonOf(a) != reasonOf(b) || reasonOf(a) == "" || reasonOf(nil) != "" {
		t.Errorf("%q, %q", reasonOf(a), reasonOf(b))
	}
}

// BenchmarkTrace is what the spans of a reconcile with a step and a call cost while tracing is on.
func BenchmarkTrace(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	tracer, err := Open(b.Context(), Config{Endpoint: server.URL, Sample: 1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = tracer.Close() }()
	spec, step := desired.Container{Spec: desired.Spec{InternalID: "a"}}, plan.Step{Kind: plan.StartContainer, Reason: "power is running", Target: "id"}
	decision := plan.Decision{Status: status.Status{InternalID: "a"}, Step: &step}
	b.ReportAllocs()
	for b.Loop() {
		ctx, endReconcile := tracer.StartReconcile(context.Background(), "a", 1)
		tracer.Decided(ctx, spec, decision)
		ctx, endStep := tracer.StartStep(ctx, spec, step)
		_, endCall := tracer.StartCall(ctx, "start container", "id")
		endCall(nil)
		endStep(nil)
		endReconcile(nil)
	}
}
