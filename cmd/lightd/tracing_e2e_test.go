package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lightd/hack/harness"
)

// TestTraces has the collector's own receiver take the traces of a daemon: of a write by a client that traces
// too, and of all that follows until the container runs.
func TestTraces(t *testing.T) {
	t.Parallel()
	r := startReceiver(t)
	_, n := onSim(t, "--config", tracedTo(t, r.url))
	volume, _ := n.volume()
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	n.send("POST", "/containers?wait=running&timeout=30s", spec("traced", volume, `"power":"running"`), "Traceparent: 00-"+trace+"-"+parent+"-01").want(201, "")
	n.send("GET", "/containers/%ff", "").want(404, "") // what is no UTF-8 spoils no batch
	n.terminate()                                      // which sends the rest

	var spans []span
	poll(t, func() error {
		spans = r.spans(t)
		if !slices.ContainsFunc(spans, func(s span) bool { return s.Name == "GET /containers/:id" }) {
			return fmt.Errorf("the receiver has no span of the last request among %d", len(spans))
		}
		return nil
	})
	post := one(t, spans, "POST /containers", func(s span) bool { return s.TraceID == trace })
	if post.ParentSpanID != parent || post.Kind != kindServer || post.attribute("http.response.status_code") != "201" ||
		post.attribute("http.route") != "/containers" || post.attribute("lightd.container") != "traced" ||
		post.attribute("lightd.generation") != "1" || post.attribute("lightd.token.id") != "master" {
		t.Errorf("the request: %+v", post)
	}
	reconcile := one(t, spans, "reconcile", func(s span) bool { return s.attribute("lightd.step") == "StartContainer" })
	if reconcile.TraceID == trace || reconcile.ParentSpanID != "" || reconcile.attribute("lightd.container") != "traced" ||
		len(reconcile.Links) != 1 || reconcile.Links[0].TraceID != trace || reconcile.Links[0].SpanID != post.SpanID {
		t.Errorf("the reconcile that starts the process: %+v", reconcile)
	}
	step := one(t, spans, "step StartContainer", func(span) bool { return true })
	if step.TraceID != reconcile.TraceID || step.ParentSpanID != reconcile.SpanID || step.attribute("lightd.step.reason") == "" || step.attribute("container.id") == "" {
		t.Errorf("its step: %+v", step)
	}
	call := one(t, spans, "start container", func(span) bool { return true })
	if call.TraceID != step.TraceID || call.ParentSpanID != step.SpanID || call.Kind != kindClient || call.attribute("lightd.engine.target") == "" {
		t.Errorf("its call of the engine: %+v", call)
	}
	refused := one(t, spans, "GET /containers/:id", func(span) bool { return true })
	if got := refused.attribute("url.path"); got != "/containers/\uFFFD" || refused.attribute("http.response.status_code") != "404" || refused.Status.Code == statusError {
		t.Errorf("a request that is refused: %+v", refused)
	}
	for _, secret := range []string{n.token, "timeout=30s"} {
		if strings.Contains(r.out.String(), secret) {
			t.Errorf("the traces have %q", secret)
		}
	}
	if want := `{"key":"service.name","value":{"stringValue":"lightd"}}`; !strings.Contains(r.out.String(), want) {
		t.Errorf("the resource lacks %s", want)
	}
	last := one(t, spans, "reconcile", func(s span) bool {
		return s.attribute("lightd.synced.reason") == "Synced" && s.attribute("lightd.observed_generation") == "1" && len(s.Links) == 1
	})
	for _, s := range spans {
		if s.Name == "reconcile" && s.Start > last.Start && len(s.Links) > 0 {
			t.Errorf("a reconcile after the generation was observed has a link: %+v", s)
		}
	}
}

// TestTracesWithoutReceiver: a receiver that is not there takes nothing but the traces, and the log has one line.
func TestTracesWithoutReceiver(t *testing.T) {
	t.Parallel()
	address := deadAddress(t)
	_, n := onSim(t, "--config", tracedTo(t, "http://"+address))
	const line = "traces cannot be exported"
	for range 3 {
		n.volume()
	}
	poll(t, func() error {
		if !strings.Contains(n.log.String(), line) {
			return fmt.Errorf("the log has no %q", line)
		}
		return nil
	})
	volume, _ := n.volume()
	n.send("POST", "/containers?wait=running&timeout=30s", spec("untraced", volume, `"power":"running"`)).want(201, "")
	n.terminate()
	if got := strings.Count(n.log.String(), line); got != 1 {
		t.Errorf("%d lines say that %s", got, line)
	}
}

// The numbers of OTLP.
const kindServer, kindClient, statusError = 2, 3, 2

// span is one as OTLP/JSON has it.
type span struct {
	TraceID, SpanID, ParentSpanID, Name string
	Kind                                int
	Start                               string `json:"startTimeUnixNano"`
	Attributes                          []struct {
		Key   string
		Value struct{ StringValue, IntValue string }
	}
	Links  []struct{ TraceID, SpanID string }
	Status struct{ Code int }
}

// attribute returns the value of an attribute as text; empty for none.
func (s span) attribute(key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.StringValue + a.Value.IntValue
		}
	}
	return ""
}

// one returns the first span of a name for which is holds, which the test wants to be there.
func one(t *testing.T, spans []span, name string, is func(span) bool) span {
	t.Helper()
	for _, s := range spans {
		if s.Name == name && is(s) {
			return s
		}
	}
	t.Errorf("the receiver has no such span %q", name)
	return span{}
}

// receiver is an OTLP receiver of the collector that runs.
type receiver struct {
	url string
	out *harness.Buffer
}

// startReceiver builds the receiver of hack/otlp, and runs it.
func startReceiver(t *testing.T) receiver {
	t.Helper()
	build := exec.Command("go", "build", "-C", "../../hack/otlp", "-o", "../../.bin/otlp", ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the receiver: %v\n%s", err, out)
	}
	address := fmt.Sprintf("127.0.0.1:%d", unused(t, 1))
	r := receiver{"http://" + address, &harness.Buffer{}}
	cmd := exec.Command("../../.bin/otlp", address)
	cmd.Stdout = r.out
	background(t, cmd)
	poll(t, func() error {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			err = connection.Close()
		}
		return err
	})
	return r
}

// spans returns what was received.
func (r receiver) spans(t *testing.T) (all []span) {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(r.out.String()))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var export struct {
			ResourceSpans []struct{ ScopeSpans []struct{ Spans []span } }
		}
		if err := json.Unmarshal(lines.Bytes(), &export); err != nil {
			t.Fatal(err)
		}
		for _, resource := range export.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				all = append(all, scope.Spans...)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// tracedTo is a configuration file with tracing.
func tracedTo(t *testing.T, url string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lightd.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "tracing: {endpoint: %q}\n", url), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
