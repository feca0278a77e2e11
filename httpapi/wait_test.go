package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/httpapi/api"
	"lightd/observed/status"
)

// runs records what the controller does of a container that runs, and as of which generation.
func (n *testServer) runs(id string, generation int64) {
	n.t.Helper()
	n.record(id, func(st *status.Status) {
		st.ObservedGeneration, st.State = generation, status.StateRunning
		for _, c := range []status.Condition{
			{Type: status.Installed, Status: status.True, Reason: status.ReasonInstalled},
			{Type: status.ProcessStarted, Status: status.True, Reason: status.ReasonStarted},
			{Type: status.ProcessRunning, Status: status.True, Reason: status.ReasonNoPattern},
			{Type: status.Synced, Status: status.True, Reason: status.ReasonSynced},
		} {
			c.ObservedGeneration = generation
			st.Set(c, time.Now())
		}
	})
}

// stands records a condition as of a generation that the controller has not dealt with.
func (n *testServer) stands(id string, generation int64, kind status.ConditionType, reason status.Reason, message string) {
	n.t.Helper()
	n.record(id, func(st *status.Status) {
		st.Set(status.Condition{Type: kind, Status: status.False, Reason: reason, Message: message, ObservedGeneration: generation}, time.Now())
	})
}

// sending makes a request that waits, and returns when what it wrote can be seen: the wait
// has begun then.
func (n *testServer) sending(method, path, body string, header ...string) <-chan answer {
	n.t.Helper()
	written := make(chan struct{}, 16)
	defer n.store.Subscribe(func(string) { written <- struct{}{} })()
	answered := make(chan answer, 1)
	go func() { answered <- n.send(method, path, body, header...) }()
	<-written
	return answered
}

func TestWait(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.installed("web")
	start := n.sending("POST", "/containers/web/start?wait=running&timeout=1m", "")
	n.stands("web", 2, status.Synced, status.ReasonProgressing, "StartContainer: power is running")
	n.runs("web", 1) // an earlier generation
	n.runs("web", 2)
	a := (<-start).want(t, 200, `"message":"Container start initiated"`)
	got := receipt(t, a)
	if want := (api.Wait{For: api.UntilRunning, Met: true, Reason: status.ReasonNoPattern}); *got.Wait != want || got.Generation != 2 || len(got.Conditions) != 4 {
		t.Errorf("got %+v of %+v", got.Wait, got)
	}
	if a.header.Get("ETag") == "" {
		t.Error("no ETag")
	}
	// What is so already is met at once, and an empty patch waits without writing.
	before := n.dump()
	n.send("PATCH", "/containers/web?wait=running", `{}`).want(t, 200, `"generation":2,"wait":{"for":"running","met":true`)
	n.send("PATCH", "/containers/web?wait=synced&timeout=1ms", `{}`).want(t, 200, `"met":true`)
	if n.dump() != before {
		t.Error("a patch of nothing wrote")
	}
	// A time that runs out, with what was waited for.
	n.engine.turn(true)
	n.send("PATCH", "/containers/web?wait=running&timeout=1ms", `{}`).want(t, 202,
		`{"for":"running","met":false,"reason":"Timeout","message":"not running within 1ms: EngineUnavailable: the engine does not answer"}`).want(t, 202, `"status":"Unknown"`)
	// The engine that comes back ends a wait, though nothing is written.
	restart := n.sending("POST", "/containers/web/restart?wait=running", "")
	n.runs("web", 3)
	n.engine.turn(false)
	(<-restart).want(t, 200, `"met":true`)
	// A failure ends it.
	reinstall := n.sending("POST", "/containers/web/reinstall?wait=installed", "")
	n.record("web", func(st *status.Status) {
		st.Install = status.Install{Request: 2, Phase: status.InstallFailed}
		st.Set(status.Condition{Type: status.Installed, Status: status.False, Reason: status.ReasonInstallScriptFailed, Message: "exit code 3"}, time.Now())
	})
	(<-reinstall).want(t, 202, `"wait":{"for":"installed","met":false,"reason":"InstallScriptFailed","message":"exit code 3"}`)
	// And so does somebody else.
	n.installed("web")
	patch := n.sending("PATCH", "/containers/web?wait=installed", `{"env":{"A":"b"},"image":"alpine:4","install_script":"true"}`)
	n.send("DELETE", "/containers/web?timeout=1ms", "").want(t, 202, "")
	(<-patch).want(t, 202, `"reason":"Deleting"`)
}

func TestWaitOfCreation(t *testing.T) {
	n := newNode(t)
	create := n.sending("POST", "/containers?wait=installed", n.spec("a"))
	n.installed("a")
	a := (<-create).want(t, 201, `"state":"installing","generation":1,"wait":{"for":"installed","met":true,"reason":"Installed","message":""}`)
	if a.header.Get("Location") != "/containers/a" {
		t.Errorf("headers %v", a.header)
	}
	n.send("PUT", "/containers/b?wait=synced&timeout=1ms", n.spec("b")).want(t, 202, `"reason":"Timeout"`)
}

func TestWaitOfDeletion(t *testing.T) {
	n := newNode(t, func(c *config) { c.DeleteWait = time.Hour })
	n.create("web")
	n.installed("web")
	n.runs("web", 1)
	stopped := n.sending("DELETE", "/containers/web?wait=stopped", "")
	n.send("DELETE", "/containers/web?timeout=1ms", "").want(t, 202, `{"message":"Container deletion started","internal_id":"web","generation":2}`)
	n.stands("web", 2, status.ProcessStarted, status.ReasonExited, "exit code 143")
	(<-stopped).want(t, 200, `"message":"Container deletion started"`).want(t, 200, `"reason":"Exited"`)
	again := make(chan answer)
	go func() { again <- n.send("DELETE", "/containers/web?wait=stopped", "") }()
	(<-again).want(t, 200, `"met":true`)
	gone := make(chan answer)
	go func() { gone <- n.send("DELETE", "/containers/web", "") }()
	for full := false; !full; { // it writes nothing that could be heard of
		full = n.containers.Waiting("web") > 0
	}
	n.remove("web")
	(<-gone).want(t, 200, `{"message":"Container deleted successfully","internal_id":"web","generation":2}`)
}

func TestWaitOfApply(t *testing.T) {
	n := newNode(t)
	n.create("old")
	n.send("PATCH", "/containers/old", `{"labels":{"a":"b"}}`).want(t, 200, "")
	one, two := n.with("one", `"labels":{"a":"b"}`), n.with("two", `"labels":{"a":"b"}`)
	list := body(`"prune":true,"selector":"a=b"`, one, two)
	done := n.sending("POST", "/apply?wait=synced", list)
	n.runs("one", 1)
	n.remove("old")
	n.runs("two", 1)
	a := (<-done).want(t, 200, `"created":2,"updated":0,"unchanged":0,"deleted":1`)
	if got := waits(t, a); got != "one true Synced, two true Synced, old true Deleting, " {
		t.Errorf("got %s", got)
	}
	n.stands("two", 1, status.Synced, status.ReasonImageUnavailable, "not found")
	if got := waits(t, n.send("POST", "/apply?wait=synced&timeout=1ms", list).want(t, 202, "not synced within 1ms: ImageUnavailable: not found")); got != "one true Synced, two false Timeout, " {
		t.Errorf("got %s", got)
	}
	failing := n.sending("POST", "/apply?wait=synced", body("", n.with("one", `"env":{"A":"b"}`), n.with("three", `"install_script":"false"`), two))
	n.record("three", func(st *status.Status) {
		st.Install = status.Install{Request: 1, Phase: status.InstallFailed}
		st.Set(status.Condition{Type: status.Installed, Status: status.False, Reason: status.ReasonInstallTimeout}, time.Now())
	})
	if got := waits(t, (<-failing).want(t, 202, "")); got != "one false Pending, three false InstallTimeout, two false Pending, " {
		t.Errorf("got %s", got)
	}
	n.send("POST", "/apply?wait=running", body("", n.with("four", `"power":"running"`), one)).want(t, 400,
		`{"field":"containers[1].power","message":"wait=running cannot come true: power is stopped"}`)
	if _, found := n.store.Container("four"); found {
		t.Error("an impossible wait wrote")
	}
	n.send("POST", "/apply?wait=stopped", body("")).want(t, 200, `"containers":[]`)
}

// waits is how the waits of an apply ended, in one line.
func waits(t *testing.T, a answer) (line string) {
	t.Helper()
	for _, c := range a.json["containers"].([]any) {
		r := c.(map[string]any)
		w, _ := r["wait"].(map[string]any)
		line += fmt.Sprintf("%v %v %v, ", r["internal_id"], w["met"], w["reason"])
	}
	return line
}

// TestImpossibleWaits are refused by the parameter at fault, and nothing is written.
func TestImpossibleWaits(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.installed("web")
	const wait, timeout = `"field":"wait"`, `"field":"timeout"`
	cases := []struct{ request, body, text string }{
		{"PATCH /containers/web?wait=up", `{"tty":false}`, wait},
		{"PATCH /containers/web?wait=", `{"tty":false}`, wait},
		{"PATCH /containers/web?wait=Running", `{"tty":false}`, wait},
		{"PATCH /containers/web?wait=gone", `{"tty":false}`, wait},
		{"PATCH /containers/web?wait=synced&wait=synced", `{"tty":false}`, wait},
		{"PATCH /containers/web?wait=synced&dry_run=true", `{"tty":false}`, wait},
		{"PATCH /containers/web?wait=running", `{"tty":false}`, "cannot come true: power is stopped"},
		{"PATCH /containers/web?wait=stopped", `{"power":"running"}`, "cannot come true: power is running"},
		{"POST /containers/web/start?wait=stopped", "", wait},
		{"POST /containers/web/restart?wait=stopped", "", wait},
		{"POST /containers/web/stop?wait=running", "", wait},
		{"POST /containers/web/kill?wait=running", "", wait},
		{"POST /containers/web/reinstall?wait=running", "", wait},
		{"POST /containers?wait=running", n.spec("new"), wait},
		{"PUT /containers/new?wait=running", n.spec("new"), wait},
		{"DELETE /containers/web?wait=running", "", wait},
		{"DELETE /containers/web?wait=synced", "", wait},
		{"DELETE /containers/web?wait=installed", "", wait},
		{"DELETE /containers/web?wait=stopped&dry_run=true", "", wait},
		{"DELETE /containers/web?timeout=1s&dry_run=true", "", timeout},
		{"DELETE /containers/web?timeout=11m", "", timeout},
		{"PATCH /containers/web?timeout=1s", `{"tty":false}`, timeout},
		{"PATCH /containers/web?wait=synced&timeout=0s", `{"tty":false}`, timeout},
		{"PATCH /containers/web?wait=synced&timeout=-1s", `{"tty":false}`, timeout},
		{"PATCH /containers/web?wait=synced&timeout=10m1s", `{"tty":false}`, timeout},
		{"PATCH /containers/web?wait=synced&timeout=60", `{"tty":false}`, timeout},
		{"PATCH /containers/web?wait=synced&timeout=soon", `{"tty":false}`, timeout},
		{"PATCH /containers/web?wait=synced&timeout=1s&timeout=1s", `{"tty":false}`, timeout},
		{"POST /apply?wait=up", `{"containers":[]}`, wait},
		{"POST /volumes?wait=synced", "", wait},
		{"POST /network/ports?timeout=1s", `{"ip":"0.0.0.0","port":1}`, timeout},
	}
	before := n.dump()
	for _, c := range cases {
		method, target, _ := strings.Cut(c.request, " ")
		n.send(method, target, c.body).want(t, 400, c.text)
		if after := n.dump(); after != before {
			t.Fatalf("%s: something was written:\n%s\n%s", c.request, before, after)
		}
	}
}

// TestTooManyWaits: one more is refused before it writes. A deletion is none of them.
func TestTooManyWaits(t *testing.T) {
	n := newNode(t, func(c *config) { c.MaxWaits = 1 })
	n.create("a")
	n.create("b")
	waiting := n.sending("PATCH", "/containers/a?wait=synced", `{"tty":false}`)
	a := n.send("PATCH", "/containers/b?wait=synced", `{"tty":false}`).want(t, 429, "too_many_waits")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	n.send("POST", "/apply?wait=synced", body("", n.spec("c"))).want(t, 429, "too_many_waits")
	if b, _ := n.store.Container("b"); b.Generation != 1 {
		t.Error("what was refused was written")
	}
	n.send("PATCH", "/containers/b", `{"tty":false}`).want(t, 200, "")
	n.send("DELETE", "/containers/b?timeout=10m", "").want(t, 202, "deletion started")
	n.runs("a", 2)
	(<-waiting).want(t, 200, "")
	n.send("PATCH", "/containers/a?wait=synced", `{}`).want(t, 200, "")
}

// TestWaitsEndWithTheDaemon: what was written stays, and the client is told so.
func TestWaitsEndWithTheDaemon(t *testing.T) {
	n := newNode(t)
	n.create("web")
	waiting := n.sending("PATCH", "/containers/web?wait=synced&timeout=10m", `{"tty":false}`)
	n.Close()
	a := (<-waiting).want(t, 503, "the request was accepted")
	if c, _ := n.store.Container("web"); c.TTY || a.header.Get("Retry-After") == "" {
		t.Errorf("got %+v, %v", c, a.header)
	}
}

func TestWaitsEndWithTheToken(t *testing.T) {
	n := newNode(t, func(c *config) { c.CheckEvery = time.Millisecond })
	n.create("web")
	waiting := n.sending("PATCH", "/containers/web?wait=synced&timeout=10m", `{"tty":false}`, "Authorization: Bearer "+n.temporary("1h", false))
	n.tokens.pass(time.Hour)
	(<-waiting).want(t, 401, "Unauthorized")
}

// TestWaitsEndWithTheClient: nobody is left in the room.
func TestWaitsEndWithTheClient(t *testing.T) {
	n := newNode(t, func(c *config) { c.MaxWaits = 1 })
	n.create("web")
	n.create("other")
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	r := harness.Value[*http.Request](t)(http.NewRequestWithContext(ctx, "PATCH", n.url+"/containers/web?wait=synced", strings.NewReader(`{"tty":false}`)))
	r.Header.Set("Authorization", "Bearer "+masterToken)
	r.Header.Set("Content-Type", "application/json")
	written := make(chan struct{}, 1)
	defer n.store.Subscribe(func(string) { written <- struct{}{} })()
	ended := make(chan error)
	go func() {
		response, err := n.client.Do(r)
		if err == nil {
			_ = response.Body.Close()
		}
		ended <- err
	}()
	<-written
	hangUp()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for n.send("PATCH", "/containers/other?wait=synced&timeout=1ms", `{}`).status == http.StatusTooManyRequests { // until its place is free
	}
	if logged := n.logs.String(); logged != "" {
		t.Errorf("logged %s", logged)
	}
}

// TestLongWaits outlast what the server gives other requests.
func TestLongWaits(t *testing.T) {
	n := newNode(t)
	n.create("web")
	eventually.Grow(t, 50*time.Millisecond, func(limit time.Duration) error {
		server := httptest.NewUnstartedServer(nil)
		server.Config = NewHTTPServer(n.Handler(), n.Server.log)
		server.Config.ReadTimeout, server.Config.WriteTimeout = limit, limit
		server.Start()
		defer server.Close()
		n.url = server.URL
		a, err := n.try("PATCH", fmt.Sprintf("/containers/web?wait=synced&timeout=%s", 4*limit), `{}`)
		if err == nil {
			a.want(t, 202, "Timeout")
		}
		return err
	})
}

// TestEveryWriteWaits: each of them takes the parameter, and answers for its own generation.
func TestEveryWriteWaits(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.installed("web")
	for i, c := range []struct{ request, body string }{
		{"PUT /containers/web?wait=synced", n.with("web", `"tty":false`)}, {"PATCH /containers/web?wait=synced", `{"tty":true}`},
		{"POST /containers/web/start?wait=synced", ""}, {"POST /containers/web/restart?wait=running", ""},
		{"POST /containers/web/stop?wait=synced", ""}, {"POST /containers/web/start?wait=running", ""}, {"POST /containers/web/kill?wait=synced", ""},
		{"POST /containers/web/rebind-network?wait=synced", `{"ports":[{}]}`},
	} {
		method, target, _ := strings.Cut(c.request, " ")
		waiting := n.sending(method, target, c.body)
		n.runs("web", int64(i+2))
		(<-waiting).want(t, 200, fmt.Sprintf(`"generation":%d,"wait":{"for":`, i+2))
	}
	if c, _ := n.store.Container("web"); c.Power != desired.PowerStopped {
		t.Errorf("got %+v", c.Spec)
	}
}
