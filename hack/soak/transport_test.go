package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// TestRecorderJudgesRefusals: what the load brings about itself is counted, any other refusal fails the run,
// and one that an engine accounts for fails it unless the engine is away. The caller gets the whole body.
func TestRecorderJudgesRefusals(t *testing.T) {
	for _, test := range []struct {
		status int
		code   string
		away   bool
		fails  bool
	}{
		{200, "", false, false},
		{409, "installing", false, false},
		{409, "suspended", false, true},
		{404, "container_not_found", false, false},
		{404, "not_found", false, true},
		{500, "internal", true, true},
		{503, "database_unavailable", true, true},
		{503, "engine_unavailable", false, true},
		{503, "engine_unavailable", true, false},
		{502, "", true, true},
	} {
		body := fmt.Sprintf(`{"error":"a sentence","code":%q}`, test.code)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, body)
		}))
		var failures []string
		recorder := &recorder{
			next: server.Client().Transport, limiter: rate.NewLimiter(rate.Inf, 1), answers: map[string]int{},
			away: func() bool { return test.away }, log: func(string, ...any) {},
			fail: func(format string, args ...any) { failures = append(failures, fmt.Sprintf(format, args...)) },
		}
		response, err := (&http.Client{Transport: recorder}).Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		response.Body.Close()
		server.Close()
		if err != nil || string(got) != body {
			t.Errorf("%+v: the body is %q, %v", test, got, err)
		}
		if (len(failures) > 0) != test.fails {
			t.Errorf("%+v: failures %q", test, failures)
		}
		if !strings.HasPrefix(recorder.summary(), "1: 1 of "+fmt.Sprint(test.status)) {
			t.Errorf("%+v: %s", test, recorder.summary())
		}
	}
}

// TestRecorderWaitsForItsTurn: a request whose turn comes behind its deadline ends as any other that took too
// long, and is not sent.
func TestRecorderWaitsForItsTurn(t *testing.T) {
	limiter := rate.NewLimiter(rate.Every(time.Hour), 1)
	limiter.Allow()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&recorder{limiter: limiter}).RoundTrip(request); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
