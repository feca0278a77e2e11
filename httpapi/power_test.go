package httpapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/observed/status"
)

// TestPowerIsLeft: a spec that says nothing of power leaves it as it is, whichever write brings
// it, and one of a new container is stopped.
func TestPowerIsLeft(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.installed("web")
	if c, _ := n.store.Container("web"); c.Power != desired.PowerStopped {
		t.Errorf("a new container is %s", c.Power)
	}
	n.send("POST", "/containers/web/start", "").want(t, 200, `"generation":2`)
	with := func(more string) string { return strings.TrimSuffix(n.spec("web"), "}") + more + "}" }
	generation := 2
	for _, write := range []struct{ request, body string }{
		{"PUT /containers/web", with("")},
		{"PUT /containers/web", with(`,"env":{"A":"1"}`)},
		{"PUT /containers/web", with(`,"env":{"A":"2"},"power":null`)},
		{"POST /apply", `{"containers":[` + with(`,"env":{"A":"3"}`) + `]}`},
		{"POST /apply", `{"containers":[` + with(`,"env":{"A":"4"},"power":null`) + `]}`},
		{"PATCH /containers/web", `{"env":{"A":"5"}}`},
		{"PATCH /containers/web", `{"env":{"A":"6"},"power":null}`},
	} {
		method, target, _ := strings.Cut(write.request, " ")
		tried := n.send(method, target+"?dry_run=true", write.body).want(t, 200, `"power":"running"`)
		if strings.Contains(tried.text, "StopContainer") || strings.Contains(tried.text, "power is stopped") {
			t.Errorf("%s %s would stop it: %s", write.request, write.body, tried.text)
		}
		n.send(method, target, write.body).want(t, 200, `"web"`)
		if strings.Contains(write.body, "env") {
			generation++
		}
		if c, _ := n.store.Container("web"); c.Power != desired.PowerRunning || c.Generation != int64(generation) {
			t.Fatalf("after %s %s it is %s, generation %d", write.request, write.body, c.Power, c.Generation)
		}
	}
	// A stop lasts as long, and so does the kill that one was.
	n.record("web", func(st *status.Status) { st.State = status.StateRunning })
	n.send("POST", "/containers/web/kill", "").want(t, 200, "")
	n.send("PUT", "/containers/web", with(`,"env":{"A":"7"}`)).want(t, 200, "")
	if c, _ := n.store.Container("web"); c.Power != desired.PowerStopped || !c.Kill {
		t.Errorf("after a kill and a put it is %s, kill %v", c.Power, c.Kill)
	}
	// What is said counts.
	n.send("PUT", "/containers/web", with(`,"power":"running"`)).want(t, 200, "")
	if c, _ := n.store.Container("web"); c.Power != desired.PowerRunning || c.Kill {
		t.Errorf("it is %s", c.Power)
	}
	n.send("PUT", "/containers/new", n.spec("new")).want(t, 201, "")
	n.send("POST", "/apply", `{"containers":[`+n.spec("newer")+`]}`).want(t, 200, `"created":1`)
	for _, id := range []string{"new", "newer"} {
		if c, _ := n.store.Container(id); c.Power != desired.PowerStopped {
			t.Errorf("%s is %q", id, c.Power)
		}
	}
	for _, wrong := range []string{`""`, `"on"`, `7`} {
		bad := with(`,"power":` + wrong)
		n.send("PUT", "/containers/web", bad).want(t, 400, `"field":"power"`)
		n.send("POST", "/containers", strings.Replace(bad, `"web"`, `"other"`, 1)).want(t, 400, `"field":"power"`)
		n.send("PATCH", "/containers/web", fmt.Sprintf(`{"power":%s}`, wrong)).want(t, 400, `"field":"power"`)
		n.send("POST", "/apply", `{"containers":[`+bad+`]}`).want(t, 400, `"field":"containers[0].power"`)
	}
}

// TestGraceOfAStop: a stop may say how long it takes; a later one says so anew, and a start forgets it.
func TestGraceOfAStop(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.installed("web")
	grace := func() time.Duration {
		c, _ := n.store.Container("web")
		if c.Grace == nil {
			return -1
		}
		return time.Duration(*c.Grace)
	}
	n.send("POST", "/containers/web/stop?grace=30s", "").want(t, 200, `"generation":1`) // nothing runs
	n.send("POST", "/containers/web/start", "").want(t, 200, `"generation":2`)
	n.record("web", func(st *status.Status) { st.State = status.StateRunning })
	n.send("POST", "/containers/web/stop?grace=30s&dry_run=true", "").want(t, 200, `"action":"updated"`)
	n.send("POST", "/containers/web/stop?grace=30s", "").want(t, 200, `"generation":3`)
	if grace() != 30*time.Second {
		t.Errorf("grace %s", grace())
	}
	n.send("POST", "/containers/web/stop", "").want(t, 200, `"generation":3`)
	n.send("PATCH", "/containers/web", `{"user":"1000"}`).want(t, 200, `"generation":4`)
	n.send("POST", "/containers/web/stop?grace=0s", "").want(t, 200, `"generation":5`)
	if grace() != 0 {
		t.Errorf("grace %s", grace())
	}
	if a := n.send("GET", "/containers/web", "").want(t, 200, ""); strings.Contains(a.text, "grace") {
		t.Errorf("shown: %s", a.text)
	}
	n.send("POST", "/containers/web/start", "").want(t, 200, `"generation":6`)
	if grace() != -1 {
		t.Errorf("grace %s of what runs", grace())
	}
	n.send("POST", "/containers/web/stop", "").want(t, 200, `"generation":7`)
	if grace() != -1 {
		t.Errorf("grace %s of a stop without one", grace())
	}
	for _, bad := range []string{"", "30", "-1s", "11m", "1s&grace=2s", "soon"} {
		n.send("POST", "/containers/web/stop?grace="+bad, "").want(t, 400, "")
	}
	n.send("POST", "/containers/web/kill?grace=1s", "").want(t, 400, `"field":"grace"`)
}
