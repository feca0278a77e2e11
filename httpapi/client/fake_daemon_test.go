package client

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"syscall"
	"testing"
)

// transport answers requests in memory, so that a test owns time and every failure.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// sent marks a request as one that has left.
func sent(r *http.Request) {
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
}

// answered is an answer of the daemon's; more are header lines.
func answered(r *http.Request, status int, body string, more ...string) (*http.Response, error) {
	sent(r)
	h := http.Header{"Content-Type": {"application/json"}}
	for _, line := range more {
		name, value, _ := strings.Cut(line, ": ")
		h.Set(name, value)
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

var (
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	errReset   = errors.New("connection reset by peer")
)

const testToken = "lightd_secret_0123456789"

// faked is a client of a transport.
func faked(t testing.TB, f transport, tune ...func(*Config)) *Client {
	t.Helper()
	cfg := Config{URL: "http://daemon.example:8070", Token: testToken, HTTP: &http.Client{Transport: f}}
	for _, fn := range tune {
		fn(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
