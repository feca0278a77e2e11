package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"

	"lightd/cmd/lightd/check"
	"lightd/hack/harness"
)

// TestMainJob is what every kind of engine must do: hack/engines runs it on each. The steps follow each
// other, so that none runs after one that has failed.
func TestMainJob(t *testing.T) {
	t.Parallel()
	config := settingsFile(t, fmt.Sprintf("images: {allowed: ['*', %q]}\n", harness.Registry()))
	j := &mainJob{node: newNode(t, "--config", config), config: config, docker: newDocker(t), id: "e2e-main-job", port: unused(t, 2)}
	for _, step := range []struct {
		name string
		run  func(*mainJob, *testing.T)
	}{
		{"install", (*mainJob).install}, {"console", (*mainJob).console}, {"logs", (*mainJob).logs},
		{"limits", (*mainJob).limits}, {"rest", (*mainJob).rest}, {"crash", (*mainJob).crash},
		{"memory", (*mainJob).memory}, {"rebind", (*mainJob).rebind}, {"port", (*mainJob).awaitPort}, {"restart", (*mainJob).restart},
		{"restart-daemon", (*mainJob).restartDaemon}, {"rest-again", (*mainJob).rest}, {"digest", (*mainJob).digest}, {"check", (*mainJob).check}, {"delete", (*mainJob).delete},
	} {
		began := time.Now()
		if !t.Run(step.name, func(t *testing.T) { step.run(j, t) }) {
			t.Fatalf("%s failed; the container is %s", step.name, j.node.describe())
		}
		t.Logf("%s took %v", step.name, time.Since(began).Round(time.Millisecond))
	}
	said := warnings.FindAllString(j.node.log.String(), -1)
	slices.Sort(said)
	for _, line := range slices.Compact(said) {
		t.Logf("warned: %s", line)
	}
}

// warnings matches the lines of a daemon's log that an operator reads, without the time.
var warnings = regexp.MustCompile(`level=(WARN|ERROR) .*`)

// mainJob is one container over its life.
type mainJob struct {
	*node
	*docker
	id, path, config string
	// port is the first of two in a row.
	port int
	// made is the container as it was last created.
	made view
	// kept is the image that keeps its installation.
	kept string
}

func (j *mainJob) name() string { return "lightd-" + j.id }

func (j *mainJob) at(more string) string { return "/containers/" + j.id + more }

// on has the steps of a test report to it.
func (j *mainJob) on(t *testing.T) *mainJob {
	n, d := *j.node, *j.docker
	n.t, d.t = t, t
	return &mainJob{node: &n, docker: &d, id: j.id, path: j.path, config: j.config, port: j.port, made: j.made, kept: j.kept}
}

// install makes the container: its script leaves a program in the image and a file in the volume.
func (j *mainJob) install(t *testing.T) {
	on := j.on(t)
	for _, port := range []int{j.port, j.port + 1} {
		on.send("POST", "/network/ports", fmt.Sprintf(`{"ip":"0.0.0.0","port":%d}`, port)).want(201, "")
	}
	volume, path := on.volume()
	j.path = path
	on.send("POST", "/containers", spec(j.id, volume, fmt.Sprintf(`"power":"running","start_pattern":"serves on [0-9]+","ports":[{"port":%d}],
		"env":{"GREETING":"heard"},"limits":{"memory":67108864,"cpu":0.5,"pids":100},
		"install_script":"echo installing; printf '#!/bin/sh\\necho tool' > /usr/tool; chmod +x /usr/tool; echo ran >> runs",
		"startup_command":"/usr/tool; nc -ll -p %d -e echo hello & echo serves on %d; while read line; do case $line in eat) exec tail /dev/zero;; esac; echo \"$GREETING $line\"; done"`,
		j.port, j.port, j.port))).want(201, "")
	j.made = on.until(j.id, "running", running)
	j.kept = on.inspect(j.name()).Config.Image
	if got := on.events(j.id); !slices.Equal(got[:min(len(got), len(pageInstallEvents))], pageInstallEvents) {
		t.Errorf("the events are %v", got)
	}
	if got := lines(t, filepath.Join(j.path, "runs")); len(got) != 1 {
		t.Errorf("the script ran %d times", len(got))
	}
	on.send("GET", j.at("/install-log"), "", "Accept: text/plain").want(200, "installing")
	on.answers(j.port)
}

// answers waits until what listens in the container is reached on a port of the host.
func (j *mainJob) answers(port int) {
	j.docker.t.Helper()
	poll(j.docker.t, func() error {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			return err
		}
		var text [16]byte
		n, err := conn.Read(text[:])
		if n == 0 {
			return fmt.Errorf("port %d says nothing: %w", port, err)
		}
		return nil
	})
}

// console sends a line, and sees it and the answer.
func (j *mainJob) console(t *testing.T) {
	on := j.on(t)
	ws := on.record("/ws/" + j.id)
	ws.say(`{"event":"send_command","command":"you\n"}`)
	ws.await("an answer", func(m message) bool { return m.Event == "console" && strings.Contains(m.Data, "heard you") })
	ws.leave()
}

// logs reads what was printed from the start on.
func (j *mainJob) logs(t *testing.T) {
	on := j.on(t)
	poll(t, func() error { // an engine's log may be behind its streams
		text := on.send("GET", j.at("/logs?tail=100"), "").want(200, "").text
		for _, want := range []string{"tool", fmt.Sprintf("serves on %d", j.port), "heard you"} {
			if strings.Count(text, want) != 1 {
				return fmt.Errorf("%q is %d times in %q", want, strings.Count(text, want), text)
			}
		}
		return nil
	})
}

// limits are changed without a restart.
func (j *mainJob) limits(t *testing.T) {
	on := j.on(t)
	started := on.inspect(j.name()).State.StartedAt
	if on.unlimited() {
		// It says so, changes nothing else, and is as specified again with the limits of before.
		on.send("PATCH", j.at("?wait=synced"), `{"limits":{"memory":100663296}}`).want(202, `"reason":"LimitNotEnforced"`)
		on.send("PATCH", j.at("?wait=synced"), `{"limits":{"memory":67108864}}`).want(200, `"met":true`)
		return
	}
	on.send("PATCH", j.at("?wait=synced"), `{"limits":{"memory":100663296,"cpu":0.75,"pids":120}}`).want(200, `"met":true`)
	c := on.inspect(j.name())
	if c.State.StartedAt != started || !strings.HasPrefix(c.ID, j.made.ContainerID) {
		t.Errorf("%s of %s was restarted, or replaced by %s of %s", j.made.ContainerID, started, c.ID, c.State.StartedAt)
	}
	cpu := float64(c.HostConfig.NanoCPUs) / 1e9
	if cpu == 0 && c.HostConfig.CPUPeriod > 0 {
		cpu = float64(c.HostConfig.CPUQuota) / float64(c.HostConfig.CPUPeriod)
	}
	if c.HostConfig.Memory != 100663296 || cpu != 0.75 {
		t.Errorf("its memory is %d, its CPU %v", c.HostConfig.Memory, cpu)
	}
}

// stepCounts matches the count of each kind of step and result.
var stepCounts = regexp.MustCompile(`(?m)^lightd_step_duration_seconds_count\{.*`)

// atRest is how long nothing may happen in a container that is as specified.
const atRest = 10 * time.Second

// rest wants no difference, nothing planned, and no step over a while.
func (j *mainJob) rest(t *testing.T) {
	on := j.on(t)
	counts := func() string {
		return strings.Join(stepCounts.FindAllString(on.send("GET", "/metrics", "").want(200, "lightd_").text, -1), "\n")
	}
	on.until(j.id, "running", running)
	asSpecified := func() {
		on.send("GET", j.at("/plan"), "").want(200, `"plan":[]`)
		on.send("GET", j.at("/drift"), "").want(200, `"in_sync":true`)
	}
	asSpecified()
	before := counts()
	events := on.events(j.id)
	select {
	case <-t.Context().Done():
	case <-time.After(atRest):
	}
	asSpecified()
	if now := counts(); now != before {
		t.Errorf("steps at rest, from\n%s\nto\n%s", before, now)
	}
	if now := on.events(j.id); !slices.Equal(now, events) {
		t.Errorf("events at rest: %v", now[len(events):])
	}
}

// again waits until the process was started again in the container that was made.
func (j *mainJob) again(what, started string) {
	j.docker.t.Helper()
	j.until(j.id, what, func(c view) bool { return running(c) && j.inspect(j.name()).State.StartedAt != started })
	if c := j.inspect(j.name()); !strings.HasPrefix(c.ID, j.made.ContainerID) {
		j.docker.t.Errorf("%s was replaced by %s", j.made.ContainerID, c.ID)
	}
}

// since wants the events of the container behind the first ones to be these.
func (j *mainJob) since(first int, want ...string) {
	j.docker.t.Helper()
	if got := j.events(j.id)[first:]; !slices.Equal(got, want) {
		j.docker.t.Errorf("the events are %v, want %v", got, want)
	}
}

// crash kills the process behind the daemon's back.
func (j *mainJob) crash(t *testing.T) {
	on := j.on(t)
	before := len(on.events(j.id))
	started := on.inspect(j.name()).State.StartedAt
	on.kill(j.name())
	on.again("running again", started)
	if got := on.get(j.id).LastExit; got == nil || got.Code != 137 {
		t.Errorf("its last exit is %+v", got)
	}
	on.since(before, "Exited", "Starting", "Running")
	on.answers(j.port)
}

// memory has the kernel kill the process for its limit.
func (j *mainJob) memory(t *testing.T) {
	on := j.on(t)
	if on.unlimited() {
		return
	}
	before := len(on.events(j.id))
	started := on.inspect(j.name()).State.StartedAt
	ws := on.record("/ws/" + j.id)
	ws.say(`{"event":"send_command","command":"eat\n"}`)
	on.again("running again", started)
	ws.leave()
	poll(t, func() error { // an engine may report it behind the end
		if got := on.get(j.id).LastExit; got == nil || got.Code != 137 || !got.OOM && !on.isPodman() {
			return fmt.Errorf("its last exit is %+v", got)
		}
		return nil
	})
	want := []string{"Exited", "OOMKilled", "Running", "Starting"}
	got := slices.DeleteFunc(on.events(j.id)[before:], func(e string) bool { return e == "BackOff" }) // it crashed before
	if on.isPodman() && !slices.Contains(got, want[1]) {
		want = slices.Delete(want, 1, 2)
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("the events are %v, want %v", got, want)
	}
}

// isPodman reports whether the engine is a Podman, which shows a process out of memory only until it is started again.
func (j *mainJob) isPodman() bool {
	j.docker.t.Helper()
	ctx, cancel := j.bounded()
	defer cancel()
	version, err := j.ServerVersion(ctx)
	if err != nil {
		j.docker.t.Fatal(err)
	}
	return len(version.Components) > 0 && strings.HasPrefix(version.Components[0].Name, "Podman")
}

// unlimited reports whether the engine limits nothing, as a rootless one without controllers of its own.
func (j *mainJob) unlimited() bool {
	j.docker.t.Helper()
	ctx, cancel := j.bounded()
	defer cancel()
	info, err := j.Info(ctx)
	if err != nil {
		j.docker.t.Fatal(err)
	}
	return info.CgroupDriver == "none"
}

// rebind puts it on another port: it is recreated from what the script left.
func (j *mainJob) rebind(t *testing.T) {
	on := j.on(t)
	before := len(on.events(j.id))
	on.send("POST", j.at("/rebind-network"), fmt.Sprintf(`{"ports":[{"port":%d}]}`, j.port+1)).want(200, "")
	j.made = on.until(j.id, "on its new port", func(c view) bool { return running(c) && c.ContainerID != j.made.ContainerID })
	on.since(before, "RebindStarted", "Stopping", "Exited", "RemovingOldContainer", "Starting", "Running")
	if got := strings.TrimSpace(on.exec(j.name(), "/usr/tool")); got != "tool" {
		t.Errorf("the program of the installation says %q", got)
	}
	if c := on.inspect(j.name()); len(c.HostConfig.PortBindings) != 1 {
		t.Errorf("it binds %v", c.HostConfig.PortBindings)
	}
}

// awaitPort stops the container, takes its port, starts it, and gives the port free.
func (j *mainJob) awaitPort(t *testing.T) {
	on := j.on(t)
	on.send("POST", j.at("/stop?wait=stopped"), "").want(200, "")
	var taken net.Listener
	poll(t, func() (err error) { // an engine lets it go behind the end of the process
		taken, err = net.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", j.port+1))
		return err
	})
	defer func() { _ = taken.Close() }()
	on.send("POST", j.at("/start"), "").want(200, "")
	on.until(j.id, "waiting for its port", func(c view) bool { return c.reason("Synced", "False") == "PortUnavailable" })
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	free := time.Now()
	on.until(j.id, "running", running)
	t.Logf("%v from the release of the port to running", time.Since(free).Round(time.Millisecond))
}

// restart restarts it as a client wants it.
func (j *mainJob) restart(t *testing.T) {
	on := j.on(t)
	started := on.inspect(j.name()).State.StartedAt
	on.send("POST", j.at("/restart"), "").want(200, "")
	on.again("restarted", started)
}

// restartDaemon leaves the container as it is, and the console and the log go on.
func (j *mainJob) restartDaemon(t *testing.T) {
	started := j.inspect(j.name()).State.StartedAt
	j.node.terminate()
	j.node.start("--config", j.config)
	on := j.on(t)
	on.until(j.id, "running", running)
	if now := on.inspect(j.name()).State.StartedAt; now != started {
		t.Errorf("it was restarted: %s, and %s", started, now)
	}
	on.console(t)
	on.send("GET", j.at("/logs?tail=1"), "").want(200, "heard you")
}

// digest runs a second container from an image that is named by its digest.
func (j *mainJob) digest(t *testing.T) {
	const id = "e2e-main-job-digest"
	on := j.on(t)
	repository, tag, _ := strings.Cut(harness.Busybox(), ":")
	url := "http://" + harness.Registry() + "/v2/" + repository + "/manifests/" + tag
	request := harness.Value[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodHead, url, nil))
	request.Header.Set("Accept", "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json")
	answer := harness.Value[*http.Response](t)(http.DefaultClient.Do(request))
	_ = answer.Body.Close() // a HEAD has none
	image := harness.Registry() + "/" + repository + "@" + answer.Header.Get("Docker-Content-Digest")
	volume, _ := on.volume()
	on.send("POST", "/containers", spec(id, volume, fmt.Sprintf(`"power":"running","image":%q,"startup_command":"sleep 1000"`, image))).want(201, "")
	on.until(id, "running", running)
	on.send("GET", "/containers/"+id+"/plan", "").want(200, `"plan":[]`)
	on.send("GET", "/containers/"+id+"/drift", "").want(200, `"in_sync":true`)
	on.node.delete(id)
}

// check reports how the engine differs from a Docker that has all that Lightd uses.
func (j *mainJob) check(t *testing.T) {
	cmd := program(t, nil, "check", "-o", "json", "--config", j.config, "--data-dir", j.dir, "--listen", strings.TrimPrefix(j.url, "http://"))
	out, err := cmd.Output()
	var items []check.Item
	if err := errors.Join(err, json.Unmarshal(out, &items)); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, i := range items {
		if slices.Contains([]string{"engine", "limits", "seccomp", "storage-driver", "firewall"}, i.Name) && i.Verdict != check.OK {
			t.Logf("differs: %s", i.Text)
		}
	}
}

// delete leaves nothing of it but its volume.
func (j *mainJob) delete(t *testing.T) {
	on := j.on(t)
	on.node.delete(j.id)
	if !on.absent(j.name()) {
		t.Error("its container is there")
	}
	poll(t, func() error {
		ctx, cancel := on.bounded()
		defer cancel()
		list, err := on.ImageList(ctx, image.ListOptions{})
		for _, i := range list {
			if slices.Contains(i.RepoTags, j.kept) {
				err = errors.Join(err, fmt.Errorf("its image %v is there", i.RepoTags))
			}
		}
		return err
	})
	if _, err := os.Stat(filepath.Join(j.path, "runs")); err != nil {
		t.Error(err)
	}
}
