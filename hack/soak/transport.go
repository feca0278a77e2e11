package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/time/rate"

	"lightd/httpapi/api"
)

// allowed are the refusals that the load brings about on purpose, or cannot avoid: by status and code, with
// the reason. Any other one is a failure of the run.
var allowed = map[int]map[string]string{
	http.StatusNotFound: {
		"container_not_found":   "read after its deletion, on purpose; a deletion that ended meanwhile",
		"install_log_not_found": "read before the first installation printed anything",
		"log_not_found":         "read before the container was created",
	},
	http.StatusConflict: {
		"container_exists":    "created twice, on purpose",
		"container_deleting":  "written to during its deletion",
		"installing":          "rebound or reinstalled during an installation",
		"installation_failed": "started after the engine was restarted under its installation",
		"port_in_use":         "bound again while the deletion of the container before goes on",
		"paused":              "sent a command while somebody has paused it",
		"not_running":         "sent a command while its process does not run",
		"volume_in_use":       "deleted while the deletion of its container goes on",
	},
	http.StatusPreconditionFailed: {
		"precondition_failed": "written with the ETag of a generation before, on purpose",
	},
	http.StatusTooManyRequests: {
		"too_many_requests": "more transfers at once than there are slots; repeated by the client",
		"too_many_waits":    "more waits at once than there are slots",
	},
}

// whileAway are refusals that only an engine that is being restarted accounts for.
var whileAway = map[int]map[string]string{
	http.StatusServiceUnavailable: {
		"engine_unavailable": "logs, figures and input come from the engine",
		"not_ready":          "readyz says that the engine does not answer",
	},
}

// recorder is the transport of all requests: it bounds their rate, counts the answers, and fails the run
// for a refusal that is not allowed.
type recorder struct {
	next    http.RoundTripper
	limiter *rate.Limiter
	away    func() bool // whether the engine is, or was a moment ago
	fail    func(format string, args ...any)
	log     func(format string, args ...any)

	mu      sync.Mutex
	answers map[string]int // by status and code
}

// RoundTrip makes one request when its turn has come.
func (t *recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.limiter.Wait(r.Context()) != nil {
		<-r.Context().Done() // it may be that the turn comes behind the deadline
		return nil, context.Cause(r.Context())
	}
	response, err := t.next.RoundTrip(r)
	if err != nil {
		t.count("no answer")
		t.log("request %s %s: %v", r.Method, r.URL.Path, err)
		return nil, err
	}
	if response.StatusCode < 400 {
		t.count(fmt.Sprint(response.StatusCode))
		return response, nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	response.Body.Close()
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	var problem api.Problem
	_ = json.Unmarshal(body, &problem) // a code that is empty is not allowed
	t.count(fmt.Sprintf("%d %s", response.StatusCode, problem.Code))
	t.log("request %s %s: %d %s: %s", r.Method, r.URL.Path, response.StatusCode, problem.Code, problem.Sentence)
	if reasonFor(response.StatusCode, problem.Code, t.away()) == "" {
		t.fail("%s %s was answered with %d %s: %s", r.Method, r.URL.Path, response.StatusCode, problem.Code, bytes.TrimSpace(body))
	}
	return response, nil
}

// reasonFor is why a refusal is no failure; empty where it is one.
func reasonFor(status int, code string, away bool) string {
	if reason := allowed[status][code]; reason != "" || !away {
		return reason
	}
	return whileAway[status][code]
}

func (t *recorder) count(answer string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answers[answer]++
}

// summary is how many answers there were, and of which kinds.
func (t *recorder) summary() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	total, parts := 0, []string{}
	for _, answer := range slices.Sorted(maps.Keys(t.answers)) {
		total += t.answers[answer]
		parts = append(parts, fmt.Sprintf("%d of %s", t.answers[answer], answer))
	}
	return fmt.Sprintf("%d: %s", total, strings.Join(parts, ", "))
}
