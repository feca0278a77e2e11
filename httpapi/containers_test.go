package httpapi

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/containers"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// TestPage sends the published page's own example, and reads back what it shows.
func TestPage(t *testing.T) {
	n := newNode(t, func(c *config) { c.DeleteWait = 10 * time.Second })
	body := fmt.Sprintf(`{
  "internal_id": "my-server-001", "image": "ubuntu:22.04", "volume_id": %q,
  "startup_command": "bash -c 'while true; do echo Hello; sleep 1; done'", "start_pattern": "Hello",
  "ports": [{"ip": "0.0.0.0", "port": 25565, "protocol": "tcp"}],
  "limits": {"memory": 536870912, "cpu": 1.0}, "mount": null,
  "install_script": "#!/bin/bash\napt-get update\napt-get install -y curl"}`, n.volume)
	a := n.send("POST", "/containers", body, "Accept: Application/vnd.pkglatv1+json").want(t, 201, "")
	want := map[string]any{"message": "Container creation started", "internal_id": "my-server-001", "state": "installing", "generation": 1.0}
	if !reflect.DeepEqual(a.json, want) {
		t.Errorf("got %v, want %v", a.json, want)
	}
	n.record("my-server-001", func(st *status.Status) { st.ContainerID = strings.Repeat("a1b2c3d4e5f6", 5) }, journal.Started)
	shown := n.send("GET", "/containers/my-server-001", "").want(t, 200, "")
	created, _ := n.store.Container("my-server-001")
	for field, value := range map[string]any{
		"container_id": "a1b2c3d4e5f6", "install_state": "installing", "state": "offline", "power": "stopped", "last_exit": nil,
		"mount": map[string]any{}, "conditions": []any{}, "created_at": float64(created.CreatedAt.Unix()), "restarts": 0.0, "tty": true,
		"ports":  []any{map[string]any{"ip": "0.0.0.0", "port": 25565.0, "protocol": "tcp", "container_port": 25565.0}},
		"limits": map[string]any{"memory": 536870912.0, "cpu": 1.0, "swap": 0.0, "pids": 512.0, "cpuset": "", "io_weight": 0.0, "memory_reservation": 0.0, "oom_disable": false},
	} {
		if !reflect.DeepEqual(shown.json[field], value) {
			t.Errorf("%s is %v, want %v", field, shown.json[field], value)
		}
	}
	n.engine.down.Store(true)
	n.send("GET", "/containers", "").want(t, 200, `"install_state":"installing","image":"ubuntu:22.04"`).want(t, 200, `"state":"unknown"`)
	n.engine.down.Store(false)
	n.send("GET", "/containers/my-server-001/events", "").want(t, 200, `"type":"Started"`).want(t, 200, `"last_seq":1`)
	n.send("GET", "/events?after=1", "").want(t, 200, `{"events":[],"last_seq":1}`)
	n.send("GET", "/containers/my-server-001/install-log", "").want(t, 404, `"error":"Install log not found"`)
}

// TestViewHoldsSpec: whatever can be written is shown, and whatever is shown and is not
// written is passed over, so that GET, change, PUT works.
func TestViewHoldsSpec(t *testing.T) {
	names := func(v any) []string {
		var out []string
		for i := range reflect.TypeOf(v).NumField() {
			name, _, _ := strings.Cut(reflect.TypeOf(v).Field(i).Tag.Get("json"), ",")
			out = append(out, name)
		}
		slices.Sort(out)
		return out
	}
	all := append(names(desired.Spec{}), append(containers.ReadOnly, "env_hidden")...) // that one is refused, with a reason
	slices.Sort(all)
	if shown := names(api.Container{}); !slices.Equal(shown, all) {
		t.Errorf("shown %v\nwritable or passed over %v", shown, all)
	}
}

func TestReadChangeWrite(t *testing.T) {
	n := newNode(t)
	n.send("PUT", "/containers/web", strings.Replace(n.spec("web"), `"internal_id":"web",`, "", 1)+" ").want(t, 201, `"generation":1`)
	read := n.send("GET", "/containers/web", "").want(t, 200, "")
	tag := "If-Match: " + read.header.Get("ETag")
	n.send("PUT", "/containers/web", read.text, tag).want(t, 200, `"generation":1`)
	changed := strings.Replace(read.text, "sleep 1", "sleep 2", 1)
	n.send("PUT", "/containers/web", changed, tag).want(t, 200, `"generation":2`)
	n.send("PUT", "/containers/web", read.text, tag).want(t, 412, "precondition")
	n.send("PUT", "/containers/web", changed).want(t, 200, `"generation":2`)
	n.send("PATCH", "/containers/web", `{"env":{"A":"1","B":"2"},"limits":{"memory":6291456}}`, "Content-Type: application/merge-patch+json").want(t, 200, `"generation":3`)
	n.send("PATCH", "/containers/web", `{"env":{"A":null},"tty":false,"generation":9}`).want(t, 200, `"generation":4`)
	c, _ := n.store.Container("web")
	if c.StartupCommand != "sleep 2" || !reflect.DeepEqual(c.Env, map[string]string{"B": "2"}) || c.TTY || c.Limits.Memory != 6291456 {
		t.Errorf("got %+v", c.Spec)
	}
	n.send("PATCH", "/containers/web", `{"tty":null,"env":null,"limits":null}`).want(t, 200, `"generation":5`)
	n.send("PATCH", "/containers/web", `{"tty":true}`).want(t, 200, `"generation":5`)
	n.send("PUT", "/containers/web", n.spec("web"), "If-None-Match: *").want(t, 412, "")
	n.send("PUT", "/containers/other", n.spec("other"), "If-None-Match: *").want(t, 201, "")
}

func TestSelector(t *testing.T) {
	n := newNode(t)
	for id, labels := range map[string]string{"a": `{"tier":"web","x":""}`, "b": `{"tier":"db"}`, "c": `{}`} {
		n.send("POST", "/containers", strings.TrimSuffix(n.spec(id), "}")+`,"labels":`+labels+`}`).want(t, 201, "")
	}
	for selector, want := range map[string]string{
		"": "abc", "tier": "ab", "tier=web": "a", "tier==web": "a", "tier,x": "a", "tier!=web": "bc", "!tier": "c", "x=": "a", "tier=web,!x": "",
	} {
		a := n.send("GET", "/containers?selector="+strings.ReplaceAll(selector, "!", "%21"), "").want(t, 200, "containers")
		got := ""
		for _, c := range a.json["containers"].([]any) {
			got += c.(map[string]any)["internal_id"].(string)
		}
		if got != want {
			t.Errorf("selector %q: got %q, want %q", selector, got, want)
		}
	}
}

func TestPowerRoutes(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.send("POST", "/containers/web/start", "").want(t, 200, `"message":"Container start initiated","internal_id":"web","generation":2`)
	// A start that is on its way is the same start, also while the engine is away.
	n.engine.down.Store(true)
	n.send("POST", "/containers/web/start", "{}").want(t, 200, `"generation":2`)
	n.engine.down.Store(false)
	n.record("web", func(st *status.Status) { st.State, st.StartHandled = status.StateBackOff, 1 })
	n.send("POST", "/containers/web/start", "").want(t, 200, `"generation":3`)
	n.send("POST", "/containers/web/restart", "").want(t, 200, `"Container restart initiated"`).want(t, 200, `"generation":4`)
	n.send("POST", "/containers/web/stop", "").want(t, 200, `"Container stop initiated"`).want(t, 200, `"generation":5`)
	n.send("POST", "/containers/web/stop", "").want(t, 200, `"generation":5`)
	n.send("POST", "/containers/web/kill", "").want(t, 200, `"Container kill initiated"`).want(t, 200, `"generation":6`)
	n.send("POST", "/containers/web/kill", "").want(t, 200, `"generation":6`)
	n.send("PATCH", "/containers/web", `{"power":"running"}`).want(t, 200, `"generation":7`)
	if c, _ := n.store.Container("web"); c.Kill || c.Power != desired.PowerRunning {
		t.Errorf("a wish to run left %+v", c)
	}
}

// TestMountsInBothForms: a mount is a path, or an object that may make it read-only. What may be written to
// is shown as a path, as clients know it.
func TestMountsInBothForms(t *testing.T) {
	n := newNode(t)
	with := func(mount string) string { return strings.TrimSuffix(n.spec("web"), "}") + `,"mount":` + mount + "}" }
	n.send("PUT", "/containers/web", with(`{"/a":"/srv/a","/b":{"source":"/srv/b","read_only":true},"/c":{"source":"/srv/c","read_only":false},"/d":{"source":"/srv/d"}}`)).want(t, 201, "")
	const shown = `"mount":{"/a":"/srv/a","/b":{"source":"/srv/b","read_only":true},"/c":"/srv/c","/d":"/srv/d"}`
	read := n.send("GET", "/containers/web", "").want(t, 200, shown)
	n.send("PUT", "/containers/web", read.text).want(t, 200, `"generation":1`)
	n.send("PATCH", "/containers/web", `{"mount":{"/b":{"read_only":false},"/c":{"source":"/srv/c","read_only":true},"/d":null}}`).want(t, 200, `"generation":2`)
	n.send("GET", "/containers/web", "").want(t, 200, `"mount":{"/a":"/srv/a","/b":"/srv/b","/c":{"source":"/srv/c","read_only":true}}`)
	for mount, field := range map[string]string{
		`{"/a":5}`: "mount./a", `{"/a":null}`: "mount./a", `{"/a":{}}`: "mount./a.source", `{"/a":{"read_only":true}}`: "mount./a.source", `{"/a":{"source":"/etc"}}`: "mount./a",
		`{"/a":{"source":"/srv","read_only":"yes"}}`: "mount./a.read_only", `{"/a":{"source":"/srv","readonly":true}}`: "mount./a.readonly", `{"/a":{"source":null}}`: "mount./a.source",
		`{"/a":"/srv/x","/b":{"source":"/srv/x/y","read_only":true}}`: "mount./b",
	} {
		answer := n.send("PUT", "/containers/web", with(mount)).want(t, 400, `"field":"`+field+`"`)
		if mount == `{"/a":5}` {
			answer.want(t, 400, "mount./a must be a path of the host, or an object")
		}
	}
	n.send("PUT", "/containers/web", with(`{"/a":{"source":"/srv/x","read_only":true},"/b":{"source":"/srv/x/y","read_only":true}}`)).want(t, 200, "")
	n.send("PUT", "/containers/web", with(`[]`)).want(t, 200, "")
}

// TestSuspended: starts are refused until a write lifts the suspension, over REST and WebSocket, and the
// power that was is there again then.
func TestSuspended(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.send("POST", "/containers/web/start", "").want(t, 200, "")
	n.send("PATCH", "/containers/web?wait=running", `{"suspended":true}`).want(t, 400, "cannot come true: the container is suspended")
	n.send("PATCH", "/containers/web", `{"suspended":true}`).want(t, 200, `"generation":3`)
	const refused = `{"error":"Container is suspended","code":"suspended"}`
	for _, action := range []string{"start", "restart"} {
		n.send("POST", "/containers/web/"+action, "").want(t, 409, refused)
		n.send("POST", "/containers/web/"+action+"?dry_run=true", "").want(t, 409, refused)
	}
	p := n.connect("/ws/web")
	for {
		p.send(`{"event":"power","action":"start"}`)
		if strings.Contains(p.read(), "Container is suspended") {
			break
		}
	}
	n.send("GET", "/containers/web", "").want(t, 200, `"power":"running"`).want(t, 200, `"suspended":true`).want(t, 200, `"generation":3`)
	n.send("GET", "/containers", "").want(t, 200, `"suspended":true`)
	n.send("POST", "/apply", `{"containers":[`+n.spec("web")+`]}`).want(t, 200, "")
	n.send("GET", "/containers/web", "").want(t, 200, `"power":"running"`).want(t, 200, `"suspended":false`)
	n.send("POST", "/containers/web/start", "").want(t, 200, "")
	n.send("PATCH", "/containers/web", `{"suspended":1}`).want(t, 400, `"field":"suspended"`)
}

func TestInstallation(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.send("POST", "/containers/web/rebind-network", `{"ports":[]}`).want(t, 409, `"error":"Cannot rebind network while container is installing"`)
	n.send("POST", "/containers/web/reinstall", "").want(t, 409, "while container is installing")
	n.installed("web")
	n.send("POST", "/containers/web/rebind-network", `{"ports":[{"ip":"0.0.0.0","port":25566,"protocol":"tcp"}]}`).want(t, 200, `"Network rebinding started"`)
	n.send("POST", "/containers", strings.TrimSuffix(n.spec("b"), "}")+`,"ports":[{"ip":"127.0.0.1","port":25566}]}`).want(t, 400, "Port not found")
	n.send("POST", "/containers", strings.TrimSuffix(n.spec("b"), "}")+`,"ports":[{"port":25566}]}`).want(t, 409, `"error":"Port already in use"`)
	n.send("GET", "/network/ports/0.0.0.0/25566", "").want(t, 200, `"in_use":true,"internal_id":"web"`)
	n.send("DELETE", "/network/ports/0.0.0.0/25566", "").want(t, 409, "Port already in use")
	n.send("PUT", "/network/ports/0.0.0.0/25566/use", `{"in_use":false}`).want(t, 409, "Port already in use")

	n.send("POST", "/containers/web/reinstall", `{"install_script":"exit 1"}`).want(t, 200, `"Container reinstall started"`)
	n.send("GET", "/containers/web", "").want(t, 200, `"install_state":"installing"`)
	n.record("web", func(st *status.Status) {
		st.InstallState, st.Install = status.Failed, status.Install{Request: 2, Phase: status.InstallFailed}
	})
	n.send("GET", "/containers/web", "").want(t, 200, `"install_state":"failed"`)
	n.send("POST", "/containers/web/start", "").want(t, 409, `"code":"installation_failed"`)
	n.send("POST", "/containers/web/restart", "").want(t, 409, `"code":"installation_failed"`)
	n.send("POST", "/containers/web/reinstall", "{}").want(t, 200, "")
	if c, _ := n.store.Container("web"); c.InstallScript != "exit 1" || c.Requests.Install != 3 {
		t.Errorf("got %+v", c)
	}
}

func TestDelete(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.send("DELETE", "/containers/web", "").want(t, 202, `"message":"Container deletion started"`)
	n.send("DELETE", "/containers/web", "{}").want(t, 202, `"generation":2`)
	n.send("GET", "/containers/web", "").want(t, 200, `"deleting":true`)
	for _, request := range []string{"PUT ", "PATCH ", "POST /start", "POST /stop", "POST /kill", "POST /restart", "POST /reinstall", "POST /rebind-network"} {
		method, suffix, _ := strings.Cut(request, " ")
		body := map[string]string{"PUT ": n.spec("web"), "PATCH ": `{"tty":false}`, "POST /rebind-network": `{"ports":[]}`}[request]
		n.send(method, "/containers/web"+suffix, body).want(t, 409, `"error":"Container is being deleted"`)
	}
	n.send("POST", "/containers", n.spec("web")).want(t, 409, "Container already exists")
	n.remove("web")
	n.send("DELETE", "/containers/web", "").want(t, 404, "Container not found")
}

// TestDeleteWaits: all who delete hear of the end when it comes, also when somebody
// makes the container anew at once.
func TestDeleteWaits(t *testing.T) {
	n := newNode(t, func(c *config) { c.DeleteWait = time.Minute })
	n.create("web")
	marked := make(chan struct{}, 16)
	defer n.store.Subscribe(func(string) { marked <- struct{}{} })()
	var gone sync.WaitGroup
	for range 3 {
		gone.Go(func() {
			a := n.send("DELETE", "/containers/web", "")
			if a.status != 200 || a.json["message"] != "Container deleted successfully" {
				// The last of them may come when all is over.
				if a.status != 404 {
					t.Errorf("got %d %s", a.status, a.text)
				}
			}
		})
	}
	<-marked
	n.remove("web")
	gone.Wait()
	n.create("web")
}

func TestCloseEndsWaits(t *testing.T) {
	n := newNode(t, func(c *config) { c.DeleteWait = time.Hour })
	n.create("web")
	marked := make(chan struct{}, 1)
	defer n.store.Subscribe(func(string) { marked <- struct{}{} })()
	done := make(chan answer)
	go func() { done <- n.send("DELETE", "/containers/web", "") }()
	<-marked
	n.Close()
	if a := <-done; a.status != 202 {
		t.Errorf("got %d %s", a.status, a.text)
	}
}

func TestNetworkAndVolumes(t *testing.T) {
	n := newNode(t)
	n.send("POST", "/network/ports", `{"ip":"::1","port":53,"protocol":"udp"}`).want(t, 201, `{"message":"Port added to pool","ip":"::1","port":53,"protocol":"udp"}`)
	n.send("POST", "/network/ports", `{"ip":"10.0.0.1","ports":"7000-7009"}`).want(t, 201, `"added_count":10`).want(t, 201, `"Added 10 ports to pool"`)
	n.send("POST", "/network/ports", `{"ip":"10.0.0.1","ports":"7010"}`).want(t, 201, `"Added 1 port to pool"`)
	n.send("POST", "/network/ports/bulk-delete", `{"ports":[{"ip":"10.0.0.1","port":7010}]}`).want(t, 200, `"Deleted 1 port from pool"`)
	n.send("GET", "/network/ports/::1/53?protocol=udp", "").want(t, 200, `{"ip":"::1","port":53,"protocol":"udp","in_use":false,"internal_id":""}`)
	n.send("PUT", "/network/ports/::1/53/use?protocol=udp", `{"in_use":true}`).want(t, 200, `"in_use":true`)
	n.send("GET", "/network/ports/random?protocol=udp", "").want(t, 404, "No available ports in pool")
	n.send("GET", "/network/ports/random", "").want(t, 200, `"protocol":"tcp","in_use":false`)
	n.send("PUT", "/network/ports/::1/53/use?protocol=udp", `{"in_use":false}`).want(t, 200, `"in_use":false`)
	n.send("DELETE", "/network/ports/::1/53?protocol=udp", "").want(t, 200, `"Port deleted from pool"`)
	n.send("POST", "/network/ports/bulk-delete", `{"ports":[{"ip":"10.0.0.1","port":7000},{"ip":"10.0.0.1","port":7001}]}`).want(t, 200, `"Deleted 2 ports from pool"`)
	if list := n.send("GET", "/network/ports", "").want(t, 200, "").json["ports"].([]any); len(list) != 10 {
		t.Errorf("got %d ports", len(list))
	}

	id := n.send("POST", "/volumes", "").want(t, 201, `"path"`).json["volume_id"].(string)
	n.create("web")
	n.send("GET", "/volumes/"+n.volume, "").want(t, 200, `"containers":["web"],"size":0`)
	n.send("GET", "/volumes", "").want(t, 200, `"containers":["web"]`).want(t, 200, id)
	n.send("DELETE", "/volumes/"+id, "").want(t, 200, `"Volume deleted successfully"`)
	n.send("DELETE", "/volumes/"+id, "").want(t, 404, `"error":"Volume not found"`)
}

// TestOnePortFiftyTakers: however many want a port at once, one gets it.
func TestOnePortFiftyTakers(t *testing.T) {
	n := newNode(t)
	var mu sync.Mutex
	counts := map[int]int{}
	var gone sync.WaitGroup
	for i := range 50 {
		gone.Go(func() {
			body := strings.TrimSuffix(n.spec(fmt.Sprintf("c%d", i)), "}") + `,"ports":[{"port":25565}]}`
			a := n.send("POST", "/containers", body)
			mu.Lock()
			defer mu.Unlock()
			counts[a.status]++
		})
	}
	gone.Wait()
	if !reflect.DeepEqual(counts, map[int]int{201: 1, 409: 49}) {
		t.Errorf("got %v", counts)
	}
}
