package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lightd/hack/harness"
)

// The bodies of the published page, word by word.
const (
	pageCreate = `{
  "internal_id": "my-server-001",
  "image": "ubuntu:22.04",
  "volume_id": "d6764075-c5f1-4045-9fb3-85315b85cb0f",
  "startup_command": "bash -c 'while true; do echo Hello; sleep 1; done'",
  "start_pattern": "Hello",
  "ports": [
    {
      "ip": "0.0.0.0",
      "port": 25565,
      "protocol": "tcp"
    }
  ],
  "limits": {
    "memory": 536870912,
    "cpu": 1.0
  },
  "mount": {
    "/custom/path": "/host/path"
  },
  "install_script": "#!/bin/bash\napt-get update\napt-get install -y curl"
}`
	pageCreated = `{
  "message": "Container creation started",
  "internal_id": "my-server-001",
  "state": "installing"
}`
	pageState = `{
  "internal_id": "my-server-001",
  "container_id": "a1b2c3d4e5f6",
  "volume_id": "d6764075-c5f1-4045-9fb3-85315b85cb0f",
  "image": "ubuntu:22.04",
  "startup_command": "bash -c 'while true; do echo Hello; sleep 1; done'",
  "start_pattern": "Hello",
  "install_state": "ready",
  "ports": [
    {
      "ip": "0.0.0.0",
      "port": 25565,
      "protocol": "tcp"
    }
  ],
  "limits": {
    "memory": 536870912,
    "cpu": 1.0
  },
  "mount": {},
  "created_at": 1706450000,
  "updated_at": 1706450100
}`
	pageList = `{
  "containers": [
    {
      "internal_id": "my-server-001",
      "container_id": "a1b2c3d4e5f6",
      "install_state": "ready",
      "image": "ubuntu:22.04"
    }
  ]
}`
	pageDeleted   = `{"message": "Container deleted successfully"}`
	pageStart     = `{"message": "Container start initiated", "internal_id": "my-server-001"}`
	pageKill      = `{"message": "Container kill initiated", "internal_id": "my-server-001"}`
	pageRestart   = `{"message": "Container restart initiated", "internal_id": "my-server-001"}`
	pageReinstall = `{
  "image": "ubuntu:22.04",
  "install_script": "#!/bin/bash\napt-get update"
}`
	pageReinstalled = `{"message": "Container reinstall started", "internal_id": "my-server-001"}`
	pageRebind      = `{
  "ports": [
    {
      "ip": "0.0.0.0",
      "port": 25566,
      "protocol": "tcp"
    }
  ]
}`
	pageRebound    = `{"message": "Network rebinding started", "internal_id": "my-server-001"}`
	pageNotFound   = `{"error": "Container not found"}`
	pageInstalling = `{"error": "Cannot rebind network while container is installing"}`
	pageNotInPool  = `{"error": "Port not found in network pool"}`
)

var pageInstallEvents = []string{
	"Started", "CreatingContainer", "ContainerCreated", "RunningInstallScript",
	"InstallScriptComplete", "SettingUpEntrypoint", "Ready",
}

// page is the page with what differs from machine to machine put in: the image, the
// volume, the host path, the ports.
type page struct {
	*node
	replace *strings.Replacer
}

// like fails the test unless a has the status, and every key of the page's body with the
// page's value. Keys beside them are allowed. A Docker id and a time are as the page's in kind.
func (p *page) like(a answer, status int, body string) answer {
	p.t.Helper()
	a.want(status, "")
	if media := a.header.Get("Content-Type"); !strings.EqualFold(media, "application/vnd.pkglatv1+json") {
		p.t.Errorf("%s: the answer is %s", a.what, media)
	}
	var want any
	if err := json.Unmarshal([]byte(p.replace.Replace(body)), &want); err != nil {
		p.t.Fatal(err)
	}
	if diff := differs("", want, any(a.json)); diff != "" {
		p.t.Fatalf("%s: %s in %s", a.what, diff, a.text)
	}
	return a
}

var dockerID = regexp.MustCompile(`^[0-9a-f]{12}$`)

// differs says where got lacks something of want.
func differs(path string, want, got any) string {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok || len(want) == 0 && len(object) != 0 {
			return fmt.Sprintf("%s is %v, not %v", path, got, want)
		}
		for key, value := range want {
			if diff := differs(path+"."+key, value, object[key]); diff != "" {
				return diff
			}
		}
		return ""
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Sprintf("%s is %v, not %v", path, got, want)
		}
		for i := range want {
			if diff := differs(fmt.Sprintf("%s[%d]", path, i), want[i], list[i]); diff != "" {
				return diff
			}
		}
		return ""
	}
	switch {
	case want == "a1b2c3d4e5f6":
		if id, ok := got.(string); !ok || !dockerID.MatchString(id) {
			return fmt.Sprintf("%s is %v, not a short Docker id", path, got)
		}
	case want == 1706450000.0 || want == 1706450100.0:
		if at, ok := got.(float64); !ok || time.Since(time.Unix(int64(at), 0)).Abs() > 5*time.Minute {
			return fmt.Sprintf("%s is %v, not the present in seconds", path, got)
		}
	case !reflect.DeepEqual(want, got):
		return fmt.Sprintf("%s is %v, not %v", path, got, want)
	}
	return ""
}

// TestPublishedPage walks the page from its top to its bottom with its own bodies.
func TestPublishedPage(t *testing.T) {
	t.Parallel()
	host := t.TempDir()
	if err := os.WriteFile(filepath.Join(host, "from-the-host"), []byte("hello\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "lightd.yaml")
	if err := os.WriteFile(config, []byte("mounts:\n  allowed: ["+host+"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "--config", config)
	d := newDocker(t)
	first := pagePort
	if !free(first, 2) {
		first = unused(t, 2)
	}
	volume, data := n.volume()
	p := &page{n, strings.NewReplacer("ubuntu:22.04", harness.Debian(), "d6764075-c5f1-4045-9fb3-85315b85cb0f", volume,
		"/host/path", host, "25565", fmt.Sprint(first), "25566", fmt.Sprint(first+1),
		`"mount": {},`, fmt.Sprintf(`"mount": {"/custom/path": %q},`, host))}
	const at, name = "/containers/my-server-001", "lightd-my-server-001"
	create := p.replace.Replace(pageCreate)

	// Errors of the page, before anything is there.
	for _, action := range []string{"start", "kill", "restart", "reinstall"} {
		p.like(n.send("POST", at+"/"+action, ""), 404, pageNotFound)
	}
	p.like(n.send("POST", at+"/rebind-network", p.replace.Replace(pageRebind)), 404, pageNotFound)
	p.like(n.send("GET", at, ""), 404, pageNotFound)
	p.like(n.send("DELETE", at, ""), 404, pageNotFound)
	p.like(n.send("POST", "/containers", create), 400, pageNotInPool)
	p.like(n.send("GET", "/containers", ""), 200, `{"containers": []}`)
	n.send("POST", "/network/ports", fmt.Sprintf(`{"ip":"0.0.0.0","ports":"%d-%d"}`, first, first+1)).want(201, "")

	// Create.
	all := n.record("/ws?after=0")
	p.like(n.send("POST", "/containers", create), 201, pageCreated)
	p.like(n.send("POST", at+"/rebind-network", p.replace.Replace(pageRebind)), 409, pageInstalling)
	if c := n.get("my-server-001"); c.InstallState != "installing" {
		t.Errorf("install_state is %q", c.InstallState)
	}
	one := n.record("/ws/my-server-001?after=0")
	said := one.awaitType("Ready")
	if got := lifecycle(said); !slices.Equal(got, pageInstallEvents) {
		t.Errorf("told %v,\n want %v", got, pageInstallEvents)
	}
	checkEvents(t, said)
	if got := lifecycle(all.awaitType("Ready")); !slices.Equal(got, pageInstallEvents) {
		t.Errorf("on the stream of all: told %v", got)
	}
	n.until("my-server-001", "installed", installed)
	for _, route := range []string{at + "/events", "/events"} {
		a := n.send("GET", route, "").want(200, "last_seq")
		if got := types(a.json["events"].([]any)); !slices.Equal(got, pageInstallEvents) {
			t.Errorf("%s: %v", route, got)
		}
	}
	n.send("GET", at+"/install-log", "", "Accept: text/plain").want(200, "curl")

	// State and list.
	p.like(n.send("GET", at, ""), 200, pageState)
	p.like(n.send("GET", "/containers", ""), 200, pageList)
	if c := n.get("my-server-001"); c.State != "offline" || c.Power != "stopped" {
		t.Errorf("after the installation: %+v", c)
	}

	// Start.
	p.like(n.send("POST", at+"/start", ""), 200, pageStart)
	said = one.await("running", func(m message) bool { return m.Event == "event" && m.Data == "running" })
	if got := words(said); !slices.Equal(got[len(got)-2:], []string{"starting", "running"}) {
		t.Errorf("told %v", got)
	}
	n.until("my-server-001", "running", running)
	p.checkInside(d, name, host, data)

	// Kill: SIGKILL, at once.
	p.like(n.send("POST", at+"/kill", ""), 200, pageKill)
	c := n.until("my-server-001", "killed", offline)
	if c.LastExit == nil || c.LastExit.Code != 137 || c.LastExit.Signal != "SIGKILL" {
		t.Errorf("after a kill: %+v", c.LastExit)
	}
	if state := d.inspect(name).State; state.Running || state.ExitCode != 137 {
		t.Errorf("after a kill Docker says %+v", state)
	}

	// Restart: from offline, and while running.
	p.like(n.send("POST", at+"/restart", ""), 200, pageRestart)
	n.until("my-server-001", "running again", running)
	before := d.inspect(name)
	p.like(n.send("POST", at+"/restart", ""), 200, pageRestart)
	n.until("my-server-001", "restarted", running)
	if after := d.inspect(name); after.State.StartedAt == before.State.StartedAt {
		t.Error("a restart did not start it anew")
	}

	// Rebind.
	p.like(n.send("POST", at+"/rebind-network", p.replace.Replace(pageRebind)), 200, pageRebound)
	n.until("my-server-001", "rebound and running", running)
	p.like(n.send("GET", at, ""), 200, strings.Replace(pageState, "25565", "25566", 1))
	if again := d.inspect(name); again.ID == before.ID {
		t.Error("a rebind did not make a new container")
	}
	d.exec(name, "curl", "--version")
	p.like(n.send("POST", at+"/rebind-network", `{"ports":[{"ip":"0.0.0.0","port":1,"protocol":"tcp"}]}`), 400, pageNotInPool)

	// Reinstall: the volume's data stays.
	keep := filepath.Join(data, "keep")
	if err := os.WriteFile(keep, []byte("me"), 0o644); err != nil {
		t.Fatal(err)
	}
	before = d.inspect(name)
	p.like(n.send("POST", at+"/reinstall", p.replace.Replace(pageReinstall)), 200, pageReinstalled)
	n.until("my-server-001", "reinstalled", func(c view) bool { return installed(c) && c.State == "running" })
	if again := d.inspect(name); again.ID == before.ID {
		t.Error("a reinstall did not make a new container")
	}
	if got, err := os.ReadFile(keep); err != nil || string(got) != "me" {
		t.Errorf("volume data after a reinstall: %q, %v", got, err)
	}

	// Delete.
	p.like(n.send("DELETE", at, ""), 200, pageDeleted)
	p.like(n.send("GET", at, ""), 404, pageNotFound)
	if !d.absent(name) || !d.absent("lightd_install-my-server-001") {
		t.Error("still in Docker after the deletion")
	}
	if got, err := os.ReadFile(keep); err != nil || string(got) != "me" {
		t.Errorf("volume data after the deletion: %q, %v", got, err)
	}
	if got := n.send("GET", "/network/ports", "").want(200, "").text; strings.Contains(got, `"in_use":true`) {
		t.Errorf("ports are held by nobody: %s", got)
	}
}

// checkInside compares the container in Docker with the page.
func (p *page) checkInside(d *docker, name, host, data string) {
	p.t.Helper()
	c := d.inspect(name)
	if c.HostConfig.Memory != 536870912 || c.HostConfig.NanoCPUs != 1e9 {
		p.t.Errorf("limits: %d bytes, %d billionths of a core", c.HostConfig.Memory, c.HostConfig.NanoCPUs)
	}
	if c.Config.Labels["lightd.id"] != "my-server-001" || c.Config.Labels["lightd.role"] != "run" {
		p.t.Errorf("labels: %v", c.Config.Labels)
	}
	mounts := map[string]string{}
	for _, m := range c.Mounts {
		mounts[m.Destination] = m.Source
	}
	for target, source := range map[string]string{
		"/home/container": data, "/custom/path": host, "/app/data": filepath.Join(p.dir, "containers", "my-server-001"),
	} {
		if mounts[target] != source {
			p.t.Errorf("at %s is %q, not %q", target, mounts[target], source)
		}
	}
	for file, want := range map[string]string{
		"/custom/path/from-the-host": "hello", "/app/data/entrypoint.sh": "echo Hello", "/app/data/install.sh": "apt-get install",
	} {
		if got := d.exec(name, "sh", "-c", "cat "+file+" || true"); !strings.Contains(got, want) {
			p.t.Errorf("%s holds %q", file, got)
		}
	}
	d.exec(name, "curl", "--version")
	if got := strings.TrimSpace(d.exec(name, "readlink", "/proc/1/cwd")); got != "/home/container" {
		p.t.Errorf("it runs in %s", got)
	}
}

// checkEvents looks at what every event has beside its type.
func checkEvents(t *testing.T, said []message) {
	t.Helper()
	var last uint64
	for _, m := range said {
		if m.Event != "lifecycle" {
			continue
		}
		_, err := time.Parse(time.RFC3339, m.Time)
		if m.Seq <= last || err != nil || m.InternalID != "my-server-001" || m.Generation != 1 {
			t.Errorf("event %+v after %d: %v", m, last, err)
		}
		last = m.Seq
	}
}

// TestPortsOfThePage connects to what a rebind moves.
func TestPortsOfThePage(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	volume, _ := n.volume()
	first := unused(t, 3)
	n.send("POST", "/network/ports", fmt.Sprintf(`{"ip":"0.0.0.0","ports":"%d-%d"}`, first, first+1)).want(201, "")
	id := "e2e-ports"
	// One server answers on the port inside that both host ports lead to.
	n.send("POST", "/containers", spec(id, volume, fmt.Sprintf(`"power":"running","start_pattern":"^up$",
		"startup_command":"echo up; while :; do echo served | nc -l -p 8080; done",
		"ports":[{"ip":"0.0.0.0","port":%d,"protocol":"tcp","container_port":8080}]`, first))).want(201, "")
	n.until(id, "running", running)
	answers(t, first)
	n.wantInUse(first, id)
	n.wantInUse(first+1, "")

	n.send("POST", "/containers", spec("e2e-late", volume, fmt.Sprintf(`"ports":[{"port":%d}]`, first))).want(409, `"error":"Port already in use"`)
	n.send("DELETE", fmt.Sprintf("/network/ports/0.0.0.0/%d", first), "").want(409, "error")

	n.send("POST", "/containers/"+id+"/rebind-network",
		fmt.Sprintf(`{"ports":[{"ip":"0.0.0.0","port":%d,"protocol":"tcp","container_port":8080}]}`, first+1)).want(200, "")
	n.until(id, "rebound", running)
	answers(t, first+1)
	refuses(t, first)
	n.wantInUse(first, "")
	n.wantInUse(first+1, id)
	if got := n.events(id); !slices.Contains(got, "RebindStarted") {
		t.Errorf("events %v", got)
	}

	// A stopped container keeps its claim, a deleted one does not.
	n.send("POST", "/containers/"+id+"/stop", "").want(200, `"message":"Container stop initiated"`)
	n.until(id, "stopped", offline)
	n.wantInUse(first+1, id)
	n.delete(id)
	n.wantInUse(first+1, "")
	refuses(t, first+1)
}

func (n *node) wantInUse(port int, owner string) {
	n.t.Helper()
	a := n.send("GET", fmt.Sprintf("/network/ports/0.0.0.0/%d", port), "").want(200, "")
	if held, _ := a.json["internal_id"].(string); a.json["in_use"] != (owner != "") || held != owner {
		n.t.Errorf("port %d: %s, want it held by %q", port, a.text, owner)
	}
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func answers(t *testing.T, port int) {
	t.Helper()
	poll(t, func() error {
		conn, err := net.DialTimeout("tcp", address(port), time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
		if got, _ := io.ReadAll(conn); !strings.Contains(string(got), "served") {
			return fmt.Errorf("port %d says %q", port, got)
		}
		return nil
	})
}

func refuses(t *testing.T, port int) {
	t.Helper()
	poll(t, func() error {
		conn, err := net.DialTimeout("tcp", address(port), patience)
		if err == nil {
			_ = conn.Close()
			return fmt.Errorf("port %d still accepts connections", port)
		}
		return nil
	})
}

// TestCompanyOfRoutes calls the routes that the page only points to.
func TestCompanyOfRoutes(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	volume, path := n.volume()
	if filepath.Dir(path) != filepath.Join(n.dir, "volumes") || filepath.Base(path) != volume {
		t.Errorf("volume %s is at %s", volume, path)
	}
	n.send("GET", "/volumes", "").want(200, volume)
	n.send("GET", "/volumes/"+volume, "").want(200, `"containers":[]`)
	a := n.send("POST", "/network/ports", `{"ip":"127.0.0.1","port":19000,"protocol":"udp"}`).want(201, "Port added to pool")
	if diff := differs("", map[string]any{"message": "Port added to pool", "ip": "127.0.0.1", "port": 19000.0, "protocol": "udp"}, any(a.json)); diff != "" {
		t.Error(diff)
	}
	n.send("POST", "/network/ports", `{"ip":"127.0.0.1","port":19000,"protocol":"udp"}`).want(409, `"error":"Port already exists in pool"`)
	n.send("GET", "/network/ports/random", "").want(200, `"port":19000`)
	n.send("PUT", "/network/ports/127.0.0.1/19000/use?protocol=udp", `{"in_use":true}`).want(200, "")
	n.send("GET", "/network/ports/127.0.0.1/19000?protocol=udp", "").want(200, `"in_use":true`)
	n.send("GET", "/network/ports/random", "").want(404, `"error":"No available ports in pool"`)
	n.send("PUT", "/network/ports/127.0.0.1/19000/use?protocol=udp", `{"in_use":false}`).want(200, "")
	n.send("GET", "/network/ports/127.0.0.1/19001", "").want(404, `"error":"Port not found in pool"`)
	n.send("DELETE", "/network/ports/127.0.0.1/19000?protocol=udp", "").want(200, `"message":"Port deleted from pool"`)
	n.send("POST", "/network/ports", `{"ip":"127.0.0.1","ports":"19000-19001"}`).want(201, "")
	a = n.send("POST", "/network/ports/bulk-delete", `{"ports":[{"ip":"127.0.0.1","port":19000},{"ip":"127.0.0.1","port":19001}]}`)
	a.want(200, `"message":"Deleted 2 ports from pool"`).want(200, `"deleted_count":2`)
	n.send("DELETE", "/volumes/"+volume, "").want(200, "")
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the volume's directory is still there: %v", err)
	}
	for _, route := range []string{"/api/v1/public/ping", "/healthz"} {
		n.send("GET", route, "", "Authorization:").want(200, "{")
	}
	poll(t, func() error {
		if a := n.send("GET", "/readyz", "", "Authorization:"); a.status != http.StatusOK {
			return fmt.Errorf("%d %s", a.status, a.text)
		}
		return nil
	})
}
