package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/hack/simengine"
)

// TestDryRunsAskDockerNothing, nor does a plan, nor a list that is so already; and the
// controller does nothing for any of them.
func TestDryRunsAskDockerNothing(t *testing.T) {
	t.Parallel()
	sim, n := onSim(t)
	volume, _ := n.volume()
	var specs []string
	for i := range 20 {
		specs = append(specs, spec(fmt.Sprintf("sim-%d", i), volume, `"power":"running","start_pattern":"up","labels":{"a":"b"}`))
	}
	list := `{"containers":[` + strings.Join(specs, ",") + `]}`
	n.send("POST", "/apply?wait=running", list).want(200, `"created":20`)
	n.send("POST", "/apply?wait=synced", list).want(200, `"unchanged":20`)
	// What follows the starts, such as the end of their streams, may still be on its way.
	poll(t, func() error {
		calls, taken := sim.CountCalls(simengine.Rule{}), strings.Count(n.log.String(), "msg=step")
		n.tryAll(volume, list)
		if now := sim.CountCalls(simengine.Rule{}); now != calls {
			return fmt.Errorf("%d calls: %v", now-calls, sim.Calls()[calls:])
		}
		if now := strings.Count(n.log.String(), "msg=step"); now != taken {
			return fmt.Errorf("%d steps", now-taken)
		}
		return nil
	})
}

// TestSpecWithoutPower: whatever brings it, what runs goes on.
func TestSpecWithoutPower(t *testing.T) {
	t.Parallel()
	_, n := onSim(t)
	volume, _ := n.volume()
	n.send("PUT", "/containers/web?wait=running", spec("web", volume, `"power":"running"`)).want(201, `"met":true`)
	bare := spec("web", volume, `"env":{"A":"b"}`)
	n.send("PUT", "/containers/web?wait=running", bare).want(200, `"met":true`) // made anew, and started
	before := n.events("web")
	changed := spec("web", volume, `"env":{"A":"b"},"labels":{"c":"d"}`)
	n.send("PUT", "/containers/web?wait=synced", changed).want(200, `"met":true`)
	n.send("POST", "/apply?wait=synced", `{"containers":[`+changed+`]}`).want(200, `"unchanged":1`)
	if after := n.events("web"); len(after) != len(before) {
		t.Errorf("specs without power led to %v", after[len(before):])
	}
	n.send("POST", "/containers/web/stop?wait=stopped", "").want(200, `"met":true`)
	n.send("POST", "/apply?wait=synced", `{"containers":[`+bare+`]}`).want(200, `"updated":1`)
	if c := n.send("GET", "/containers/web", ""); !strings.Contains(c.text, `"power":"stopped"`) {
		t.Errorf("a spec without power made it %s", c.text)
	}
}

// tryAll asks for what changes nothing.
func (n *node) tryAll(volume, list string) {
	n.t.Helper()
	n.send("POST", "/apply", list).want(200, `"unchanged":20`)
	n.send("POST", "/apply?dry_run=true", strings.ReplaceAll(list, `"up"`, `"other"`)).want(200, `"updated":20`)
	n.send("POST", "/apply?dry_run=true", strings.ReplaceAll(list, harness.Busybox(), "other:1")).want(200, "PullImage")
	n.send("POST", "/apply?dry_run=true", `{"containers":[],"prune":true,"selector":"a"}`).want(200, `"deleted":20`)
	n.send("PUT", "/containers/sim-new?dry_run=true", spec("sim-new", volume, "")).want(200, `"created"`)
	n.send("POST", "/containers/sim-1/restart?dry_run=true", "").want(200, `"restarts":true`)
	n.send("DELETE", "/containers/sim-1?dry_run=true", "").want(200, "Finalize")
	n.send("GET", "/containers/sim-1/plan", "").want(200, `"plan":[]`)
	n.send("PATCH", "/containers/sim-2?wait=running", `{}`).want(200, `"met":true`)
}

// TestWaitsUnderFaults: what is tried again is waited for, and what is refused for good is not.
func TestWaitsUnderFaults(t *testing.T) {
	t.Parallel()
	sim, n := onSim(t)
	volume, _ := n.volume()
	running := func(id string) string { return spec(id, volume, `"power":"running","start_pattern":"up"`) }
	refusing := sim.Inject(simengine.Rule{Method: http.MethodPost, Route: "/containers/create", Status: 400, Message: "no such runtime"})
	n.send("PUT", "/containers/refused?wait=running&timeout=10m", running("refused")).want(202, `"reason":"RefusedByEngine"`).want(202, "no such runtime")
	n.send("PATCH", "/containers/refused?wait=installed&timeout=10m", `{}`).want(202, `"reason":"RefusedByEngine"`)
	n.send("POST", "/apply?wait=synced&timeout=10m", `{"containers":[`+running("refused")+`]}`).want(202, `"reason":"RefusedByEngine"`)
	refusing.Release()
	n.send("PATCH", "/containers/refused?wait=running&timeout=10m", `{"env":{"A":"b"}}`).want(200, `"met":true`)

	sim.Inject(simengine.Rule{Method: http.MethodPost, Route: "/containers/{id}/start", Times: 2, Status: 500, Message: "try again"})
	n.send("PUT", "/containers/late?wait=running&timeout=10m", running("late")).want(200+1, `"met":true`)
	none := sim.Inject(simengine.Rule{Method: http.MethodPost, Route: "/images/create", Status: 404, Message: "manifest unknown"})
	n.send("PATCH", "/containers/late?wait=synced&timeout=10m", `{"image":"none:1"}`).want(202, `"reason":"ImageUnavailable"`)
	n.send("PATCH", "/containers/late?wait=synced&timeout=10m", `{"env":{"C":"d"}}`).want(202, `"reason":"ImageUnavailable"`)
	none.Release()
	sim.Inject(simengine.Rule{Method: http.MethodPost, Route: "/images/create", Status: 500, Message: "dial tcp 127.0.0.1:5000: connect: connection refused"})
	eventually.Grow(t, 500*time.Millisecond, func(limit time.Duration) error {
		a := n.send("PATCH", "/containers/late?wait=synced&timeout="+limit.String(), `{"image":"other:1"}`)
		if a.status != 202 || !strings.Contains(a.text, fmt.Sprintf(`"reason":"Timeout","message":"not synced within %s: ImageUnavailable: `, limit)) {
			return fmt.Errorf("got %d %s", a.status, a.text)
		}
		return nil
	})
	n.send("POST", "/containers/late/stop?wait=stopped&timeout=10m", "").want(200, `"met":true`)

	// Out of sight nothing is met, and nothing is over: the engine comes back.
	sim.Refuse()
	n.until("refused", "out of sight", func(c view) bool { return c.State == "unknown" })
	n.send("PATCH", "/containers/refused?wait=running&timeout=50ms", `{}`).want(202, "EngineUnavailable: the engine does not answer")
	back := make(chan answer)
	go func() { back <- n.send("PATCH", "/containers/refused?wait=running&timeout=1m", `{}`) }()
	time.AfterFunc(100*time.Millisecond, func() { _ = sim.Up() })
	(<-back).want(200, `"met":true`)
}
