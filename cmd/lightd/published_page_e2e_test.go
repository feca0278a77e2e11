package main

import (
	"encoding/json"
	"errors"
	"fmt"
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
	docker  *docker
	replace *strings.Replacer
	began   time.Time
	// first is the first of two ports, host the directory that is mounted, data that of the volume.
	first      int
	host, data string
}

// The container of the page.
const (
	pageID        = "my-server-001"
	pagePath      = "/containers/" + pageID
	pageContainer = "lightd-" + pageID
)

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
	if diff := differs(p.began, "", want, any(a.json)); diff != "" {
		p.t.Fatalf("%s: %s in %s", a.what, diff, a.text)
	}
	return a
}

var dockerID = regexp.MustCompile(`^[0-9a-f]{12}$`)

// differs returns where got lacks something of want. Times lie between began and now.
func differs(began time.Time, path string, want, got any) string {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok || len(want) == 0 && len(object) != 0 {
			return fmt.Sprintf("%s is %v, not %v", path, got, want)
		}
		for key, value := range want {
			if diff := differs(began, path+"."+key, value, object[key]); diff != "" {
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
			if diff := differs(began, fmt.Sprintf("%s[%d]", path, i), want[i], list[i]); diff != "" {
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
		if at, ok := got.(float64); !ok || int64(at) < began.Unix() || int64(at) > time.Now().Unix() {
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
	p := newPage(t)
	p.checkRefusals()
	stream := p.checkCreate()
	p.checkStart(stream)
	p.checkKillAndRestart()
	p.checkRebind()
	p.checkReinstall()
	p.checkDelete()
}

// newPage returns the page for a new daemon and a new volume.
func newPage(t *testing.T) *page {
	t.Helper()
	host := t.TempDir()
	if err := os.WriteFile(filepath.Join(host, "from-the-host"), []byte("hello\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "lightd.yaml")
	if err := os.WriteFile(config, []byte("mounts:\n  allowed: ["+host+"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &page{node: newNode(t, "--config", config), docker: newDocker(t), began: time.Now(), first: pagePort, host: host}
	if !free(p.first, 2) {
		p.first = unused(t, 2)
	}
	volume, data := p.volume()
	p.data = data
	p.replace = strings.NewReplacer("ubuntu:22.04", harness.Debian(), "d6764075-c5f1-4045-9fb3-85315b85cb0f", volume,
		"/host/path", host, "25565", fmt.Sprint(p.first), "25566", fmt.Sprint(p.first+1),
		`"mount": {},`, fmt.Sprintf(`"mount": {"/custom/path": %q},`, host))
	return p
}

// checkRefusals gets the errors of the page, before anything is there.
func (p *page) checkRefusals() {
	for _, action := range []string{"start", "kill", "restart", "reinstall"} {
		p.like(p.send("POST", pagePath+"/"+action, ""), 404, pageNotFound)
	}
	p.like(p.send("POST", pagePath+"/rebind-network", p.replace.Replace(pageRebind)), 404, pageNotFound)
	p.like(p.send("GET", pagePath, ""), 404, pageNotFound)
	p.like(p.send("DELETE", pagePath, ""), 404, pageNotFound)
	p.like(p.send("POST", "/containers", p.replace.Replace(pageCreate)), 400, pageNotInPool)
	p.like(p.send("GET", "/containers", ""), 200, `{"containers": []}`)
}

// checkCreate installs the container, and returns its stream.
func (p *page) checkCreate() *recorder {
	t := p.t
	p.send("POST", "/network/ports", fmt.Sprintf(`{"ip":"0.0.0.0","ports":"%d-%d"}`, p.first, p.first+1)).want(201, "")
	all := p.record("/ws?after=0")
	p.like(p.send("POST", "/containers", p.replace.Replace(pageCreate)), 201, pageCreated)
	p.like(p.send("POST", pagePath+"/rebind-network", p.replace.Replace(pageRebind)), 409, pageInstalling)
	if c := p.get(pageID); c.InstallState != "installing" {
		t.Errorf("install_state is %q", c.InstallState)
	}
	one := p.record("/ws/" + pageID + "?after=0")
	received := one.awaitType("Ready")
	if got := lifecycle(received); !slices.Equal(got, pageInstallEvents) {
		t.Errorf("received %v,\n want %v", got, pageInstallEvents)
	}
	checkEvents(t, received)
	if got := lifecycle(all.awaitType("Ready")); !slices.Equal(got, pageInstallEvents) {
		t.Errorf("received on the stream of all: %v", got)
	}
	p.until(pageID, "installed", installed)
	for _, route := range []string{pagePath + "/events", "/events"} {
		a := p.send("GET", route, "").want(200, "last_seq")
		if got := types(a.json["events"].([]any)); !slices.Equal(got, pageInstallEvents) {
			t.Errorf("%s: %v", route, got)
		}
	}
	p.send("GET", pagePath+"/install-log", "", "Accept: text/plain").want(200, "curl")
	p.like(p.send("GET", pagePath, ""), 200, pageState)
	p.like(p.send("GET", "/containers", ""), 200, pageList)
	if c := p.get(pageID); c.State != "offline" || c.Power != "stopped" {
		t.Errorf("after the installation: %+v", c)
	}
	return one
}

func (p *page) checkStart(stream *recorder) {
	p.like(p.send("POST", pagePath+"/start", ""), 200, pageStart)
	received := stream.await("running", func(m message) bool { return m.Event == "event" && m.Data == "running" })
	if got := words(received); !slices.Equal(got[len(got)-2:], []string{"starting", "running"}) {
		p.t.Errorf("received %v", got)
	}
	p.until(pageID, "running", running)
	p.checkInside()
}

// checkKillAndRestart kills with SIGKILL at once, and restarts from offline and while running.
func (p *page) checkKillAndRestart() {
	p.like(p.send("POST", pagePath+"/kill", ""), 200, pageKill)
	c := p.until(pageID, "killed", offline)
	if c.LastExit == nil || c.LastExit.Code != 137 || c.LastExit.Signal != "SIGKILL" {
		p.t.Errorf("after a kill: %+v", c.LastExit)
	}
	if state := p.docker.inspect(pageContainer).State; state.Running || state.ExitCode != 137 {
		p.t.Errorf("after a kill Docker shows %+v", state)
	}
	p.like(p.send("POST", pagePath+"/restart", ""), 200, pageRestart)
	p.until(pageID, "running again", running)
	before := p.docker.inspect(pageContainer)
	p.like(p.send("POST", pagePath+"/restart", ""), 200, pageRestart)
	p.until(pageID, "restarted", running)
	if after := p.docker.inspect(pageContainer); after.State.StartedAt == before.State.StartedAt {
		p.t.Error("a restart did not start it anew")
	}
}

func (p *page) checkRebind() {
	before := p.docker.inspect(pageContainer)
	p.like(p.send("POST", pagePath+"/rebind-network", p.replace.Replace(pageRebind)), 200, pageRebound)
	p.until(pageID, "rebound and running", running)
	p.like(p.send("GET", pagePath, ""), 200, strings.Replace(pageState, "25565", "25566", 1))
	if again := p.docker.inspect(pageContainer); again.ID == before.ID {
		p.t.Error("a rebind did not make a new container")
	}
	p.docker.exec(pageContainer, "curl", "--version")
	p.like(p.send("POST", pagePath+"/rebind-network", `{"ports":[{"ip":"0.0.0.0","port":1,"protocol":"tcp"}]}`), 400, pageNotInPool)
}

// kept is a file in the volume, whose data every recreation keeps.
func (p *page) kept() string { return filepath.Join(p.data, "keep") }

func (p *page) wantKept(after string) {
	p.t.Helper()
	if got, err := os.ReadFile(p.kept()); err != nil || string(got) != "me" {
		p.t.Errorf("volume data after the %s: %q, %v", after, got, err)
	}
}

func (p *page) checkReinstall() {
	if err := os.WriteFile(p.kept(), []byte("me"), 0o644); err != nil {
		p.t.Fatal(err)
	}
	before := p.docker.inspect(pageContainer)
	p.like(p.send("POST", pagePath+"/reinstall", p.replace.Replace(pageReinstall)), 200, pageReinstalled)
	p.until(pageID, "reinstalled", func(c view) bool { return installed(c) && c.State == "running" })
	if again := p.docker.inspect(pageContainer); again.ID == before.ID {
		p.t.Error("a reinstall did not make a new container")
	}
	p.wantKept("reinstall")
}

func (p *page) checkDelete() {
	p.like(p.send("DELETE", pagePath, ""), 200, pageDeleted)
	p.like(p.send("GET", pagePath, ""), 404, pageNotFound)
	if !p.docker.absent(pageContainer) || !p.docker.absent("lightd_install-"+pageID) {
		p.t.Error("still in Docker after the deletion")
	}
	p.wantKept("deletion")
	if got := p.send("GET", "/network/ports", "").want(200, "").text; strings.Contains(got, `"in_use":true`) {
		p.t.Errorf("ports are held though nothing uses them: %s", got)
	}
}

// checkInside compares the container in Docker with the page.
func (p *page) checkInside() {
	p.t.Helper()
	d, name := p.docker, pageContainer
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
		"/home/container": p.data, "/custom/path": p.host, "/app/data": filepath.Join(p.dir, "containers", pageID),
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
func checkEvents(t testing.TB, said []message) {
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
	if diff := differs(time.Now(), "", map[string]any{"message": "Port added to pool", "ip": "127.0.0.1", "port": 19000.0, "protocol": "udp"}, any(a.json)); diff != "" {
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
