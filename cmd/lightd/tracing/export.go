package tracing

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// client sends spans by OTLP over HTTP. The exporter of OpenTelemetry for that would link gRPC, which is
// five times what all else of tracing takes.
type client struct {
	url     string
	headers http.Header
	http    *http.Client
}

// exportWithin bounds one export, and maxReply what is read of its answer, in bytes.
const (
	exportWithin = 10 * time.Second
	maxReply     = 4 << 10
)

func newClient(c Config) (*client, error) {
	headers := ""
	if c.Getenv != nil {
		headers = c.Getenv("OTEL_EXPORTER_OTLP_HEADERS")
	}
	parsed, err := parseHeaders(headers)
	if err != nil {
		return nil, err
	}
	return &client{
		url: strings.TrimSuffix(c.Endpoint, "/") + "/v1/traces", headers: parsed,
		http: &http.Client{
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConns: 1, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       exportWithin,
		},
	}, nil
}

var errHeaders = errors.New(`OTEL_EXPORTER_OTLP_HEADERS is no list as in "name=value,name=value", with "%20" for a space`)

// parseHeaders reads headers as OTEL_EXPORTER_OTLP_HEADERS has them. The error has no value: one may be a secret.
func parseHeaders(list string) (http.Header, error) {
	headers := http.Header{}
	for one := range strings.SplitSeq(list, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		name, value, found := strings.Cut(one, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !found || name == "" || err != nil {
			return nil, errHeaders
		}
		headers.Add(name, value)
	}
	return headers, nil
}

// Start implements otlptrace.Client.
func (c *client) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (c *client) Stop(context.Context) error {
	c.http.CloseIdleConnections()
	return nil
}

// UploadTraces implements otlptrace.Client.
func (c *client) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	// On the wire this is an ExportTraceServiceRequest, whose package would link gRPC.
	data, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return fmt.Errorf("encode spans: %w", err)
	}
	var body bytes.Buffer
	w := gzip.NewWriter(&body)
	_, _ = w.Write(data) // a buffer takes all
	_ = w.Close()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, &body)
	if err != nil {
		return err
	}
	request.Header = c.headers.Clone()
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("Content-Encoding", "gzip")
	answer, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	reply, err := io.ReadAll(io.LimitReader(answer.Body, maxReply))
	switch {
	case answer.StatusCode/100 != 2:
		return fmt.Errorf("%s answers with %s", c.url, answer.Status)
	case err != nil:
		return fmt.Errorf("read the answer of %s: %w", c.url, err)
	}
	if rejected, why := readReply(reply); rejected > 0 {
		return fmt.Errorf("%s rejects spans: %q", c.url, why)
	}
	return nil
}

// readReply returns how many spans were rejected, and why, as an ExportTraceServiceResponse says: in the fields 1
// and 2 of the message in its field 1. What is no such message says nothing.
func readReply(reply []byte) (rejected uint64, why string) {
	eachField(reply, func(field protowire.Number, _ uint64, partial []byte) {
		if field != 1 {
			return
		}
		eachField(partial, func(field protowire.Number, number uint64, text []byte) {
			switch field {
			case 1:
				rejected = number
			case 2:
				why = string(text)
			}
		})
	})
	return rejected, why
}

// eachField calls fn with each number, or bytes, of a message.
func eachField(message []byte, fn func(field protowire.Number, number uint64, bytes []byte)) {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return
		}
		message = message[n:]
		var number uint64
		var bytes []byte
		switch kind {
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			bytes, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(field, kind, message)
		}
		if n < 0 {
			return
		}
		fn(field, number, bytes)
		message = message[n:]
	}
}

// reporter logs when exports begin to fail, and when they succeed again. It is not called concurrently.
type reporter struct {
	sdktrace.SpanExporter
	log *slog.Logger
	// failing is why the last export failed, empty where it did not, and lost counts the spans since it did
	// not.
	failing string
	lost    int
}

// ExportSpans implements sdktrace.SpanExporter. Its error is logged, and none is left for others to log.
func (r *reporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := r.SpanExporter.ExportSpans(ctx, spans)
	why := reasonOf(err)
	switch {
	case err == nil && r.failing != "":
		r.log.Info("traces are exported again", "lost_spans", r.lost)
		r.lost = 0
	case err != nil:
		r.lost += len(spans)
		if why != r.failing {
			r.log.Warn("traces cannot be exported; their spans are lost until they can", "error", err)
		}
	}
	r.failing = why
	return nil
}

// reasonOf is the text of an error without the ports of the connection, which differ each time.
func reasonOf(err error) string {
	var op *net.OpError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &op):
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}
