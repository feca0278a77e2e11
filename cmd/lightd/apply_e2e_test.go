package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"lightd/httpapi/api"
)

// receipt is the body of an answer to a write.
func (a answer) receipt() (r api.Receipt) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.text), &r); err != nil {
		a.t.Fatal(err)
	}
	return r
}

var stepLine = regexp.MustCompile(`msg=step reconcile_id=\d+ container=(\S+) step=(\S+)`)

// steps are those that the daemon has taken for a container so far.
func (n *node) steps(id string) (list []string) {
	for _, m := range stepLine.FindAllStringSubmatch(n.log.String(), -1) {
		if m[1] == id {
			list = append(list, m[2])
		}
	}
	return list
}

// kinds are the steps of a plan.
func kinds(p *api.Plan) (list []string) {
	for _, s := range p.Steps {
		list = append(list, string(s.Kind))
	}
	return list
}

// TestDryRunSaysWhatHappens: what is told of a change before it is made is what comes of it.
func TestDryRunSaysWhatHappens(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	d := newDocker(t)
	volume, _ := n.volume()
	first := unused(t, 2)
	n.send("POST", "/network/ports", fmt.Sprintf(`{"ip":"0.0.0.0","ports":"%d-%d"}`, first, first+1)).want(201, "")
	const id = "e2e-plan"
	bound := func(port int, more string) string {
		return spec(id, volume, fmt.Sprintf(`"power":"running","start_pattern":"up","ports":[{"port":%d}]%s`, port, more))
	}
	created := n.send("POST", "/containers?dry_run=true", bound(first, "")).want(200, `"action":"created"`).receipt()
	if !d.absent("lightd-" + id) {
		t.Error("a dry run made a container")
	}
	n.send("GET", "/containers/"+id, "").want(404, "")
	n.send("POST", "/containers?wait=running", bound(first, "")).want(201, `"met":true,"reason":"PatternMatched"`)
	if c := n.get(id); !running(c) || !d.inspect("lightd-"+id).State.Running {
		t.Errorf("not running when told so: %+v", c)
	}
	// Nobody has looked for the image yet: whether it must be pulled is open.
	if got, want := strings.Join(n.steps(id), " "), strings.TrimPrefix(strings.Join(kinds(created.Plan), " "), "PullImage "); got != want {
		t.Errorf("took %s, told %s", got, want)
	}
	before := n.get(id)
	for _, change := range []struct {
		name, method, path, body string
		restarts, recreates      bool
		reason                   string
	}{
		{"other ports", "PUT", "", bound(first+1, ""), true, true, "ports changed"},
		{"limits", "PATCH", "", `{"limits":{"memory":67108864}}`, false, false, "memory from unlimited to 64 MiB, swap from 0 to 0"},
		{"labels", "PATCH", "", `{"labels":{"a":"b"}}`, false, false, ""},
		{"a restart", "POST", "/restart", "", true, false, "a restart was asked for"},
	} {
		taken := len(n.steps(id))
		tried := n.send(change.method, "/containers/"+id+change.path+"?dry_run=true", change.body).want(200, `"action":"updated"`).receipt()
		if tried.Restarts != change.restarts || tried.Recreates != change.recreates || change.reason != "" && tried.Steps[0].Reason != change.reason && change.name != "limits" {
			t.Errorf("%s: told %+v", change.name, tried.Plan)
		}
		n.send(change.method, "/containers/"+id+change.path+"?wait=synced", change.body).want(200, fmt.Sprintf(`"generation":%d`, tried.Generation)).want(200, `"met":true`)
		if got, want := strings.Join(n.steps(id)[taken:], " "), strings.Join(kinds(tried.Plan), " "); got != want {
			t.Errorf("%s: took %q, told %q", change.name, got, want)
		}
		after := n.get(id)
		if made := after.ContainerID != before.ContainerID; made != change.recreates || !after.synced() {
			t.Errorf("%s: from %s to %+v", change.name, before.ContainerID, after)
		}
		n.send("GET", "/containers/"+id+"/plan", "").want(200, `"plan":[]`)
		before = after
	}
	if got := d.inspect("lightd-" + id).HostConfig.PortBindings; len(got) != 1 || !strings.Contains(fmt.Sprint(got), fmt.Sprint(first+1)) {
		t.Errorf("bound to %v", got)
	}
	tried := n.send("POST", "/containers/"+id+"/kill?dry_run=true", "").want(200, "").receipt()
	if got := strings.Join(kinds(tried.Plan), " "); got != "KillContainer" || !tried.Restarts {
		t.Errorf("a kill: told %+v", tried.Plan)
	}
	gone := n.send("DELETE", "/containers/"+id+"?dry_run=true", "").want(200, `"action":"deleted"`).receipt()
	if got := strings.Join(kinds(gone.Plan), " "); got != "StopContainer RemoveContainer Finalize" {
		t.Errorf("a deletion: told %s", got)
	}
	n.delete(id)
}

// TestWaitsEndWhereNothingMoreComes: each at once, with the reason, long before its time.
func TestWaitsEndWhereNothingMoreComes(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	volume, _ := n.volume()
	for _, c := range []struct{ name, request, body, text string }{
		{"a script that fails", "PUT /containers/e2e-script?wait=installed", spec("e2e-script", volume, `"install_script":"echo no; exit 3"`),
			`"reason":"InstallScriptFailed","message":"the install script ended with exit code 3"`},
		{"the same, waited for again", "PATCH /containers/e2e-script?wait=synced", `{}`, `"reason":"InstallScriptFailed"`},
		{"a job that is done", "PUT /containers/e2e-job?wait=running", spec("e2e-job", volume, `"power":"running","restart":"never","start_pattern":"never printed","startup_command":"exit 4"`),
			`"reason":"Exited","message":"the process ended (exit code 4) and its restart policy is never"`},
		{"a program that ends at once", "PUT /containers/e2e-crash?wait=running", spec("e2e-crash", volume, `"power":"running","start_pattern":"never printed","startup_command":"exit 4"`),
			`"reason":"Exited","message":"the process ended within 1s (exit code 4)"`},
		{"a program that says why", "PUT /containers/e2e-says?wait=running", spec("e2e-says", volume, `"power":"running","restart":"never","start_pattern":"never printed","startup_command":"for i in 1 2 3 4 5 6; do echo line $i; done; exit 4"`),
			`"reason":"Exited","message":"the process ended (exit code 4) and its restart policy is never; last output: line 2 | line 3 | line 4 | line 5 | line 6"`},
		{"a script that says why", "PUT /containers/e2e-script-says?wait=running", spec("e2e-script-says", volume, `"power":"running","install_script":"echo no room; exit 3"`),
			`"reason":"InstallScriptFailed","message":"the install script ended with exit code 3; last output: no room"`},
		{"what is paused", "PUT /containers/e2e-paused?wait=synced", spec("e2e-paused", volume, `"paused":true`), `"reason":"Paused"`},
	} {
		method, target, _ := strings.Cut(c.request, " ")
		n.send(method, target+"&timeout=10m", c.body).want(202, `"met":false,`+c.text)
	}
	n.send("PUT", "/containers/e2e-late?wait=running&timeout=500ms", spec("e2e-late", volume, `"power":"running","start_pattern":"never printed"`)).want(202, `"reason":"Timeout"`)
	n.until("e2e-late", "up", func(c view) bool { return c.State == "starting" })
	// A start that a stop overtakes.
	overtaken := make(chan answer)
	n.send("POST", "/containers/e2e-late/stop?wait=stopped", "").want(200, `"met":true`)
	generation := n.get("e2e-late").Generation
	go func() { overtaken <- n.send("POST", "/containers/e2e-late/start?wait=running&timeout=10m", "") }()
	n.until("e2e-late", "to be started", func(c view) bool { return c.Generation > generation })
	n.send("POST", "/containers/e2e-late/kill?wait=stopped", "").want(200, `"met":true`)
	(<-overtaken).want(202, `"reason":"Overtaken"`)
	n.send("DELETE", "/containers/e2e-script?wait=stopped", "").want(200, `"met":true`)
	n.delete("e2e-late")
}

// TestApplyAndPrune: a list comes true, and what it lacks later goes.
func TestApplyAndPrune(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	d := newDocker(t)
	volume, _ := n.volume()
	first := unused(t, 2)
	n.send("POST", "/network/ports", fmt.Sprintf(`{"ip":"0.0.0.0","ports":"%d-%d"}`, first, first+1)).want(201, "")
	list := func(specs ...string) string {
		return `{"prune":true,"selector":"set=e2e","containers":[` + strings.Join(specs, ",") + `]}`
	}
	one := func(id, more string) string {
		return spec(id, volume, `"power":"running","labels":{"set":"e2e"}`+more)
	}
	n.send("POST", "/containers", spec("e2e-other", volume, "")).want(201, "")
	a, b := one("e2e-a", `,"ports":[{}]`), one("e2e-b", `,"ports":[{}],"install_script":"touch /made"`)
	n.send("POST", "/apply?wait=running", list(a, b, one("e2e-c", ""))).want(200, `"created":3,"updated":0,"unchanged":0,"deleted":0`)
	for _, id := range []string{"e2e-a", "e2e-b", "e2e-c"} {
		if c := n.get(id); !running(c) {
			t.Errorf("%s is not running when told so: %+v", id, c)
		}
	}
	events := func() int { return len(types(n.send("GET", "/events?limit=1000", "").json["events"].([]any))) }
	told, taken := events(), strings.Count(n.log.String(), "msg=step")
	n.send("POST", "/apply?wait=synced", list(a, b, one("e2e-c", ""))).want(200, `"created":0,"updated":0,"unchanged":3,"deleted":0`)
	n.send("POST", "/apply?dry_run=true", list(a, one("e2e-c", `,"env":{"A":"b"}`))).want(200, `"deleted":1`).want(200, "CheckHost")
	if events() != told || strings.Count(n.log.String(), "msg=step") != taken {
		t.Error("lists that change nothing made something happen")
	}
	n.send("POST", "/apply", list(a, one("e2e-new", fmt.Sprintf(`,"ports":[{"port":%d}]`, first)))).want(409, "Port already in use")
	n.send("POST", "/apply?wait=synced", list(a, one("e2e-c", `,"env":{"A":"b"}`))).want(200, `"created":0,"updated":1,"unchanged":1,"deleted":1`)
	n.send("GET", "/containers/e2e-b", "").want(404, "")
	if !d.absent("lightd-e2e-b") || d.absent("lightd-e2e-other") {
		t.Error("the wrong one went")
	}
	n.send("GET", fmt.Sprintf("/network/ports/0.0.0.0/%d", first+1), "").want(200, `"in_use":false`)
	n.send("POST", "/apply?wait=synced&timeout=2m", list()).want(200, `"deleted":2`)
	if got := n.send("GET", "/containers", "").want(200, "e2e-other").json["containers"].([]any); len(got) != 1 {
		t.Errorf("left: %v", got)
	}
}
