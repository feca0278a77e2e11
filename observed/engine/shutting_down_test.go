package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"testing"

	"lightd/observed/engine"
)

// answering is an engine that answers starts in one way and all else well; with a status of 0 it does not answer.
func answering(t *testing.T, status int, message string) (*httptest.Server, *engine.Engine) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		if path.Base(r.URL.Path) == "start" {
			if json.Valid([]byte(message)) {
				w.Header().Set("Content-Type", "application/json")
			}
			if status == 0 {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(status)
			fmt.Fprint(w, message)
		}
	}))
	t.Cleanup(server.Close)
	return server, newEngine(t, engine.Config{Host: "tcp://" + server.Listener.Addr().String()})
}

// TestEngineOnItsWayDown takes no new connections and answers on those that it has: it must
// not start anything then.
func TestEngineOnItsWayDown(t *testing.T) {
	server, e := answering(t, http.StatusNoContent, "")
	if err := e.Start(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := e.Kill(t.Context(), "a", "SIGTERM"); err != nil {
		t.Fatal(err)
	}
	_ = server.Listener.Close()
	if err := e.Kill(t.Context(), "a", "SIGTERM"); err != nil {
		t.Errorf("it does not answer on the connection that it has: %v", err)
	}
	var unanswered engine.UnansweredError
	if err := e.Start(t.Context(), "a"); engine.Classify(err) != engine.Unavailable || errors.As(err, &unanswered) {
		t.Errorf("started by an engine on its way down: %v", err)
	}
}

// TestStartWithoutAResponse may have happened; one that an engine responded to has not.
func TestStartWithoutAResponse(t *testing.T) {
	for status, want := range map[int]bool{
		http.StatusInternalServerError: false,
		http.StatusNotFound:            false,
		http.StatusBadGateway:          true, // of a proxy
		http.StatusServiceUnavailable:  true,
		http.StatusGatewayTimeout:      true,
		0:                              true, // the connection ends
	} {
		_, e := answering(t, status, "no")
		err := e.Start(t.Context(), "a")
		var unanswered engine.UnansweredError
		if got := errors.As(err, &unanswered); got != want || got != (engine.Classify(err) == engine.Unavailable) {
			t.Errorf("%d: unanswered %t, %s: %v", status, got, engine.Classify(err), err)
		}
	}
}

// TestEngineWithoutACall: a path that an engine does not know is no container that is gone.
func TestEngineWithoutACall(t *testing.T) {
	for answer, want := range map[string]engine.Class{
		`{"message":"page not found"}`:                  engine.Other,
		"404 page not found\n":                          engine.Other,
		`{"message":"No such container: a"}`:            engine.NotFound,
		`{"message":"No such image: page not found:1"}`: engine.NotFound,
	} {
		_, e := answering(t, http.StatusNotFound, answer)
		if err := e.Start(t.Context(), "a"); engine.Classify(err) != want {
			t.Errorf("%s: %s, %v", answer, engine.Classify(err), err)
		}
	}
}

// TestStartThatAnEarlierOneIsInTheWayOf is no terminal refusal: what is in the way goes.
func TestStartThatAnEarlierOneIsInTheWayOf(t *testing.T) {
	_, e := answering(t, http.StatusForbidden, `{"message":"endpoint with name lightd-a already exists in network bridge"}`)
	if err := e.Start(t.Context(), "a"); engine.Classify(err) != engine.Other {
		t.Errorf("%s: %v", engine.Classify(err), err)
	}
}
