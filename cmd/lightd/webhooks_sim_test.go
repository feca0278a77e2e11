package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/pflag"

	"lightd/hack/harness"
)

// panelServer is a panel that remembers the events that it gets.
type panelServer struct {
	address string
	server  *http.Server

	mu     sync.Mutex
	events []string
}

// up makes the panel answer, at the address that it had before.
func (p *panelServer) up(t *testing.T) {
	t.Helper()
	l := harness.Value[net.Listener](t)(net.Listen("tcp", p.address))
	p.address = l.Addr().String()
	p.server = &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var delivery struct {
			Events []struct {
				Seq        int
				Type       string
				InternalID string `json:"internal_id"`
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&delivery); err != nil {
			t.Error(err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, e := range delivery.Events {
			if text := fmt.Sprint(e.Seq, " ", e.InternalID, " ", e.Type); !slices.Contains(p.events, text) {
				p.events = append(p.events, text)
			}
		}
	})}
	go func() { _ = p.server.Serve(l) }()
	t.Cleanup(p.down)
}

func (p *panelServer) down() { _ = p.server.Close() }

func (p *panelServer) got() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events)
}

// TestPanelThatWasAwayMissesNothing, not even over a crash of the daemon: the panel has the whole journal
// in the end, in its order.
func TestPanelThatWasAwayMissesNothing(t *testing.T) {
	t.Parallel()
	panel := &panelServer{address: "127.0.0.1:0"}
	panel.up(t)
	file := filepath.Join(t.TempDir(), "lightd.yaml")
	const secret = "a secret of a panel"
	text := fmt.Sprintf("webhooks:\n- {name: panel, url: \"http://%s/events\", secret: %s}\n- {name: acme, url: \"http://%s/\", secret: %s, selector: tenant=acme}\n",
		panel.address, secret, deadAddress(t), secret)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, n := onSim(t, "--config", file)
	volume, _ := n.volume()
	container := func(id string) {
		n.send("POST", "/containers", spec(id, volume, `"power":"running","labels":{"tenant":"acme"}`)).want(201, "")
		n.until(id, "running", running)
	}
	container("one")
	poll(t, func() error {
		if got := panel.got(); !slices.ContainsFunc(got, func(e string) bool { return strings.HasSuffix(e, "one Running") }) {
			return fmt.Errorf("the panel has %q", got)
		}
		return nil
	})
	panel.down()
	container("two")
	poll(t, func() error {
		if got := n.send("GET", "/webhooks", "").want(200, "webhooks").text; !strings.Contains(got, "connection refused") || strings.Contains(got, secret) {
			return fmt.Errorf("webhooks: %s", got)
		}
		return nil
	})
	n.crash()
	n.start("--config", file)
	container("three")
	n.send("DELETE", "/containers/three", "").want(200, "")
	panel.up(t)
	poll(t, func() error {
		var journal []string
		for _, e := range n.send("GET", "/events?limit=1000", "").json["events"].([]any) {
			e := e.(map[string]any)
			journal = append(journal, fmt.Sprint(e["seq"], " ", e["internal_id"], " ", e["type"]))
		}
		// The node itself may have events too, as of its firewall.
		deleted := func(e string) bool { return strings.HasSuffix(e, "three Deleted") }
		if got := panel.got(); !slices.Equal(got, journal) || !slices.ContainsFunc(journal, deleted) {
			return fmt.Errorf("the panel has %q, and the journal %q", got, journal)
		}
		return nil
	})
	out, errOut, code := n.tool("webhooks")
	if code != 0 || !regexp.MustCompile(`(?s)^NAME .*\npanel +idle .*\nacme +failing .*connection refused \(\d+s ago\)`).MatchString(out) {
		t.Errorf("exit code %d, %s%s", code, out, errOut)
	}
	for name, c := range map[string]struct {
		code int
		text string
	}{"panel": {0, "panel does not fail"}, "acme": {0, "acme is tried now"}, "nobody": {3, "Webhook not found"}} {
		if out, errOut, code := n.tool("webhooks", "retry", name); code != c.code || !strings.Contains(out+errOut, c.text) {
			t.Errorf("retry %s: exit code %d, %s%s", name, code, out, errOut)
		}
	}
	n.send("POST", "/webhooks/acme/retry", "").want(200, `"state":"failing"`)
	if text, _, _ := n.tool("audit"); !strings.Contains(text, "POST /webhooks/:name/retry  acme  200") {
		t.Errorf("the audit has %s", text)
	}
	if strings.Contains(out+n.log.String(), secret) {
		t.Error("the secret is shown")
	}
}

// deadAddress returns an address where nobody listens.
func deadAddress(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", unused(t, 1))
}

func TestWebhookSettings(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"{name: p, url: 'https://panel/', secret_file: " + secret + "}":                    "",
		"{name: p, url: 'https://panel/', secret_file: " + secret + ", events: [Running]}": "",
		"{name: p, url: 'https://panel/', secret_file: " + secret + ", events: [Runing]}":  "did you mean Running",
		"{name: p, url: 'https://panel/', secret_file: " + secret + ", secret: x}":         "leave one out",
		"{name: p, url: 'https://panel/', secret_file: /nonexistent}":                      "no such file",
		"{name: p, url: 'https://panel/'}":                                                 "lightd.yaml:2: webhooks: webhook p: the secret is missing",
		"{name: p, url: 'http://panel/', secret_file: " + secret + "}":                     "insecure_plain_http",
		"{name: p, url: 'https://panel/', secret_file: " + secret + ", secrets: x}":        "secrets",
	} {
		file := filepath.Join(t.TempDir(), "lightd.yaml")
		if err := os.WriteFile(file, []byte("webhooks:\n- "+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := newSettings(pflag.NewFlagSet("lightd", pflag.ContinueOnError), func(name string) string { return map[string]string{"LIGHTD_CONFIG": file, "HOME": t.TempDir()}[name] })
		_, err := s.load()
		if err == nil && want == "" {
			continue
		}
		if err == nil || want == "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
