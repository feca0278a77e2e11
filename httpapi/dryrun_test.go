package httpapi

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/rest"
	"lightd/observed/status"
)

// steps are the steps of a plan, in one line.
func steps(p *api.Plan) string {
	if p == nil {
		return "no plan"
	}
	var list []string
	for _, s := range p.Steps {
		if s.Reason == "" {
			return fmt.Sprintf("step %s has no reason", s.Kind)
		}
		list = append(list, string(s.Kind))
	}
	return strings.Join(list, " ")
}

func receipt(t *testing.T, a answer) (r api.Receipt) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.text), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestDryRun: a dry run writes nothing, says what would follow, and says of the container
// what the real write then says.
func TestDryRun(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.installed("web")
	labelled := strings.TrimSuffix(n.spec("web"), "}") + `,"labels":{"a":"b"}}`
	const made = "PullImage CreateContainer WriteEntrypoint"
	cases := []struct {
		name, request, body string
		action              desired.Action
		generation          int64
		steps               string
	}{
		{"a create", "POST /containers", n.spec("new"), desired.Created, 1, made},
		{"a put of what is new", "PUT /containers/other", strings.TrimSuffix(n.spec("other"), "}") + `,"ports":[{}],"power":"running"}`, desired.Created, 1, made + " StartContainer"},
		{"a put of the same", "PUT /containers/web", n.spec("web"), desired.Unchanged, 1, "PullImage WriteEntrypoint CreateContainer"},
		{"a put", "PUT /containers/web", labelled, desired.Updated, 2, "PullImage WriteEntrypoint CreateContainer"},
		{"a patch of nothing", "PATCH /containers/web", `{}`, desired.Unchanged, 2, "PullImage WriteEntrypoint CreateContainer"},
		{"a patch", "PATCH /containers/web", `{"env":{"A":"b"}}`, desired.Updated, 3, "PullImage WriteEntrypoint CreateContainer"},
		{"a start", "POST /containers/web/start", "", desired.Updated, 4, "PullImage WriteEntrypoint CreateContainer StartContainer"},
		{"a start of what starts", "POST /containers/web/start", "", desired.Unchanged, 4, "PullImage WriteEntrypoint CreateContainer StartContainer"},
		{"a restart", "POST /containers/web/restart", "", desired.Updated, 5, "PullImage WriteEntrypoint CreateContainer StartContainer"},
		{"a kill", "POST /containers/web/kill", "", desired.Updated, 6, "PullImage WriteEntrypoint CreateContainer"},
		{"a stop", "POST /containers/web/stop", "", desired.Unchanged, 6, "PullImage WriteEntrypoint CreateContainer"},
		{"other ports", "POST /containers/web/rebind-network", `{"ports":[{"port":25566}]}`, desired.Updated, 7, "PullImage WriteEntrypoint CreateContainer"},
		{"a reinstall", "POST /containers/web/reinstall", `{"install_script":"true"}`, desired.Updated, 8, "PullImage CreateInstallContainer StartInstallScript KeepInstallation RemoveInstallContainer WriteEntrypoint CreateContainer"},
		{"a delete", "DELETE /containers/web", "", desired.Deleted, 9, "Finalize"},
		{"a second delete", "DELETE /containers/web", "", desired.Unchanged, 9, "Finalize"},
	}
	for _, c := range cases {
		method, target, _ := strings.Cut(c.request, " ")
		before := n.dump()
		a := n.send(method, target+"?dry_run=true", c.body).want(t, 200, "Nothing was written")
		if after := n.dump(); after != before {
			t.Fatalf("%s: something was written:\n%s\n%s", c.name, before, after)
		}
		tried := receipt(t, a)
		if tried.Action != c.action || tried.Generation != c.generation || steps(tried.Plan) != c.steps {
			t.Errorf("%s: got %s %d, %q", c.name, tried.Action, tried.Generation, steps(tried.Plan))
		}
		if a.header.Get("ETag") != "" || a.header.Get("Location") != "" {
			t.Errorf("%s: headers of what is not there: %v", c.name, a.header)
		}
		if c.action != desired.Deleted && c.action != desired.Unchanged {
			n.send(method, target+"?dry_run=false", c.body)
		} else {
			n.send(method, target, c.body)
		}
		real, found := n.store.Container(tried.InternalID)
		if !found || real.Generation != tried.Generation || !reflect.DeepEqual(real.Spec, *tried.Spec) {
			t.Errorf("%s: tried %+v, got %d %+v", c.name, tried.Spec, real.Generation, real.Spec)
		}
	}
}

// TestManyPortsAreWarnedOf: every write that leaves a container with so many ports names what the
// engine needs for them, and its dry run does.
func TestManyPortsAreWarnedOf(t *testing.T) {
	n := newNode(t)
	n.send("POST", "/network/ports", `{"ip":"127.0.0.1","ports":"30000-30299"}`).want(t, 201, "")
	list := func(count int) string {
		var ports []string
		for i := range count {
			ports = append(ports, fmt.Sprintf(`{"ip":"127.0.0.1","port":%d}`, 30000+i))
		}
		return `"ports":[` + strings.Join(ports, ",") + `]`
	}
	with := func(count int) string { return strings.TrimSuffix(n.spec("web"), "}") + "," + list(count) + "}" }
	const warned = `"warnings":[{"field":"ports","message":"300 published ports: the engine needs about 15 s, up to 90 s on a busy machine`
	for _, c := range []struct{ request, body, want, absent string }{
		{"POST /containers", with(49), `"internal_id"`, "warnings"},
		{"PUT /containers/web", with(50), `"message":"50 published ports: the engine needs about 3 s, up to 15 s`, ""},
		{"PUT /containers/web", with(300), warned, ""},
		{"PUT /containers/web", with(300), `"internal_id"`, "warnings"}, // it was so already
		{"POST /apply", `{"containers":[` + strings.TrimSuffix(with(300), "}") + `,"labels":{"a":"b"}}]}`, warned, ""},
		{"PATCH /containers/web", `{"labels":{"a":"c"}}`, warned, ""},
		{"POST /containers/web/start", "", warned, ""},
		{"DELETE /containers/web", "", `"internal_id"`, "warnings"},
	} {
		method, target, _ := strings.Cut(c.request, " ")
		for _, query := range []string{"?dry_run=true", ""} {
			a := n.send(method, target+query, c.body)
			if a.status >= 300 || !strings.Contains(a.text, c.want) || c.absent != "" && strings.Contains(a.text, c.absent) {
				t.Errorf("%s%s: %d %.600s", c.request, query, a.status, a.text)
			}
		}
	}
}

// TestMoreCoresThanTheHostHas: a write that asks for them is taken on every way in, with a warning, and the
// spec is as it was written.
func TestMoreCoresThanTheHostHas(t *testing.T) {
	n := newNode(t)
	with := func(cpu string) string {
		return strings.TrimSuffix(n.spec("web"), "}") + `,"limits":{"cpu":` + cpu + "}}"
	}
	const warned = `"warnings":[{"field":"limits.cpu","message":"64 cores, and the host has 4: the container gets these"}]`
	for _, c := range []struct{ request, body, want, absent string }{
		{"POST /containers", with("64"), warned, ""},
		{"PUT /containers/web", with("4"), `"internal_id"`, "warnings"},
		{"PUT /containers/web", with("64"), warned, ""},
		{"PUT /containers/web", with("64"), `"internal_id"`, "warnings"}, // it was so already
		{"PATCH /containers/web", `{"limits":{"cpu":5.5}}`, `"5.5 cores, and the host has 4`, ""},
		{"POST /apply", `{"containers":[` + with("64") + "]}", warned, ""},
		{"POST /containers/web/start", "", warned, ""},
	} {
		method, target, _ := strings.Cut(c.request, " ")
		for _, query := range []string{"?dry_run=true", ""} {
			a := n.send(method, target+query, c.body)
			if a.status >= 300 || !strings.Contains(a.text, c.want) || c.absent != "" && strings.Contains(a.text, c.absent) {
				t.Errorf("%s%s: %d %.600s", c.request, query, a.status, a.text)
			}
		}
	}
	n.send("GET", "/containers/web", "").want(t, 200, `"cpu":64`)
}

// TestDryRunOfNode: what has no plan is judged, and not done either.
func TestDryRunOfNode(t *testing.T) {
	n := newNode(t)
	id := n.send("POST", "/volumes", "").want(t, 201, "").json["volume_id"].(string)
	n.create("web")
	before := n.dump()
	for _, c := range []struct {
		request, body string
		status        int
		text          string
	}{
		{"POST /network/ports", `{"ip":"0.0.0.0","ports":"7000-7009"}`, 200, `{"plan":[],"restarts":false,"recreates":false,"keeps":[],"loses":[]}`},
		{"POST /network/ports", `{"ip":"0.0.0.0","port":25565}`, 409, "Port already exists in pool"},
		{"PUT /network/ports/0.0.0.0/25565/use", `{"in_use":true}`, 200, `"plan":[]`},
		{"DELETE /network/ports/0.0.0.0/25565", "", 200, `"plan":[]`},
		{"POST /network/ports/bulk-delete", `{"ports":[{"ip":"0.0.0.0","port":25565}]}`, 200, `"plan":[]`},
		{"POST /volumes", "", 200, `"plan":[]`},
		{"DELETE /volumes/" + id, "", 200, `"loses":["volume ` + id + `"]`},
		{"DELETE /volumes/" + n.volume, "", 409, "Volume is in use"},
	} {
		method, target, _ := strings.Cut(c.request, " ")
		n.send(method, target+"?dry_run=true", c.body).want(t, c.status, c.text)
	}
	if after := n.dump(); after != before {
		t.Errorf("something was written:\n%s\n%s", before, after)
	}
	if list := n.send("GET", "/volumes", "").want(t, 200, id).json["volumes"].([]any); len(list) != 2 {
		t.Errorf("there are %d volumes", len(list))
	}
	n.free.Store(0)
	n.send("POST", "/volumes?dry_run=true", "").want(t, 507, "disk_full")
	n.send("POST", "/containers?dry_run=true", n.spec("b")).want(t, 507, "disk_full")
}

// TestDryRunUnderPreconditions: what is judged stale is judged so without being written.
func TestDryRunUnderPreconditions(t *testing.T) {
	n := newNode(t)
	n.create("web")
	tag := "If-Match: " + n.send("GET", "/containers/web", "").header.Get("ETag")
	n.send("PATCH", "/containers/web?dry_run=true", `{"tty":false}`, tag).want(t, 200, `"action":"updated"`)
	n.send("PATCH", "/containers/web", `{"tty":false}`, tag).want(t, 200, `"generation":2`)
	n.send("PATCH", "/containers/web?dry_run=true", `{"tty":false}`, tag).want(t, 412, "precondition")
	n.send("DELETE", "/containers/web", "").want(t, 202, "")
	n.send("POST", "/containers/web/start?dry_run=true", "").want(t, 409, "being deleted")
	n.send("POST", "/containers/web/start", "", tag).want(t, 412, "precondition")
}

func TestPlan(t *testing.T) {
	n := newNode(t)
	n.create("web")
	shown := n.send("GET", "/containers/web", "")
	a := n.send("GET", "/containers/web/plan", "").want(t, 200, `{"plan":[{"step":"PullImage","reason":"it is not known whether image alpine:3 is on this machine"}`)
	if rest.GenerationTag(a.header.Get("ETag")) != rest.GenerationTag(shown.header.Get("ETag")) {
		t.Errorf("the plan is of %s, the container %s", a.header.Get("ETag"), shown.header.Get("ETag"))
	}
	n.record("web", func(st *status.Status) { st.ContainerID = "a1" })
	n.engine.down.Store(true)
	n.send("GET", "/containers/web/plan", "").want(t, 200, `"waits":{"reason":"EngineUnavailable"`)
	n.send("GET", "/containers/new/plan", "").want(t, 404, "Container not found")
}

// TestETagOfList: before the dot it names what the specs are, and nothing of how the containers are.
func TestETagOfList(t *testing.T) {
	n := newNode(t)
	tag := func(query string) string {
		return rest.GenerationTag(n.send("GET", "/containers"+query, "").want(t, 200, "").header.Get("ETag"))
	}
	none := tag("")
	n.create("a")
	one, chosen := tag(""), tag("?selector=x")
	if one == none || chosen != none {
		t.Errorf("none is %s, one %s, none chosen %s", none, one, chosen)
	}
	n.installed("a")
	if tag("") != one {
		t.Error("a status changed the tag")
	}
	n.send("POST", "/containers/a/start", "").want(t, 200, "")
	if tag("") == one {
		t.Error("a start did not change the tag")
	}
}
