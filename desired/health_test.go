package desired

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestHealthDefaults: what a check leaves out is as documented, and what one says stays.
func TestHealthDefaults(t *testing.T) {
	for text, want := range map[string]string{
		`{"tcp":1}`: `{"tcp":1,"http":null,"command":"","image":false,"every":"10s","timeout":"5s","after":"0s","failures":3,"on_failure":"none"}`,
		`{"http":{"port":80}}`: `{"tcp":0,"http":{"path":"/","port":80,"expect":0},"command":"","image":false,"every":"10s","timeout":"5s","after":"0s",` +
			`"failures":3,"on_failure":"none"}`,
		`{"command":"x","every":"1m","timeout":"1s","after":"30s","failures":1,"on_failure":"restart"}`: `{"tcp":0,"http":null,"command":"x","image":false,` +
			`"every":"1m0s","timeout":"1s","after":"30s","failures":1,"on_failure":"restart"}`,
	} {
		var s Spec
		if err := json.Unmarshal([]byte(`{"health":`+text+`}`), &s); err != nil {
			t.Fatal(err)
		}
		before := s.Health.HTTP != nil && s.Health.HTTP.Path == ""
		n := s.Normalize()
		if got, _ := json.Marshal(n.Health); string(got) != want {
			t.Errorf("%s became %s", text, got)
		}
		if before && s.Health.HTTP.Path != "" || s.Health.Timeout == 0 && n.Health == s.Health {
			t.Errorf("%s: the spec itself was changed", text)
		}
	}
}

// TestHealthIsChecked: what is wrong with a check is told by its field.
func TestHealthIsChecked(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                                 "health: must have one of",
		`{"tcp":1,"command":"x"}`:            "health: must have one of",
		`{"tcp":70000}`:                      "health.tcp: must be a port",
		`{"tcp":-1}`:                         "health.tcp: must be a port",
		`{"http":{}}`:                        "health.http.port: must be a port",
		`{"http":{"port":80,"path":"x"}}`:    "health.http.path: must begin",
		`{"http":{"port":80,"path":"/a b"}}`: "health.http.path: must begin",
		`{"http":{"port":80,"path":"/\r\nX: y"}}`:      "health.http.path: must begin",
		`{"http":{"port":80,"path":"/%zz"}}`:           "health.http.path: must have two hexadecimal digits",
		`{"http":{"port":80,"path":"/100%"}}`:          "health.http.path: must have two hexadecimal digits",
		`{"http":{"port":80,"path":"/ä"}}`:             "health.http.path: must begin",
		`{"http":{"port":80,"expect":99}}`:             "health.http.expect: must be",
		`{"command":"  "}`:                             "health.command: must not be blank",
		`{"command":"a\u0000"}`:                        "health.command: must not contain NUL",
		`{"tcp":1,"every":"10ms"}`:                     "health.every: must be from 1s to 1h0m0s",
		`{"tcp":1,"timeout":"2m"}`:                     "health.timeout: must be from 100ms to 1m0s",
		`{"tcp":1,"after":"-1s"}`:                      "health.after: must be from",
		`{"tcp":1,"failures":-1}`:                      "health.failures: must be from 1 to 100",
		`{"tcp":1,"on_failure":"panic"}`:               "health.on_failure: must be none or restart",
		`{"tcp":1,"http":{"port":1},"on_failure":"x"}`: "health: must have one of",
	} {
		var s Spec
		if err := json.Unmarshal([]byte(`{"health":`+text+`}`), &s); err != nil {
			t.Fatal(err)
		}
		var f faults
		f.checkHealth(s.Normalize())
		if err := f.err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	s := Spec{Restart: RestartNever, Network: NetworkNone, Health: &Health{TCP: 1, OnFailure: FailureRestart}}.Normalize()
	var f faults
	f.checkHealth(s)
	if err := f.err(); err == nil || !strings.Contains(err.Error(), "policy never") || !strings.Contains(err.Error(), "network none") {
		t.Errorf("got %v", err)
	}
	s.Restart, s.Health = RestartAlways, (&Spec{Health: &Health{Command: "x", Every: Duration(time.Second)}}).Normalize().Health
	f = nil
	f.checkHealth(s)
	if err := f.err(); err != nil {
		t.Error(err)
	}
}

// TestHealthIsNoParameterOfDocker: a check changes no hash, so that nothing is recreated for it.
func TestHealthIsNoParameterOfDocker(t *testing.T) {
	s := DefaultSpec()
	before := s.Hash("img")
	s.Health = &Health{TCP: 1}
	if s.Hash("img") != before {
		t.Error("a check changes the hash")
	}
}
