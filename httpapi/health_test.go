package httpapi

import (
	"strings"
	"testing"

	"lightd/observed/status"
)

// TestHealthOfASpec: a check is written, shown, patched and taken away like every other field, and a spec that was
// read can be written back.
func TestHealthOfASpec(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.send("GET", "/containers/web", "").want(t, 200, `"health":null`)
	with := strings.TrimSuffix(n.spec("web"), "}") + `,"health":{"tcp":25565}}`
	const shown = `"health":{"tcp":25565,"http":null,"command":"","image":false,"every":"10s","timeout":"5s","after":"0s","failures":3,"on_failure":"none"}`
	n.send("PUT", "/containers/web", with).want(t, 200, `"generation":2`)
	n.send("PUT", "/containers/web", with).want(t, 200, `"generation":2`)
	n.send("GET", "/containers/web", "").want(t, 200, shown)
	n.send("PUT", "/containers/web?dry_run=true", strings.Replace(with, `{"tcp":25565}`, strings.TrimPrefix(shown, `"health":`), 1)).want(t, 200, `"action":"unchanged"`)
	n.send("PATCH", "/containers/web", `{"health":{"every":"20s"}}`).want(t, 200, `"generation":3`)
	n.send("GET", "/containers/web", "").want(t, 200, strings.Replace(shown, "10s", "20s", 1))
	n.send("PATCH", "/containers/web", `{"health":{"tcp":null,"http":{"port":80}}}`).want(t, 200, `"generation":4`)
	n.send("GET", "/containers/web", "").want(t, 200, `"health":{"tcp":0,"http":{"path":"/","port":80,"expect":0}`)
	n.send("PATCH", "/containers/web", `{"health":null}`).want(t, 200, `"generation":5`)
	n.send("GET", "/containers/web", "").want(t, 200, `"health":null`)
	for health, want := range map[string]string{
		`{"tcp":1,"http":{"port":1}}`: "health must have one of tcp, http, command and image",
		`{}`:                          "health must have one of",
		`{"tcp":"x"}`:                 "health.tcp must be",
		`{"udp":1}`:                   "health.udp is not a known field",
		`{"tcp":1,"every":5}`:         "health.every must be a duration",
		`{"http":{"url":"x"}}`:        "health.http.url is not a known field",
	} {
		n.send("PATCH", "/containers/web", `{"health":`+health+`}`).want(t, 400, want)
	}
	n.record("web", func(st *status.Status) {
		st.Set(status.Condition{Type: status.Healthy, Status: status.True, Reason: status.ReasonProbePassed}, st.RunSeen)
	})
	n.send("GET", "/containers/web", "").want(t, 200, `{"type":"Healthy","status":"True","reason":"ProbePassed"`)
	n.engine.down.Store(true)
	n.send("GET", "/containers/web", "").want(t, 200, `{"type":"Healthy","status":"Unknown","reason":"EngineUnavailable"`)
}
