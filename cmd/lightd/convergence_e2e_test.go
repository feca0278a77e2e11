package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/container"

	"lightd/hack/harness"
)

// TestDisturbancesFromOutside does to containers what an administrator's hand does.
func TestDisturbancesFromOutside(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	d := newDocker(t)
	volume, _ := n.volume()
	disturbances := map[string]func(name string){
		"killed": d.kill,
		"stopped": func(name string) {
			ctx, cancel := d.bounded()
			defer cancel()
			grace := 1
			if err := d.ContainerStop(ctx, name, container.StopOptions{Timeout: &grace}); err != nil {
				t.Error(err)
			}
		},
		"removed": d.remove,
	}
	for what := range disturbances {
		n.send("POST", "/containers", spec("e2e-"+what, volume, `"power":"running","start_pattern":"up"`)).want(201, "")
	}
	n.send("POST", "/containers", spec("e2e-rests", volume, "")).want(201, "")
	n.until("e2e-rests", "installed", installed)
	for what, disturb := range disturbances {
		id, name := "e2e-"+what, "lightd-e2e-"+what
		before := n.until(id, "running", running)
		started := d.inspect(name).State.StartedAt
		disturb(name)
		after := n.until(id, "running again after it was "+what, func(c view) bool {
			if !running(c) || d.absent(name) {
				return false
			}
			now := d.inspect(name)
			return now.State.Running && now.State.StartedAt != started && now.ID[:12] == c.ContainerID
		})
		if replaced := after.ContainerID != before.ContainerID; replaced != (what == "removed") {
			t.Errorf("%s: from %s to %s", what, before.ContainerID, after.ContainerID)
		}
	}
	// Started from outside what should be stopped: it is stopped.
	ctx, cancel := d.bounded()
	defer cancel()
	if err := d.ContainerStart(ctx, "lightd-e2e-rests", container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	poll(t, func() error {
		if s := d.inspect("lightd-e2e-rests").State; s.Running || s.FinishedAt < s.StartedAt {
			return errors.New("it still runs")
		}
		return nil
	})
	n.until("e2e-rests", "stopped again", offline)
}

// TestDaemonStops and starts again: what runs, runs on; what happened meanwhile is mended.
func TestDaemonStopsAndStarts(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*node){"SIGTERM": (*node).terminate, "SIGKILL": (*node).crash} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			d := newDocker(t)
			volume, _ := n.volume()
			tag := strings.ToLower(name)
			lives, dies, goes, rests := "e2e-lives-"+tag, "e2e-dies-"+tag, "e2e-goes-"+tag, "e2e-rests-"+tag
			for _, id := range []string{lives, dies, goes} {
				n.send("POST", "/containers", spec(id, volume, `"power":"running","start_pattern":"up"`)).want(201, "")
			}
			n.send("POST", "/containers", spec(rests, volume, "")).want(201, "")
			for _, id := range []string{lives, dies, goes} {
				n.until(id, "running", running)
			}
			n.until(rests, "installed", installed)
			before := d.inspect("lightd-" + lives)
			gone := n.get(goes).ContainerID
			told := n.events(lives)
			end(n)
			if s := d.inspect("lightd-" + lives).State; !s.Running {
				t.Fatal("the container ended with the daemon")
			}
			d.kill("lightd-" + dies)
			d.remove("lightd-" + goes)
			n.start()
			n.until(dies, "running again", func(c view) bool { return running(c) && d.inspect("lightd-"+dies).State.Running })
			if got := n.events(dies); slices.Contains(got, "BackOff") {
				t.Errorf("an exit while nobody looked counts as a crash: %v", got)
			}
			n.until(goes, "made anew", func(c view) bool { return running(c) && c.ContainerID != gone })
			n.until(lives, "running", running)
			if after := d.inspect("lightd-" + lives); after.ID != before.ID || after.State.StartedAt != before.State.StartedAt {
				t.Error("what lived was restarted")
			}
			if now := n.events(lives); !slices.Equal(now, told) {
				t.Errorf("told %v and then %v", told, now)
			}
			if c := n.until(rests, "at rest", offline); c.Power != "stopped" || d.inspect("lightd-"+rests).State.Running {
				t.Errorf("what rested was started: %+v", c)
			}
		})
	}
}

// TestCrashInInstallation kills the daemon at each event of an installation. The script
// runs once, and the installation ends in a word.
func TestCrashInInstallation(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for _, moment := range []string{"Started", "CreatingContainer", "ContainerCreated", "RunningInstallScript", "InstallScriptComplete", "SettingUpEntrypoint"} {
		volume, path := n.volume()
		id := "e2e-crash-" + strings.ToLower(moment)
		ws := n.record("/ws?after=0")
		n.send("POST", "/containers", spec(id, volume, `"install_script":"echo ran >> runs; sleep 0.5; echo tool > /usr/tool"`)).want(201, "")
		ws.await(moment, func(m message) bool { return m.InternalID == id && m.Type == moment })
		n.crash()
		n.start()
		c := n.until(id, "at the end of its installation", func(c view) bool { return c.InstallState != "installing" && c.ObservedGeneration == c.Generation })
		if c.InstallState != "ready" {
			t.Errorf("killed at %s: %s, %+v", moment, c.InstallState, c.Conditions)
		}
		if got := lines(t, filepath.Join(path, "runs")); !slices.Equal(got, []string{"ran"}) {
			t.Errorf("killed at %s: the script ran %d times", moment, len(got))
		}
		if got := n.events(id); !slices.Equal(got, pageInstallEvents) {
			t.Errorf("killed at %s: told %v", moment, got)
		}
	}
}

// TestInstallationEndsUnwatched ends the script while no daemon runs. Its outcome is
// taken from Docker.
func TestInstallationEndsUnwatched(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	d := newDocker(t)
	for code, word := range map[int]string{0: "ready", 9: "failed"} {
		volume, path := n.volume()
		id := fmt.Sprintf("e2e-unwatched-%d", code)
		ws := n.record("/ws?after=0")
		n.send("POST", "/containers", spec(id, volume,
			fmt.Sprintf(`"install_script":"echo ran >> runs; echo said; until [ -e go ]; do sleep 0.05; done; exit %d"`, code))).want(201, "")
		ws.await("script", func(m message) bool { return m.InternalID == id && m.Type == "RunningInstallScript" })
		poll(t, func() error {
			if len(lines(t, filepath.Join(path, "runs"))) == 0 {
				return errors.New("the script has not begun")
			}
			return nil
		})
		n.crash()
		if err := os.WriteFile(filepath.Join(path, "go"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		poll(t, func() error {
			if d.inspect("lightd_install-" + id).State.Running {
				return errors.New("the script still runs")
			}
			return nil
		})
		n.start()
		n.until(id, word, func(c view) bool { return c.InstallState == word && c.ObservedGeneration == c.Generation })
		if got := lines(t, filepath.Join(path, "runs")); !slices.Equal(got, []string{"ran"}) {
			t.Errorf("exit code %d: the script ran %d times", code, len(got))
		}
		n.send("GET", "/containers/"+id+"/install-log", "", "Accept: text/plain").want(200, "said")
	}
}

// TestInstallContainerVanishes while its script runs: it is not run again by itself.
func TestInstallContainerVanishes(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	d := newDocker(t)
	volume, path := n.volume()
	id := "e2e-vanish"
	n.send("POST", "/containers", spec(id, volume, `"install_script":"echo ran >> runs; sleep 1000"`)).want(201, "")
	poll(t, func() error {
		if len(lines(t, filepath.Join(path, "runs"))) == 0 {
			return errors.New("the script has not begun")
		}
		return nil
	})
	d.remove("lightd_install-" + id)
	c := n.until(id, "failed", func(c view) bool { return c.InstallState == "failed" && c.ObservedGeneration == c.Generation })
	if got := c.reason("Installed", "False"); got != "InstallInterrupted" {
		t.Errorf("the reason is %q", got)
	}
	if got := lines(t, filepath.Join(path, "runs")); len(got) != 1 {
		t.Errorf("the script ran %d times", len(got))
	}
	n.delete(id)
}

// TestDeleteInInstallation ends the installation with the container.
func TestDeleteInInstallation(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	d := newDocker(t)
	volume, _ := n.volume()
	id := "e2e-delete-early"
	ws := n.record("/ws?after=0")
	n.send("POST", "/containers", spec(id, volume, `"install_script":"sleep 1000"`)).want(201, "")
	ws.awaitType("RunningInstallScript")
	n.delete(id)
	if !d.absent("lightd_install-"+id) || !d.absent("lightd-"+id) {
		t.Error("something is left in Docker")
	}
	n.send("POST", "/containers", spec(id, volume, "")).want(201, "")
	n.until(id, "installed", installed)
}

// relay stands between the daemon and the engine.
type relay struct {
	t      *testing.T
	socket string

	// hear, unless nil, is told of what the daemon sends before the engine is.
	hear func(sent []byte)

	mu       sync.Mutex
	listener net.Listener // nil while it is down; guarded by mu, like conns
	conns    map[net.Conn]bool
	wg       sync.WaitGroup
}

// engineSocket is where the real engine answers.
func engineSocket(t *testing.T) string {
	t.Helper()
	host := cmp.Or(os.Getenv("DOCKER_HOST"), "unix:///var/run/docker.sock")
	path, ok := strings.CutPrefix(host, "unix://")
	if !ok {
		t.Fatalf("this test needs an engine on a socket, and DOCKER_HOST is %s", host)
	}
	return path
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	// A socket's path is short: a test's own directory can be too long for it.
	dir := harness.Value[string](t)(os.MkdirTemp("", "relay"))
	r := &relay{t: t, socket: filepath.Join(dir, "s"), conns: map[net.Conn]bool{}}
	t.Cleanup(func() { r.down(); _ = os.RemoveAll(dir) })
	return r
}

func (r *relay) up() {
	r.t.Helper()
	engine := engineSocket(r.t)
	l := harness.Value[net.Listener](r.t)(net.Listen("unix", r.socket))
	r.mu.Lock()
	r.listener = l
	r.mu.Unlock()
	r.wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", engine)
			if err != nil {
				_ = in.Close()
				continue
			}
			r.join(l, in.(*net.UnixConn), out.(*net.UnixConn))
		}
	})
}

// join copies both ways until an end closes, and passes a half-closed connection on as one.
// One that was accepted as the relay went down is closed.
func (r *relay) join(l net.Listener, in, out *net.UnixConn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener != l {
		_ = in.Close()
		_ = out.Close()
		return
	}
	sent := io.Reader(in)
	if r.hear != nil {
		sent = io.TeeReader(in, r)
	}
	for _, way := range []struct {
		from   io.Reader
		to     *net.UnixConn
		closes net.Conn
	}{{sent, out, in}, {out, in, out}} {
		r.conns[way.closes] = true
		r.wg.Go(func() {
			_, _ = io.Copy(way.to, way.from)
			_ = way.to.CloseWrite()
		})
	}
}

// Write is told of what the daemon sends.
func (r *relay) Write(sent []byte) (int, error) {
	r.hear(sent)
	return len(sent), nil
}

// down is an engine that went away.
func (r *relay) down() {
	r.mu.Lock()
	if r.listener != nil {
		_ = r.listener.Close()
		r.listener = nil
	}
	for c := range r.conns {
		_ = c.Close()
	}
	clear(r.conns)
	r.mu.Unlock()
	r.wg.Wait()
}

// TestEngineComesAndGoes starts the daemon without an engine.
func TestEngineComesAndGoes(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	n := newNode(t, "--docker-host", "unix://"+r.socket)
	d := newDocker(t)
	n.send("GET", "/readyz", "", "Authorization:").want(503, `"field":"engine"`)
	n.send("GET", "/healthz", "", "Authorization:").want(200, "ok")
	volume, _ := n.volume()
	id := "e2e-patient"
	at := "/containers/" + id
	port := unused(t, 2) + 1
	n.send("POST", "/network/ports", fmt.Sprintf(`{"ip":"0.0.0.0","port":%d}`, port)).want(201, "")
	n.send("POST", "/containers", spec(id, volume, fmt.Sprintf(`"start_pattern":"up","ports":[{"port":%d}]`, port))).want(201, `"generation":1`)
	n.send("PATCH", at, `{"env":{"A":"b"}}`).want(200, `"generation":2`)
	n.send("POST", at+"/start", "").want(200, `"generation":3`)
	if c := n.get(id); c.State != "unknown" || c.InstallState != "installing" {
		t.Errorf("without an engine: %+v", c)
	}
	// What was accepted outlives the daemon, engine or not.
	n.crash()
	n.start("--docker-host", "unix://"+r.socket)
	if c := n.get(id); c.State != "unknown" || c.Generation != 3 || c.Power != "running" {
		t.Errorf("after a crash: %+v", c)
	}
	r.up()
	n.until(id, "running", running)
	n.send("GET", "/readyz", "", "Authorization:").want(200, "ready")
	before := d.inspect("lightd-" + id)
	if !slices.Contains(before.Config.Env, "A=b") {
		t.Errorf("environment: %v", before.Config.Env)
	}

	// It goes away, and lives on: nothing is called dead, nothing restarted.
	r.down()
	n.until(id, "unknown", func(c view) bool { return c.State == "unknown" })
	n.send("GET", "/readyz", "", "Authorization:").want(503, `"field":"engine"`)
	n.send("PATCH", at, `{"limits":{"memory":67108864}}`).want(200, "")
	n.send("DELETE", "/containers/e2e-nobody", "").want(404, "")
	r.up()
	n.until(id, "running with its new limit", running)
	after := d.inspect("lightd-" + id)
	if after.HostConfig.Memory != 67108864 {
		t.Errorf("memory is limited to %d", after.HostConfig.Memory)
	}
	if after.ID == before.ID && after.State.StartedAt != before.State.StartedAt {
		t.Error("restarted because the engine was away")
	}
	if events := n.events(id); slices.Contains(events, "ContainerLost") || slices.Contains(events, "Exited") && after.ID == before.ID {
		t.Errorf("events %v", events)
	}
	n.delete(id)
}

// TestOthersAreLeftAlone puts containers of others beside ours, with our names and labels.
func TestOthersAreLeftAlone(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	d := newDocker(t)
	volume, _ := n.volume()
	plain := d.stranger("e2e-stranger", nil)
	other := d.stranger("lightd-e2e-of-another", map[string]string{
		"lightd.instance": "00000000-0000-4000-8000-000000000000", "lightd.id": "e2e-of-another", "lightd.role": "run",
	})
	squatter := d.stranger("lightd-e2e-squatted", nil)
	started := map[string]string{}
	for _, id := range []string{plain, other, squatter} {
		started[id] = d.inspect(id).State.StartedAt
	}
	for _, id := range []string{"e2e-own", "e2e-squatted", "e2e-of-another"} {
		n.send("POST", "/containers", spec(id, volume, `"power":"running"`)).want(201, "")
	}
	n.until("e2e-own", "running", running)
	for _, id := range []string{"e2e-squatted", "e2e-of-another"} {
		n.until(id, "kept from its name", func(c view) bool { return c.reason("Synced", "False") == "NameTaken" })
	}
	n.crash()
	n.start()
	n.until("e2e-own", "running", running)
	n.delete("e2e-of-another")
	for id, at := range started {
		if s := d.inspect(id).State; !s.Running || s.StartedAt != at {
			t.Errorf("%s of somebody else was touched: %+v", id, s)
		}
	}
	d.remove(squatter)
	n.until("e2e-squatted", "running once the name is free", running)
	for _, id := range []string{plain, other} {
		if !d.inspect(id).State.Running {
			t.Errorf("%s of somebody else was touched", id)
		}
	}
}

// TestTwoNodesOnOneEngine do not see each other's containers.
func TestTwoNodesOnOneEngine(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	va, _ := a.volume()
	vb, _ := b.volume()
	a.send("POST", "/containers", spec("e2e-of-a", va, `"power":"running"`)).want(201, "")
	b.send("POST", "/containers", spec("e2e-of-b", vb, `"power":"running"`)).want(201, "")
	a.until("e2e-of-a", "running", running)
	b.until("e2e-of-b", "running", running)
	a.send("GET", "/containers/e2e-of-b", "").want(404, "")
	started := newDocker(t).inspect("lightd-e2e-of-a").State.StartedAt
	b.crash()
	b.start()
	b.until("e2e-of-b", "running", running)
	b.delete("e2e-of-b")
	if s := newDocker(t).inspect("lightd-e2e-of-a").State; !s.Running || s.StartedAt != started {
		t.Errorf("a's container was touched: %+v", s)
	}
}
