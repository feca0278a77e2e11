package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/docker/docker/client"

	"lightd/hack/harness"
)

// mountable is a node that may mount from allowed, beside which secret is closed.
type mountable struct {
	*node
	allowed, secret string
	// beforeStart is called between the daemon's request to start a container and the engine.
	beforeStart atomic.Pointer[func()]
}

// newMountable starts a node whose engine is reached through a proxy.
func newMountable(t *testing.T) *mountable {
	t.Helper()
	dir := harness.Value[string](t)(os.MkdirTemp("", "mounts")) // a socket's path is short
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	m := &mountable{allowed: filepath.Join(dir, "allowed"), secret: filepath.Join(dir, "secret")}
	config, socket := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "s")
	if err := errors.Join(os.Mkdir(m.allowed, 0o777), os.Mkdir(m.secret, 0o777), os.Mkdir(filepath.Join(m.allowed, "shared"), 0o777),
		os.WriteFile(config, []byte("mounts:\n  allowed: ["+m.allowed+"]\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	m.proxy(t, socket)
	m.node = newNode(t, "--config", config, "--docker-host", "unix://"+socket)
	return m
}

// proxy serves the engine at socket.
func (m *mountable) proxy(t *testing.T, socket string) {
	t.Helper()
	engine := strings.TrimPrefix(cmp.Or(os.Getenv("DOCKER_HOST"), client.DefaultDockerHost), "unix://")
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "engine"})
	forward.FlushInterval = -1
	forward.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", engine)
	}}
	forward.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fn := m.beforeStart.Load(); fn != nil && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/start") {
			(*fn)()
		}
		forward.ServeHTTP(w, r)
	})}
	listener := harness.Value[net.Listener](t)(net.Listen("unix", socket))
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
}

// swap puts a link to secret in the place of a directory, back undoes it.
func (m *mountable) swap(path string) {
	m.t.Helper()
	if err := errors.Join(os.Rename(path, path+".away"), os.Symlink(m.secret, path)); err != nil {
		m.t.Error(err)
	}
}

func (m *mountable) back(path string) {
	m.t.Helper()
	if err := errors.Join(os.Remove(path), os.Rename(path+".away", path)); err != nil {
		m.t.Error(err)
	}
}

func because(reason string) func(view) bool {
	return func(c view) bool { return c.reason("Synced", "False") == reason }
}

// TestMountThatEscapes: what is swapped after every check and before the engine resolves it is
// found in the process, which is killed, and not started again before the host may be right.
func TestMountThatEscapes(t *testing.T) {
	t.Parallel()
	m := newMountable(t)
	volume, _ := m.volume()
	source := filepath.Join(m.allowed, "shared")
	swap := func() { m.beforeStart.Store(nil); m.swap(source) }
	m.beforeStart.Store(&swap)
	m.send("POST", "/containers", spec("e2e-escape", volume, fmt.Sprintf(`"power":"running","mount":{"/all":%q}`, source))).want(201, "")
	m.until("e2e-escape", "killed", func(c view) bool { return because("MountEscaped")(c) && c.State == "offline" })
	if c := newDocker(t).inspect("lightd-e2e-escape"); c.State.Running {
		t.Error("it still runs")
	}
	m.send("GET", "/containers/e2e-escape/drift", "").want(200, `"path":"mount./all"`).want(200, m.secret)
	if got := strings.Count(strings.Join(m.events("e2e-escape"), " "), "MountEscaped"); got != 1 {
		t.Errorf("%d events of it", got)
	}
	// Its spec is asked for again, and the host is still wrong.
	m.send("PATCH", "/containers/e2e-escape", `{"env":{"A":"b"}}`).want(200, "")
	m.until("e2e-escape", "waiting", because("MountUnavailable"))
	m.back(source)
	m.until("e2e-escape", "running", running)
	if entries := harness.Value[[]os.DirEntry](t)(os.ReadDir(m.secret)); len(entries) > 0 {
		t.Errorf("in the secret place: %v", entries)
	}
}

// TestStoppedContainerStartedByHand: one that is to be stopped is killed, and not asked to end, when
// somebody starts it on a source that leads elsewhere.
func TestStoppedContainerStartedByHand(t *testing.T) {
	t.Parallel()
	m := newMountable(t)
	volume, _ := m.volume()
	source := filepath.Join(m.allowed, "shared")
	const id = "e2e-started-by-hand"
	m.send("POST", "/containers", spec(id, volume, fmt.Sprintf(`"mount":{"/all":%q},"stop":{"timeout":"60s"},"startup_command":"trap '' TERM; while :; do sleep 1; done"`, source))).want(201, "")
	m.until(id, "installed", installed)
	m.swap(source)
	newDocker(t).start("lightd-" + id)
	poll(t, func() error {
		if got := len(m.eventsOf(id, "MountEscaped")); got != 1 {
			return fmt.Errorf("%d events of it: %v", got, m.events(id))
		}
		return nil
	})
	m.until(id, "offline", func(c view) bool { return c.State == "offline" })
	m.back(source)
	m.send("POST", "/containers/"+id+"/start", "").want(200, "")
	m.until(id, "running", running)
}

// TestInstallMountThatEscapes: so is the process of an install script.
func TestInstallMountThatEscapes(t *testing.T) {
	t.Parallel()
	m := newMountable(t)
	volume, _ := m.volume()
	source := filepath.Join(m.allowed, "shared")
	swap := func() { m.beforeStart.Store(nil); m.swap(source) }
	m.beforeStart.Store(&swap)
	m.send("POST", "/containers", spec("e2e-escape-install", volume, fmt.Sprintf(`"install_script":"sleep 1000","mount":{"/all":%q}`, source))).want(201, "")
	m.until("e2e-escape-install", "failed", func(c view) bool {
		return c.InstallState == "failed" && c.reason("Installed", "False") == "MountEscaped"
	})
	m.back(source)
	m.send("POST", "/containers/e2e-escape-install/reinstall", `{"install_script":"true"}`).want(200, "")
	m.until("e2e-escape-install", "installed", installed)
}

// TestMountIsCheckedAtEveryStart: a source that was right at the creation and is a link at the
// restart after a crash is not followed, and one that comes back is used at once.
func TestMountIsCheckedAtEveryStart(t *testing.T) {
	t.Parallel()
	m := newMountable(t)
	volume, path := m.volume()
	d := newDocker(t)
	source := filepath.Join(m.allowed, "shared")
	m.send("POST", "/containers", spec("e2e-every-start", volume, fmt.Sprintf(`"power":"running","mount":{"/all":%q},`+
		`"startup_command":"echo x >> /all/ran; echo x >> ran; exec sleep 1000"`, source))).want(201, "")
	first := m.until("e2e-every-start", "running", running)
	for name, c := range map[string]struct{ away, back func() }{
		"a link":                  {func() { m.swap(source) }, func() { m.back(source) }},
		"a source that is a file": {func() { m.move(source, source+".gone"); m.file(source) }, func() { m.move(source, source+".file"); m.move(source+".gone", source) }},
		"a source that is gone":   {func() { m.move(source, source+".gone") }, func() { m.move(source+".gone", source) }},
		"a volume that is gone":   {func() { m.move(path, path+".gone") }, func() { m.move(path+".gone", path) }},
		"our directory is gone":   {func() { m.move(filepath.Join(m.dir, "containers"), filepath.Join(m.dir, "gone")) }, func() { m.move(filepath.Join(m.dir, "gone"), filepath.Join(m.dir, "containers")) }},
		"a daemon that restarts":  {func() { m.swap(source); m.terminate(); m.start(m.cmd.Args[len(m.cmd.Args)-4:]...) }, func() { m.back(source) }},
	} {
		t.Run(name, func(t *testing.T) {
			c.away()
			d.kill("lightd-e2e-every-start")
			waiting := m.until("e2e-every-start", "waiting", because("MountUnavailable"))
			if waiting.InstallState != "ready" {
				t.Errorf("its installation is %s", waiting.InstallState)
			}
			if d.inspect("lightd-e2e-every-start").State.Running {
				t.Error("it was started")
			}
			c.back()
			if now := m.until("e2e-every-start", "running", running); now.ContainerID != first.ContainerID {
				t.Error("it was recreated")
			}
		})
	}
	if entries := harness.Value[[]os.DirEntry](t)(os.ReadDir(m.secret)); len(entries) > 0 {
		t.Errorf("in the secret place: %v", entries)
	}
}

// TestVolumeReplaced: a volume's directory that is replaced is never in sync elsewhere: under a
// running process, at the next start, and when it is swapped right before the engine's start.
func TestVolumeReplaced(t *testing.T) {
	t.Parallel()
	m := newMountable(t)
	volume, path := m.volume()
	d := newDocker(t)
	const id = "e2e-volume-replaced"
	m.send("POST", "/containers", spec(id, volume, `"power":"running","startup_command":"touch ran; exec sleep 1000"`)).want(201, "")
	m.until(id, "running", func(c view) bool { return running(c) && c.reason("Synced", "True") != "" })
	drifts := func(want string) { m.t.Helper(); m.send("GET", "/containers/"+id+"/drift", "").want(200, want) }

	m.swap(path)
	drifts("a link to " + m.secret)
	d.kill("lightd-" + id)
	m.until(id, "waiting", because("MountUnavailable"))
	m.back(path)
	m.until(id, "running", func(c view) bool { return running(c) && c.reason("Synced", "True") != "" })

	m.move(path, path+".away")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	drifts("another file or directory")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	m.move(path+".away", path)

	swap := func() { m.beforeStart.Store(nil); m.swap(path) }
	m.beforeStart.Store(&swap)
	d.kill("lightd-" + id)
	m.until(id, "killed", func(c view) bool {
		return c.State == "offline" && (because("MountEscaped")(c) || because("MountUnavailable")(c)) && len(m.eventsOf(id, "MountEscaped")) == 1
	})
	m.back(path)
	m.until(id, "running", running)
}

// eventsOf are the events of a container that are of a type.
func (m *mountable) eventsOf(id, of string) (found []string) {
	for _, e := range m.events(id) {
		if strings.Contains(e, of) {
			found = append(found, e)
		}
	}
	return found
}

func (m *mountable) file(path string) {
	m.t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		m.t.Error(err)
	}
}

func (m *mountable) move(from, to string) {
	m.t.Helper()
	if err := os.Rename(from, to); err != nil {
		m.t.Error(err)
	}
}

// TestSourcesInsideOneAnother: no request leaves two, in one container or over two.
func TestSourcesInsideOneAnother(t *testing.T) {
	t.Parallel()
	m := newMountable(t)
	volume, _ := m.volume()
	shared := filepath.Join(m.allowed, "shared")
	sub := filepath.Join(shared, "sub")
	if err := os.Mkdir(sub, 0o777); err != nil {
		t.Fatal(err)
	}
	mount := func(pairs ...any) string {
		return fmt.Sprintf(`"mount":{`+strings.Repeat(`,%q:%q`, len(pairs)/2)[1:]+`}`, pairs...)
	}
	m.send("POST", "/containers", spec("e2e-nested", volume, mount("/all", shared, "/sub", sub))).want(400, "mount./sub")
	m.send("POST", "/containers", spec("e2e-outer", volume, mount("/all", shared))).want(201, "")
	m.send("POST", "/containers", spec("e2e-plain", volume, "")).want(201, "")
	const code = `"code":"mount_overlap"`
	for _, dry := range []string{"", "?dry_run=true"} {
		m.send("POST", "/containers"+dry, spec("e2e-inner", volume, mount("/sub", sub))).want(409, code).want(409, "e2e-outer").want(409, "mount./sub")
		m.send("PUT", "/containers/e2e-inner"+dry, spec("e2e-inner", volume, mount("/sub", sub))).want(409, code)
		m.send("PATCH", "/containers/e2e-plain"+dry, "{"+mount("/sub", sub)+"}").want(409, code)
		m.send("POST", "/apply"+dry, `{"containers":[`+spec("e2e-plain", volume, mount("/sub", sub))+`]}`).want(409, "containers[0].mount./sub")
		m.send("POST", "/apply"+dry, `{"containers":[`+spec("e2e-one", volume, mount("/x", filepath.Join(m.allowed, "shared2")))+`]}`).want(400, "does not exist")
	}
	m.send("POST", "/containers", spec("e2e-same", volume, mount("/sub", shared))).want(201, "")
}

// TestReadOnlyMounts: the container cannot write to a read-only source, may have one inside another, and is
// recreated where what was a path becomes read-only, and for nothing else.
func TestReadOnlyMounts(t *testing.T) {
	t.Parallel()
	m := newMountable(t)
	d := newDocker(t)
	volume, path := m.volume()
	maps := filepath.Join(m.allowed, "maps")
	sub := filepath.Join(maps, "sub")
	if err := os.MkdirAll(sub, 0o777); err != nil {
		t.Fatal(err)
	}
	const id = "e2e-read-only-mount"
	body := func(mount string) string {
		return spec(id, volume, `"power":"running","start_pattern":"up","mount":`+mount+
			`,"startup_command":"(touch /maps/x && echo wrote || echo refused) >/home/container/result 2>/dev/null; echo up; exec sleep 1000"`)
	}
	result := func() string {
		data, _ := os.ReadFile(filepath.Join(path, "result"))
		return strings.TrimSpace(string(data))
	}
	m.send("POST", "/containers?wait=running", body(fmt.Sprintf(`{"/maps":%q}`, maps))).want(201, `"met":true`).want(201, "")
	if got := result(); got != "wrote" {
		t.Errorf("what may be written to: %q", got)
	}
	made := d.inspect("lightd-" + id).ID
	m.send("PUT", "/containers/"+id+"?wait=synced", body(fmt.Sprintf(`{"/maps":{"source":%q,"read_only":false}}`, maps))).want(200, `"met":true`)
	if now := d.inspect("lightd-" + id).ID; now != made {
		t.Error("another way to write the same mount recreated the container")
	}
	both := fmt.Sprintf(`{"/maps":{"source":%q,"read_only":true},"/sub":{"source":%q,"read_only":true}}`, maps, sub)
	m.send("PUT", "/containers/"+id+"?wait=running", body(both)).want(200, `"met":true`)
	if got := result(); got != "refused" {
		t.Errorf("what is read-only: %q", got)
	}
	for _, mount := range d.inspect("lightd-" + id).Mounts {
		if (mount.Destination == "/maps" || mount.Destination == "/sub") && mount.RW {
			t.Errorf("%s can be written to", mount.Destination)
		}
	}
	m.send("GET", "/containers/"+id+"/drift", "").want(200, `"in_sync":true`)
	m.send("GET", "/containers/"+id, "").want(200, fmt.Sprintf(`"/maps":{"source":%q,"read_only":true}`, maps))
	m.send("POST", "/containers", spec("e2e-writes-inside", volume, fmt.Sprintf(`"mount":{"/sub":%q}`, sub))).want(409, `"code":"mount_overlap"`)
}

// TestUnknownUserIsTheSpecsFault: it is refused for good, and another user starts it.
func TestUnknownUserIsTheSpecsFault(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	volume, _ := n.volume()
	n.send("POST", "/containers", spec("e2e-user", volume, `"power":"running","user":"nobodyhere"`)).want(201, "")
	refused := n.until("e2e-user", "refused", because("RefusedByEngine"))
	if refused.State != "offline" || refused.ObservedGeneration != refused.Generation {
		t.Errorf("it is %+v", refused)
	}
	n.send("PATCH", "/containers/e2e-user", `{"user":"0"}`).want(200, "")
	n.until("e2e-user", "running", running)
}
