package httpapi

import (
	"fmt"
	"strings"
	"testing"

	"lightd/httpapi/api"
	"lightd/httpapi/audit"
	"lightd/observed/status"
)

// TestCordonOfTheNode: it is written and read, keeps its time when it is changed, is for administrators of the whole
// node, and is in the audit.
func TestCordonOfTheNode(t *testing.T) {
	n := newAudited(t, false)
	n.create("web")
	n.send("GET", "/node", "").want(t, 200, `"cordon":null`)
	n.lines()
	dry := n.send("PUT", "/node/cordon?dry_run=true", `{"drain":true}`).want(t, 200, `"plan":[]`)
	if n.store.Cordon() != nil || dry.json["since"] != nil {
		t.Error("a dry run wrote")
	}
	first := n.send("PUT", "/node/cordon", `{"reason":"kernel update"}`).want(t, 200, `"drain":false,"parallel":4,"reason":"kernel update"`)
	n.record("web", func(st *status.Status) {
		st.State = status.StateRunning
		st.Conditions = []status.Condition{{Type: status.Synced, Status: status.False, Reason: status.ReasonNodeDrained}}
	})
	n.drains.drain = status.Drain{Running: 1, Remaining: []status.DrainHolder{{InternalID: "web", Reason: status.DrainStopping}}}
	second := n.send("PUT", "/node/cordon", `{"drain":true,"parallel":2}`).
		want(t, 200, `"drained":false,"running":1,"held":1,"remaining":{"count":1,"containers":[{"internal_id":"web","reason":"Stopping"}]}}`)
	if first.json["since"] != second.json["since"] || second.json["reason"] != "" {
		t.Errorf("%s, then %s", first.text, second.text)
	}
	n.send("GET", "/node", "").want(t, 200, `"cordon":`+strings.TrimSpace(second.text))
	n.send("PUT", "/node/cordon", second.text).want(t, 200, `"drain":true,"parallel":2`) // what was read can be written back
	n.drains.drain = status.Drain{}
	for reason, want := range map[status.Reason]string{status.ReasonNodeDrained: `"held":1`, status.ReasonProgressing: `"held":0`} {
		n.record("web", func(st *status.Status) {
			st.Conditions = []status.Condition{{Type: status.Synced, Status: status.False, Reason: reason}}
		})
		n.send("GET", "/node", "").want(t, 200, want+`,"remaining":{"count":0,"containers":[]}`)
	}
	for i := range api.MaxRemaining + 5 {
		n.drains.drain.Remaining = append(n.drains.drain.Remaining, status.DrainHolder{InternalID: fmt.Sprint("c", i), Reason: status.DrainUnobserved})
	}
	n.send("GET", "/node", "").want(t, 200, `"remaining":{"count":105,`).want(t, 200, `{"internal_id":"c99","reason":"Unobserved"}]}`)
	n.send("GET", "/readyz", "").want(t, 200, `"ready"`)
	n.send("DELETE", "/node/cordon?dry_run=true", "").want(t, 200, `"plan":[]`)
	n.send("DELETE", "/node/cordon", "").want(t, 200, "Node uncordoned")
	n.send("DELETE", "/node/cordon", "").want(t, 200, "Node was not cordoned")
	var ops []string
	for _, l := range n.lines() {
		if l.Event != audit.EventWrite || l.Route != "/node/cordon" {
			t.Errorf("audit %+v", l)
		}
		ops = append(ops, l.Op)
	}
	if got := strings.Join(ops, " "); got != "drain cordon drain drain uncordon uncordon uncordon" {
		t.Errorf("the audit has %s", got)
	}
	for body, field := range map[string]string{
		`{"parallel":0}`: "parallel", `{"parallel":101}`: "parallel", `{"parallel":"x"}`: "parallel", `{"drain":1}`: "drain",
		`{"reason":"` + strings.Repeat("x", 257) + `"}`: "reason", `{"reason":"a\nb"}`: "reason", `{"force":true}`: "force",
	} {
		n.send("PUT", "/node/cordon", body).want(t, 400, `"field":"`+field)
	}
	for _, scopes := range []string{`"read"`, `"write"`} {
		n.send("PUT", "/node/cordon", "{}", n.token(`{"ttl":"1h","scopes":[`+scopes+`]}`)).want(t, 403, "insufficient_scope")
	}
	n.send("PUT", "/node/cordon", "{}", n.token(`{"ttl":"1h","containers":["web"]}`)).want(t, 403, "")
	if n.store.Cordon() != nil {
		t.Error("something was written")
	}
}

// TestStartOnACordonedNodeIsWarnedOf: it is accepted, and waits for the end of the cordon.
func TestStartOnACordonedNodeIsWarnedOf(t *testing.T) {
	n := newNode(t)
	n.create("web")
	quiet := func(action string) {
		if a := n.send("POST", "/containers/web/"+action, "").want(t, 200, "initiated"); a.json["warnings"] != nil {
			t.Errorf("%s: %s", action, a.text)
		}
	}
	quiet("start")
	n.send("PUT", "/node/cordon", `{"reason":"kernel update"}`).want(t, 200, "")
	for _, query := range []string{"?dry_run=true", ""} {
		n.send("POST", "/containers/web/restart"+query, "").want(t, 200, `"warnings":[{"field":"power","message":"the node is cordoned: no container starts until that ends"}]`)
	}
	quiet("stop")
}

// TestWaitsOnACordonedNode: what is held back is not waited for.
func TestWaitsOnACordonedNode(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.installed("web")
	n.send("POST", "/containers/web/start", "").want(t, 200, "")
	n.send("PUT", "/node/cordon", "{}").want(t, 200, "")
	for _, reason := range []status.Reason{status.ReasonNodeCordoned, status.ReasonNodeDrained} {
		n.record("web", func(st *status.Status) {
			c, _ := n.store.Container("web")
			st.Conditions = []status.Condition{{Type: status.Synced, Status: status.False, Reason: reason, Message: "kernel update", ObservedGeneration: c.Generation}}
		})
		n.send("GET", "/containers/web/wait?wait=running&timeout=1m", "").want(t, 202, `"met":false,"reason":"`+string(reason))
		n.send("GET", "/containers/web", "").want(t, 200, "is stopped: kernel update; Lightd ")
	}
	// Of one that has ended the container only does not know yet.
	n.send("DELETE", "/node/cordon", "").want(t, 200, "Node uncordoned")
	n.send("GET", "/containers/web/wait?wait=running&timeout=1ms", "").want(t, 202, `"met":false,"reason":"Timeout"`)
}
