package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/hack/harness"
)

// badFields are values of one field of a spec that no route may take, with the name that
// the refusal gives the field. %s is the host's directory that mounts may come from.
var badFields = []struct{ field, value, named string }{
	{"image", `""`, "image"},
	{"image", `"-v"`, "image"},
	{"image", `"two words"`, "image"},
	{"image", `"http://example.com/a"`, "image"},
	{"image", `"UPPER"`, "image"},
	{"image", `"a@sha256:1234"`, "image"},
	{"image", `"` + strings.Repeat("a", 600) + `"`, "image"},
	{"image", `7`, "image"},
	{"startup_command", `""`, "startup_command"},
	{"startup_command", `"  "`, "startup_command"},
	{"startup_command", `"a\u0000b"`, "startup_command"},
	{"startup_command", `["sh"]`, "startup_command"},
	{"start_pattern", `"("`, "start_pattern"},
	{"start_pattern", `"(?=a)"`, "start_pattern"},
	{"start_pattern", `"` + strings.Repeat("a", 513) + `"`, "start_pattern"},
	{"install_script", `"` + strings.Repeat("a", 513<<10) + `"`, "install_script"},
	{"install", `{"image":"alpine"}`, "install.script"},
	{"install", `{"script":"true","scripts":"x"}`, "install.scripts"},
	{"install", `{"script":"true","entrypoint":"bash -e"}`, "install.entrypoint"},
	{"install", `{"script":"true","mount":"/proc"}`, "install.mount"},
	{"install", `{"script":"true","user":"steam"}`, "install.user"},
	{"install", `{"script":"true","timeout":"1ms"}`, "install.timeout"},
	{"limits", `{"memory":1}`, "limits.memory"},
	{"limits", `{"memory":6291455}`, "limits.memory"},
	{"limits", `{"memory":-1}`, "limits.memory"},
	{"limits", `{"memory":1.5}`, "limits.memory"},
	{"limits", `{"memory":9223372036854775808}`, "limits.memory"},
	{"limits", `{"memory":"512M"}`, "limits.memory"},
	{"limits", `{"cpu":-0.5}`, "limits.cpu"},
	{"limits", `{"cpu":1e999}`, "limits.cpu"},
	{"limits", `{"cpu":65537}`, "limits.cpu"},
	{"limits", `{"swap":1048576}`, "limits.swap"},
	{"limits", `{"memory":67108864,"swap":-2}`, "limits.swap"},
	{"limits", `{"swap":-1}`, "limits.swap"},
	{"limits", `{"cpuset":"1-0"}`, "limits.cpuset"},
	{"limits", `{"cpuset":3}`, "limits.cpuset"},
	{"limits", `{"cpuset":"8191"}`, "limits.cpuset"},
	{"limits", `{"io_weight":9}`, "limits.io_weight"},
	{"limits", `{"io_weight":1001}`, "limits.io_weight"},
	{"limits", `{"memory_reservation":1}`, "limits.memory_reservation"},
	{"limits", `{"memory":67108864,"memory_reservation":67108865}`, "limits.memory_reservation"},
	{"limits", `{"oom_disable":true}`, "limits.oom_disable"},
	{"limits", `{"pids":-1}`, "limits.pids"},
	{"limits", `{"disk":1}`, "limits.disk"},
	{"limits", `[1]`, "limits"},
	{"ports", `{}`, "ports"},
	{"ports", `[null]`, "ports[0]"},
	{"ports", `[{"port":-1}]`, "ports[0].port"},
	{"ports", `[{"port":65536}]`, "ports[0].port"},
	{"ports", `[{"port":"80"}]`, "ports[0].port"},
	{"ports", `[{"ip":"localhost","port":80}]`, "ports[0].ip"},
	{"ports", `[{"ip":"256.0.0.1","port":80}]`, "ports[0].ip"},
	{"ports", `[{"port":80,"protocol":"icmp"}]`, "ports[0].protocol"},
	{"ports", `[{"port":80,"container_port":65536}]`, "ports[0].container_port"},
	{"mount", `{"/":"%s"}`, "mount./"},
	{"mount", `{"/home/container":"%s"}`, "mount./home/container"},
	{"mount", `{"/home/container/x":"%s"}`, "mount./home/container/x"},
	{"mount", `{"/app/data":"%s"}`, "mount./app/data"},
	{"mount", `{"/etc/passwd":"%s"}`, "mount./etc/passwd"},
	{"mount", `{"/proc":"%s"}`, "mount./proc"},
	{"mount", `{"x":"%s"}`, "mount"},
	{"mount", `{"/x/":"%s"}`, "mount"},
	{"mount", `{"/a/../x":"%s"}`, "mount"},
	{"mount", `{"/x:ro":"%s"}`, "mount"},
	{"mount", `{"/x":"/"}`, "mount./x"},
	{"mount", `{"/x":"/etc"}`, "mount./x"},
	{"mount", `{"/x":"%s-evil"}`, "mount./x"},
	{"mount", `{"/x":"%s/.."}`, "mount./x"},
	{"mount", `{"/x":"%s/missing"}`, "mount./x"},
	{"mount", `{"/x":"%s/link"}`, "mount./x"},
	{"mount", `{"/x":"/var/run/docker.sock"}`, "mount./x"},
	{"mount", `["/x"]`, "mount"},
	{"mount", `{"/x":{"source":"/etc","read_only":true}}`, "mount./x"},
	{"mount", `{"/x":{"source":"%s","read_only":1}}`, "mount./x.read_only"},
	{"mount", `{"/x":{"source":"%s","ro":true}}`, "mount./x.ro"},
	{"env", `{"":"x"}`, "env"},
	{"env", `{"A=B":"x"}`, "env"},
	{"env", `{"A\nB":"x"}`, "env"},
	{"env", `{"A":"x\u0000"}`, "env.A"},
	{"env", `{"A":1}`, "env.A"},
	{"env", `["A=b"]`, "env"},
	{"labels", `{"lightd.id":"x"}`, "labels.lightd.id"},
	{"labels", `{"a=b":"x"}`, "labels"},
	{"labels", `{"a":true}`, "labels.a"},
	{"power", `"on"`, "power"},
	{"power", `true`, "power"},
	{"restart", `"sometimes"`, "restart"},
	{"image_policy", `"latest"`, "image_policy"},
	{"image_pull", `"Always"`, "image_pull"},
	{"quota_exceeded", `"kill"`, "quota_exceeded"},
	{"stop", `{"signal":"SIGSTOP"}`, "stop.signal"},
	{"stop", `{"signal":"65"}`, "stop.signal"},
	{"stop", `{"timeout":"-1s"}`, "stop.timeout"},
	{"stop", `{"timeout":"soon"}`, "stop.timeout"},
	{"stop", `{"timeout":"24h"}`, "stop.timeout"},
	{"user", `"a b"`, "user"},
	{"user", `"99999999999"`, "user"},
	{"user", `"me:"`, "user"},
	{"hostname", `"a_b"`, "hostname"},
	{"hostname", `"-a"`, "hostname"},
	{"hostname", `7`, "hostname"},
	{"read_only", `"yes"`, "read_only"},
	{"tmpfs", `{"/tmp":"64m,suid"}`, "tmpfs./tmp"},
	{"tmpfs", `{"/home/container/x":"64m"}`, "tmpfs./home/container/x"},
	{"network", `"host"`, "network"},
	{"network", `"container:a"`, "network"},
	{"network", `["none"]`, "network"},
	{"tty", `"yes"`, "tty"},
	{"init", `1`, "init"},
	{"paused", `"no"`, "paused"},
	{"suspended", `"no"`, "suspended"},
	{"privileged", `true`, "privileged"},
	{"Image", `"busybox"`, "Image"},
}

// world is everything that a client can read of a node.
func (n *node) world() string {
	n.t.Helper()
	var b strings.Builder
	for _, route := range []string{"/containers", "/containers/web", "/network/ports", "/volumes", "/events"} {
		a := n.send("GET", route, "").want(200, "")
		b.WriteString(a.text)
		b.WriteString(a.header.Get("ETag"))
	}
	return b.String()
}

// badNode is a node with one installed container, an allowed directory, and a link in it
// that leads out.
func badNode(t *testing.T) (n *node, volume, host string) {
	t.Helper()
	host = filepath.Join(t.TempDir(), "srv")
	for _, dir := range []string{host, host + "-evil"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc", filepath.Join(host, "link")); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "lightd.yaml")
	if err := os.WriteFile(config, []byte("mounts:\n  allowed: ["+host+"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, n = onSim(t, "--config", config)
	volume, _ = n.volume()
	n.send("POST", "/network/ports", `{"ip":"0.0.0.0","port":19100}`).want(201, "")
	n.send("POST", "/network/ports", `{"ip":"0.0.0.0","port":19101}`).want(201, "")
	n.send("POST", "/containers", spec("web", volume, `"ports":[{"port":19100}]`)).want(201, "")
	n.until("web", "installed", installed)
	return n, volume, host
}

// TestBadFields sends each bad value by every route that takes a spec.
func TestBadFields(t *testing.T) {
	t.Parallel()
	n, volume, host := badNode(t)
	before := n.world()
	for _, c := range badFields {
		value := strings.ReplaceAll(c.value, "%s", host)
		member := fmt.Sprintf("%q:%s", c.field, value)
		whole := func(id string) string {
			fields := map[string]string{"internal_id": fmt.Sprintf("%q", id), "image": fmt.Sprintf("%q", harness.Busybox()),
				"volume_id": fmt.Sprintf("%q", volume), "startup_command": `"sleep 1"`}
			fields[c.field] = value
			var list []string
			for k, v := range fields {
				list = append(list, fmt.Sprintf("%q:%s", k, v))
			}
			return "{" + strings.Join(list, ",") + "}"
		}
		requests := []struct{ method, path, body string }{
			{"POST", "/containers", whole("new")},
			{"PUT", "/containers/new", whole("new")},
			{"PUT", "/containers/web", whole("web")},
			{"PATCH", "/containers/web", "{" + member + "}"},
		}
		switch c.field {
		case "image", "install_script", "install":
			requests = append(requests, struct{ method, path, body string }{"POST", "/containers/web/reinstall", "{" + member + "}"})
		case "ports":
			requests = append(requests, struct{ method, path, body string }{"POST", "/containers/web/rebind-network", "{" + member + "}"})
		}
		for _, r := range requests {
			a := n.send(r.method, r.path, r.body)
			if a.status != http.StatusBadRequest || !strings.Contains(a.text, fmt.Sprintf(`"field":%q`, c.named)) || a.json["error"] == "" {
				t.Errorf("%.60s by %s %s: got %d %.300s", member, r.method, r.path, a.status, a.text)
			}
		}
	}
	if after := n.world(); after != before {
		t.Errorf("something was written:\n%s\n%s", before, after)
	}
}

// TestBadRequests sends what is wrong in other ways, to all kinds of routes. Where the
// contract or the page has a sentence, it is that one.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	n, volume, _ := badNode(t)
	good := spec("new", volume, "")
	cases := []struct {
		request, body string
		status        int
		text          string
		header        []string
	}{
		{"POST /containers", "", 400, "error", nil},
		{"POST /containers", "null", 400, "error", nil},
		{"POST /containers", "[" + good + "]", 400, "error", nil},
		{"POST /containers", good + "{}", 400, "error", nil},
		{"POST /containers", good[:30], 400, "error", nil},
		{"POST /containers", strings.Repeat("[", 100_000), 400, "error", nil},
		{"POST /containers", strings.Replace(good, "{", `{"image":"twice",`, 1), 400, `"field":"image"`, nil},
		{"POST /containers", `{"x":"` + strings.Repeat("a", 1<<20) + `"}`, 413, "error", nil},
		{"POST /containers", good, 415, "error", []string{"Content-Type: text/plain"}},
		{"POST /containers", good, 415, "error", []string{"Content-Type:"}},
		{"POST /containers", good, 415, "error", []string{"Content-Type: application/merge-patch+json"}},
		{"POST /containers", good, 406, "error", []string{"Accept: text/html"}},
		{"GET /containers", "", 406, "error", []string{"Accept: application/xml"}},
		{"POST /containers", good, 401, "error", []string{"Authorization:"}},
		{"POST /containers", good, 401, "error", []string{"Authorization: Bearer lightd_00000000000000000000"}},
		{"POST /containers", good, 401, "error", []string{"Authorization: Basic bGlnaHRkOng="}},
		{"GET /nowhere", "", 401, "error", []string{"Authorization:"}},
		{"GET /nowhere", "", 404, "error", nil},
		{"GET /containers/", "", 404, "error", nil},
		{"PUT /containers", good, 405, "error", nil},
		{"GET /containers/web/start", "", 405, "error", nil},
		{"POST /containers", spec("web", volume, ""), 409, `"error":"Container already exists"`, nil},
		{"POST /containers", spec("../x", volume, ""), 400, `"field":"internal_id"`, nil},
		{"POST /containers", spec("-x", volume, ""), 400, `"field":"internal_id"`, nil},
		{"POST /containers", spec(strings.Repeat("a", 64), volume, ""), 400, `"field":"internal_id"`, nil},
		{"POST /containers", spec("w\u0435b", volume, ""), 400, `"field":"internal_id"`, nil},
		{"POST /containers", spec("new", "d6764075-c5f1-4045-9fb3-85315b85cb0f", ""), 400, `"error":"Volume not found"`, nil},
		{"POST /containers", spec("new", "../..", ""), 400, "error", nil},
		{"POST /containers", spec("new", volume, `"ports":[{"port":1}]`), 400, `"error":"Port not found in network pool"`, nil},
		{"POST /containers", spec("new", volume, `"ports":[{"port":19100}]`), 409, `"error":"Port already in use"`, nil},
		{"POST /containers", spec("new", volume, `"ports":[{"port":19101},{"port":19101}]`), 400, "error", nil},
		{"POST /containers", spec("new", volume, `"ports":[{"ip":"127.0.0.1","port":19100}]`), 400, `"error":"Port not found in network pool"`, nil},
		{"POST /containers", good, 412, "error", []string{`If-Match: "1-1"`}},
		{"PUT /containers/web", spec("web", volume, ""), 412, "error", []string{`If-None-Match: *`}},
		{"PUT /containers/web", spec("web", volume, ""), 412, "error", []string{`If-Match: "stale"`}},
		{"PUT /containers/web", spec("other", volume, ""), 400, `"field":"internal_id"`, nil},
		{"PUT /containers/%2e%2e", good, 400, "error", nil},
		{"PATCH /containers/web", `{"internal_id":"other"}`, 400, `"field":"internal_id"`, nil},
		{"PATCH /containers/web", `{"volume_id":"d6764075-c5f1-4045-9fb3-85315b85cb0f"}`, 400, `"error":"Volume not found"`, nil},
		{"PATCH /containers/web", `{"startup_command":null}`, 400, `"field":"startup_command"`, nil},
		{"PATCH /containers/web", `{"power":"running"}`, 412, "error", []string{`If-Match: "stale"`}},
		{"PATCH /containers/nobody", `{}`, 404, `"error":"Container not found"`, nil},
		{"GET /containers/nobody", "", 404, `"error":"Container not found"`, nil},
		{"GET /containers/a%00b", "", 404, `"error":"Container not found"`, nil},
		{"DELETE /containers/nobody", "", 404, `"error":"Container not found"`, nil},
		{"DELETE /containers/web", `{"force":true}`, 400, `"field":"force"`, nil},
		{"DELETE /containers/web", "", 412, "error", []string{`If-Match: "stale"`}},
		{"POST /containers/web/start", `{"now":1}`, 400, `"field":"now"`, nil},
		{"POST /containers/web/start", "", 412, "error", []string{`If-Match: "stale"`}},
		{"POST /containers/web/kill", `[1]`, 400, "error", nil},
		{"POST /containers/nobody/stop", "", 404, `"error":"Container not found"`, nil},
		{"POST /containers/web/dance", "", 404, "error", nil},
		{"POST /containers/web/rebind-network", `{}`, 400, `"field":"ports"`, nil},
		{"POST /containers/web/rebind-network", `{"ports":null}`, 400, `"field":"ports"`, nil},
		{"POST /containers/web/rebind-network", `{"ports":[{"port":1}]}`, 400, `"error":"Port not found in network pool"`, nil},
		{"POST /containers/web/reinstall", `{"startup_command":"x"}`, 400, `"field":"startup_command"`, nil},
		{"GET /containers/web/events?limit=0", "", 400, `"field":"limit"`, nil},
		{"GET /events?limit=1001", "", 400, `"field":"limit"`, nil},
		{"GET /events?after=x", "", 400, `"field":"after"`, nil},
		{"GET /containers?selector=%3D", "", 400, `"field":"selector"`, nil},
		{"GET /ws/nobody", "", 404, `"error":"Container not found"`, nil},
		{"GET /ws/web", "", 401, "error", []string{"Authorization:"}},
		{"POST /network/ports", `{}`, 400, "error", nil},
		{"POST /network/ports", `{"ip":"0.0.0.0","port":0}`, 400, `"field":"port"`, nil},
		{"POST /network/ports", `{"ip":"x","port":1}`, 400, `"field":"ip"`, nil},
		{"POST /network/ports", `{"ip":"0.0.0.0","port":19100}`, 409, `"error":"Port already exists in pool"`, nil},
		{"POST /network/ports", `{"ip":"0.0.0.0","ports":"19099-19105"}`, 409, `"error":"Port already exists in pool"`, nil},
		{"POST /network/ports", `{"ip":"0.0.0.0","ports":"9-1"}`, 400, `"field":"ports"`, nil},
		{"GET /network/ports/0.0.0.0/1", "", 404, `"error":"Port not found in pool"`, nil},
		{"DELETE /network/ports/0.0.0.0/19100", "", 409, "error", nil},
		{"DELETE /network/ports/0.0.0.0/1", "", 404, `"error":"Port not found in pool"`, nil},
		{"PUT /network/ports/0.0.0.0/19100/use", `{"in_use":false}`, 409, "error", nil},
		{"PUT /network/ports/0.0.0.0/19101/use", `{"in_use":"yes"}`, 400, `"field":"in_use"`, nil},
		{"POST /network/ports/bulk-delete", `{"ports":[{"ip":"0.0.0.0","port":19101},{"ip":"0.0.0.0","port":1}]}`, 404, `"error":"Port not found in pool"`, nil},
		{"POST /network/ports/bulk-delete", `{"ports":[{"ip":"0.0.0.0","port":19101},{"ip":"0.0.0.0","port":19100}]}`, 409, "error", nil},
		{"DELETE /volumes/" + volume, "", 409, "error", nil},
		{"DELETE /volumes/..", "", 404, "error", nil},
		{"GET /volumes/%2e%2e%2f", "", 404, "error", nil},
		{"POST /volumes", `{"path":"/etc"}`, 400, `"field":"path"`, nil},
		{"POST /auth/tokens", `{}`, 400, `"field":"ttl"`, nil},
		{"POST /auth/tokens", `{"ttl":"31d"}`, 400, `"field":"ttl"`, nil},
		{"POST /auth/tokens", `{"ttl":3600}`, 400, `"field":"ttl"`, nil},
	}
	before := n.world()
	for _, c := range cases {
		method, path, _ := strings.Cut(c.request, " ")
		// What is too large can be cut off before the client reads why: it asks again.
		var a answer
		poll(t, func() (err error) {
			a, err = n.try(method, path, c.body, c.header...)
			if err != nil && c.status != http.StatusRequestEntityTooLarge {
				t.Fatal(err)
			}
			return err
		})
		if a.status != c.status || !strings.Contains(a.text, c.text) {
			t.Errorf("%s %.80q: got %d %.300s, want %d with %s", c.request, c.body, a.status, a.text, c.status, c.text)
		}
		if sentence, _ := a.json["error"].(string); sentence == "" || strings.Contains(a.text, "goroutine") {
			t.Errorf("%s: no sentence in %.300s", c.request, a.text)
		}
		if a.status == http.StatusMethodNotAllowed && a.header.Get("Allow") == "" {
			t.Errorf("%s: no Allow", c.request)
		}
		if after := n.world(); after != before {
			t.Fatalf("%s %.80q: something was written:\n%s\n%s", c.request, c.body, before, after)
		}
	}
}
