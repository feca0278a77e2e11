package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/httpapi/api"
)

func TestBadConfig(t *testing.T) {
	for _, url := range []string{
		"", "127.0.0.1:8070", "localhost", "ftp://host", "http://", "http://:8070", "http://user:lightd_secret_0123456789@host",
		"http://host?token=lightd_secret_0123456789", "http://host#lightd_secret_0123456789", "http://ho st/lightd_secret_0123456789",
		"http://lightd_secret_0123456789\x00",
	} {
		_, err := New(Config{URL: url})
		if err == nil {
			t.Errorf("%q was taken", url)
		} else if strings.Contains(err.Error(), testToken) {
			t.Errorf("what may be a secret is told: %v", err)
		}
	}
	for _, token := range []string{testToken + "\n", "lightd with blanks", "lightd_\x00"} {
		_, err := New(Config{URL: "http://host", Token: token})
		if err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("token %q: %v", token, err)
		}
	}
}

// TestRequests: what is sent for a call, byte for byte where that matters.
func TestRequests(t *testing.T) {
	memory := map[string]any{"limits": map[string]any{"memory": 1 << 29}}
	image := "alpine:3"
	cases := []struct {
		name string
		call func(context.Context, *Client) error
		want string // method and address
		body string
		head map[string]string
	}{
		{"an id is no path", func(ctx context.Context, c *Client) error { _, err := c.Get(ctx, "../a b/c?d"); return err },
			"GET /base/containers/..%2Fa%20b%2Fc%3Fd", "", map[string]string{"Accept": "application/json"}},
		{"a selector", func(ctx context.Context, c *Client) error { _, err := c.List(ctx, "a=b,!c"); return err },
			"GET /base/containers?limit=500&selector=a%3Db%2C%21c", "", nil},
		{"a patch", func(ctx context.Context, c *Client) error {
			_, err := c.Patch(ctx, "web", memory, Write{DryRun: true, IfMatch: `"x-1"`})
			return err
		}, "PATCH /base/containers/web?dry_run=true", `{"limits":{"memory":536870912}}`,
			map[string]string{"Content-Type": "application/merge-patch+json", "If-Match": `"x-1"`}},
		{"a put that waits", func(ctx context.Context, c *Client) error {
			_, err := c.PutDocument(ctx, "web", json.RawMessage(`{"image":"a"}`), Write{Wait: api.UntilRunning, Timeout: 90 * time.Second, IfNone: true})
			return err
		}, "PUT /base/containers/web?timeout=1m30s&wait=running", `{"image":"a"}`,
			map[string]string{"Content-Type": "application/json", "If-None-Match": "*"}},
		{"a kill", func(ctx context.Context, c *Client) error { _, err := c.Power(ctx, "web", Kill, Write{}); return err },
			"POST /base/containers/web/kill", "", map[string]string{"Content-Type": ""}},
		{"a reinstallation of what there is", func(ctx context.Context, c *Client) error {
			_, err := c.Reinstall(ctx, "web", Reinstall{}, Write{})
			return err
		}, "POST /base/containers/web/reinstall", `{}`, nil},
		{"a reinstallation of another image", func(ctx context.Context, c *Client) error {
			_, err := c.Reinstall(ctx, "web", Reinstall{Image: &image}, Write{})
			return err
		}, "POST /base/containers/web/reinstall", `{"image":"alpine:3"}`, nil},
		{"no ports", func(ctx context.Context, c *Client) error {
			_, err := c.Rebind(ctx, "web", nil, "", Write{})
			return err
		},
			"POST /base/containers/web/rebind-network", `{"ports":[]}`, nil},
		{"an apply of a document", func(ctx context.Context, c *Client) error {
			_, err := c.Apply(ctx, List{Documents: []json.RawMessage{[]byte(`{"internal_id":"a"}`)}, Prune: true, Selector: "a"}, Write{})
			return err
		}, "POST /base/apply", `{"containers":[{"internal_id":"a"}],"prune":true,"selector":"a"}`, nil},
		{"an apply of nothing", func(ctx context.Context, c *Client) error { _, err := c.Apply(ctx, List{}, Write{}); return err },
			"POST /base/apply", `{"containers":[]}`, nil},
		{"a page of events", func(ctx context.Context, c *Client) error {
			_, _, err := c.EventPage(ctx, "web", 7, 50)
			return err
		}, "GET /base/containers/web/events?after=7&limit=50", "", nil},
		{"logs", func(ctx context.Context, c *Client) error { return closed(c.Logs(ctx, "web", Logs{})) },
			"GET /base/containers/web/logs", "", map[string]string{"Accept": "text/plain"}},
		{"the last logs, and more", func(ctx context.Context, c *Client) error {
			return closed(c.Logs(ctx, "web", Logs{Tail: 50, Follow: true}))
		}, "GET /base/containers/web/logs?follow=true&tail=50", "", nil},
		{"logs to come", func(ctx context.Context, c *Client) error {
			return closed(c.Logs(ctx, "web", Logs{Tail: -1, Follow: true}))
		}, "GET /base/containers/web/logs?follow=true&tail=0", "", nil},
		{"logs since a time", func(ctx context.Context, c *Client) error {
			return closed(c.Logs(ctx, "web", Logs{Since: "2026-11-26T12:00:00+01:00", Tail: 50}))
		}, "GET /base/containers/web/logs?since=2026-11-26T12%3A00%3A00%2B01%3A00", "", nil},
		{"a port of IPv6", func(ctx context.Context, c *Client) error {
			_, err := c.Port(ctx, desired.Endpoint{IP: "::1", Port: 7, Protocol: desired.UDP})
			return err
		}, "GET /base/network/ports/::1/7?protocol=udp", "", nil},
		{"a range of ports", func(ctx context.Context, c *Client) error { return c.AddPorts(ctx, "0.0.0.0", 1, 9, "") },
			"POST /base/network/ports", `{"ip":"0.0.0.0","ports":"1-9"}`, nil},
		{"a token", func(ctx context.Context, c *Client) error {
			_, err := c.CreateToken(ctx, api.TokenSpec{TTL: "90m", Scopes: []string{"read"}, SingleUse: true})
			return err
		},
			"POST /base/auth/tokens", `{"ttl":"90m","scopes":["read"],"single_use":true}`, nil},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			c := faked(t, func(r *http.Request) (*http.Response, error) {
				body := ""
				if r.Body != nil {
					data, err := io.ReadAll(r.Body)
					if err != nil {
						t.Error(err)
					}
					body = string(data)
				}
				if got := r.Method + " " + r.URL.RequestURI(); got != k.want {
					t.Errorf("asked %s, want %s", got, k.want)
				}
				if body != k.body {
					t.Errorf("sent %s, want %s", body, k.body)
				}
				for name, want := range k.head {
					if got := r.Header.Get(name); got != want {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
				if r.Header.Get("Authorization") != "Bearer "+testToken || r.Header.Get("User-Agent") != "panel/1" {
					t.Errorf("headers %v", r.Header)
				}
				return answered(r, 200, `{}`)
			}, func(cfg *Config) { cfg.URL, cfg.UserAgent = "http://daemon.example:8070/base/", "panel/1" })
			if err := k.call(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
}

// closed closes what was opened.
func closed(o *Output, err error) error {
	if err != nil {
		return err
	}
	return o.Close()
}

// TestRefusals: what an error says, and what it can be told apart by.
func TestRefusals(t *testing.T) {
	cases := []struct {
		status int
		body   string
		is     error
		text   string
	}{
		{400, `{"error":"The request is not valid: image is required","code":"invalid","details":[{"field":"image","message":"is required"},{"field":"ports[0].ip","message":"must be an address"}]}`,
			ErrInvalid, "GET /containers/web: The request is not valid: image is required; ports[0].ip must be an address"},
		{401, `{"error":"Unauthorized","code":"unauthorized"}`, ErrUnauthorized, "GET /containers/web: Unauthorized"},
		{403, `{"error":"No","code":"x"}`, ErrForbidden, "GET /containers/web: No"},
		{404, `{"error":"Container not found","code":"container_not_found","of":"a newer daemon"}`, ErrNotFound, "GET /containers/web: Container not found"},
		{409, `{"error":"Port already in use","code":"port_in_use","details":[{"field":"ports[0]","message":"Port already in use"}]}`,
			ErrConflict, "GET /containers/web: Port already in use (ports[0])"},
		{410, `{"error":"Gone","code":"compacted"}`, ErrGone, "GET /containers/web: Gone"},
		{412, `{"error":"Stale","code":"precondition_failed"}`, ErrPrecondition, "GET /containers/web: Stale"},
		{413, `{"error":"Big","code":"too_large"}`, ErrTooLarge, "GET /containers/web: Big"},
		{429, `{"error":"Many","code":"x"}`, ErrTooMany, "GET /containers/web: Many"},
		{503, `{"error":"Away","code":"x"}`, ErrUnavailable, "GET /containers/web: Away"},
		{507, `{"error":"Disk is full","code":"disk_full"}`, ErrDiskFull, "GET /containers/web: Disk is full"},
		{502, "<html>Bad", ErrUnavailable, "GET /containers/web: answered with 502 Bad Gateway"},
		{404, "", ErrNotFound, "GET /containers/web: answered with 404 Not Found"},
		{418, `[]`, nil, "GET /containers/web: answered with 418 I'm a teapot"},
		{302, "", nil, "GET /containers/web: answered with 302 Found"},
	}
	sentinels := []error{ErrInvalid, ErrUnauthorized, ErrForbidden, ErrNotFound, ErrConflict, ErrGone, ErrPrecondition, ErrTooLarge,
		ErrTooMany, ErrUnavailable, ErrDiskFull, ErrUnreachable, ErrUnknownOutcome, ErrClosed}
	for _, k := range cases {
		c := faked(t, func(r *http.Request) (*http.Response, error) { return answered(r, k.status, k.body, "Retry-After: 7") },
			func(cfg *Config) { cfg.Patience = -1 })
		_, err := c.Get(t.Context(), "web")
		var refusal *Error
		if !errors.As(err, &refusal) || err.Error() != k.text || refusal.Status != k.status || refusal.RetryAfter != 7*time.Second {
			t.Errorf("%d became %#v, %v, want %s", k.status, refusal, err, k.text)
		}
		if foreign := !strings.Contains(k.body, `"code"`); errors.Is(err, ErrForeign) != foreign {
			t.Errorf("%v is of a stranger: %v", err, !foreign)
		}
		for _, s := range sentinels {
			if errors.Is(err, s) != (s == k.is) {
				t.Errorf("%v is %v: %v", err, s, !(s == k.is))
			}
		}
	}
}

// TestBadAnswers: what is no answer of the daemon's is an error, never a zero value.
func TestBadAnswers(t *testing.T) {
	for _, body := range []string{"", "<html>", `{"generation":"three"}`, `{"internal_id":`} {
		c := faked(t, func(r *http.Request) (*http.Response, error) { return answered(r, 200, body) })
		if got, err := c.Get(t.Context(), "web"); err == nil {
			t.Errorf("%q became %+v", body, got)
		}
	}
}

// TestPageForBrowsers: what listens there is something else, for reads and writes alike.
func TestPageForBrowsers(t *testing.T) {
	c := faked(t, func(r *http.Request) (*http.Response, error) {
		return answered(r, 200, "<html>", "Content-Type: text/html; charset=utf-8")
	})
	_, read := c.Get(t.Context(), "web")
	_, write := c.Power(t.Context(), "web", Start, Write{})
	all := []error{read, write}
	for _, err := range c.Watch(t.Context(), Watch{}) {
		all = append(all, err)
	}
	if len(all) != 3 {
		t.Errorf("the watch ended with %v", all[2:])
	}
	for _, err := range all {
		if !errors.Is(err, ErrForeign) || errors.Is(err, ErrUnknownOutcome) {
			t.Errorf("got %v", err)
		}
	}
}

// TestToleratesWhatIsNew: members, words and conditions of a newer daemon do no harm.
func TestToleratesWhatIsNew(t *testing.T) {
	c := faked(t, func(r *http.Request) (*http.Response, error) {
		return answered(r, 200, `{"internal_id":"web","state":"levitating","new":{"a":[1]},"limits":{"memory":1,"gpu":2},
			"conditions":[{"type":"Levitates","status":"Maybe","reason":"Magic"}],"power":"half"}`, `ETag: "a-1"`)
	})
	got, err := c.Get(t.Context(), "web")
	if err != nil || got.State != "levitating" || got.Limits.Memory != 1 || got.ETag != `"a-1"` {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestTheTokenStaysInItsHeader: no print of a client or of an error shows it, and no
// redirect takes it elsewhere.
func TestTheTokenStaysInItsHeader(t *testing.T) {
	var hosts []string
	c := faked(t, func(r *http.Request) (*http.Response, error) {
		hosts = append(hosts, r.URL.Host)
		if strings.Contains(r.URL.String(), testToken) {
			t.Errorf("the token is in %s", r.URL)
		}
		return answered(r, 307, "", "Location: http://elsewhere.example/containers")
	})
	_, err := c.List(t.Context(), "")
	if err == nil || len(hosts) != 1 {
		t.Errorf("asked %v: %v", hosts, err)
	}
	for _, text := range []string{fmt.Sprint(err), fmt.Sprintf("%+v %#v", c, c), fmt.Sprintf("%+v %#v", *c, *c), c.URL()} {
		if strings.Contains(text, testToken) {
			t.Errorf("the token is told: %s", text)
		}
	}
}

// TestAnotherToken is that of all later requests; one that is none changes nothing.
func TestAnotherToken(t *testing.T) {
	var used []string
	c := faked(t, func(r *http.Request) (*http.Response, error) {
		used = append(used, r.Header.Get("Authorization"))
		return answered(r, 200, `{}`)
	})
	for _, token := range []string{testToken, "lightd_other_0123456789", "", "no token"} {
		if err := c.SetToken(token); (err == nil) != (token != "no token") {
			t.Errorf("token %q: %v", token, err)
		}
		if _, err := c.List(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := fmt.Sprintf("%q", used), `["Bearer lightd_secret_0123456789" "Bearer lightd_other_0123456789" "" ""]`; got != want {
		t.Errorf("used %s, want %s", got, want)
	}
}
