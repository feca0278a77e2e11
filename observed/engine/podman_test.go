package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/drift"
	"lightd/observed/engine"
)

// podmanServer answers as Podman does, and keeps the bodies that it gets, by path without version.
type podmanServer struct {
	answers map[string]string
	bodies  map[string]string
}

// newPodman serves answers by path without version, as in "/containers/x/json".
func newPodman(t *testing.T, answers map[string]string) (*podmanServer, *engine.Engine) {
	t.Helper()
	p := &podmanServer{answers: answers, bodies: map[string]string{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Api-Version", "1.41")
		w.Header().Set("Server", "Libpod/5.4.2 (linux)")
		_, path, versioned := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v"), "/")
		if path = "/" + path; !versioned || r.URL.Path == "/_ping" {
			return
		}
		body, _ := io.ReadAll(r.Body)
		p.bodies[path] = string(body)
		answer, found := p.answers[path]
		switch {
		case path == "/info":
			answer = `{"CgroupVersion":"1"}`
		case !found, strings.Contains(answer, "no such container"):
			w.WriteHeader(http.StatusInternalServerError)
		case r.Method == http.MethodPost && !strings.HasSuffix(path, "/update"):
			w.WriteHeader(http.StatusCreated)
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return p, newEngine(t, engine.Config{Host: "tcp://" + server.Listener.Addr().String(), Instance: "i"})
}

// podmanContainer is what a Podman 5.4 on cgroup v1 shows of a container that was created from gamePlan. LABELS
// stands for its labels.
const podmanContainer = `{"Id":"c1","Name":"/lightd-a","State":{"Status":"STATE","Running":true,"Pid":7,"StartedAt":"2026-11-30T15:45:45.411077641Z","FinishedAt":"0001-01-01T00:00:00Z"},
"Image":"sha256:f683df4f417855366b7f088951095a837df08ee757d0977e91b666d7d835fd80",
"HostConfig":{"PortBindings":{"80/tcp":[{"HostIp":"","HostPort":"80"}],"81/tcp":[{"HostIp":"127.0.0.1","HostPort":"81"}]},"LogConfig":{"Type":"json-file","Config":null},"NetworkMode":"bridge","RestartPolicy":{"Name":"no"},
"CapAdd":[],"CapDrop":["DAC_OVERRIDE"],"CgroupnsMode":"","IpcMode":"private","PidMode":"private","UTSMode":"private","UsernsMode":"","SecurityOpt":[],
"Memory":67108864,"MemorySwap":67108864,"NanoCpus":500000000,"CpuPeriod":100000,"CpuQuota":50000,"PidsLimit":100,"Init":true},
"Mounts":[],"Config":{"Hostname":"a","User":"","Tty":true,"OpenStdin":true,
"Env":["PATH=/usr/bin","container=podman","TERM=xterm","A=b","HOSTNAME=a","HOME=/home/container"],"Cmd":null,"Healthcheck":{"Test":["NONE"]},
"Image":"docker.io/lightd-test/busybox:latest","WorkingDir":"/home/container","Entrypoint":["/bin/sh","/x"],"Labels":LABELS,"StopSignal":"15"},
"NetworkSettings":{"Networks":{"lightd":{"NetworkID":"n1","IPAddress":"10.89.0.2"}}}}`

// gamePlan is a container with all that Podman shows otherwise.
func gamePlan() blueprint.Blueprint {
	return blueprint.Blueprint{
		Name: "lightd-a", Image: "lightd-test/busybox:latest", Labels: map[string]string{},
		Entrypoint: []string{"/bin/sh", "/x"}, Env: []string{"A=b", "HOME=/home/container"}, WorkingDir: "/home/container",
		Hostname: "a", TTY: true, OpenStdin: true, Init: true, RestartPolicy: "no", StopSignal: "SIGTERM",
		Limits: desired.Limits{Memory: 64 << 20, CPU: 0.5, PIDs: 100}, Log: blueprint.Logs("10m", 3),
		Ports:       []desired.Port{{IP: "0.0.0.0", Port: 80, Protocol: desired.TCP, ContainerPort: 80}, {IP: "127.0.0.1", Port: 81, Protocol: desired.TCP, ContainerPort: 81}},
		NetworkMode: "lightd", Healthcheck: observed.NoHealthcheck(),
		Security: observed.Security{Capabilities: []string{"CHOWN", "KILL"}, IPC: "private", Cgroupns: "private"},
	}
}

// TestPodmanShowsWhatWasAsked: a container that Podman made from a blueprint does not differ from it, and one that
// was altered does.
func TestPodmanShowsWhatWasAsked(t *testing.T) {
	p, e := newPodman(t, map[string]string{
		"/containers/create": `{"Id":"c1","Warnings":[]}`, "/containers/c1/update": `{}`,
		"/libpod/containers/c1/json": `{"BoundingCaps":["CAP_CHOWN","CAP_KILL"],"HostConfig":{"CgroupMode":"host"}}`,
	})
	if _, _, err := e.Create(t.Context(), gamePlan()); err != nil {
		t.Fatal(err)
	}
	var made struct {
		Labels     map[string]string
		HostConfig struct {
			NanoCpus, CpuPeriod, CpuQuota int64
			PortBindings                  map[string][]struct{ HostIp, HostPort string }
		}
	}
	if err := json.Unmarshal([]byte(p.bodies["/containers/create"]), &made); err != nil {
		t.Fatal(err)
	}
	if h := made.HostConfig; h.NanoCpus != 0 || h.CpuQuota*2 != h.CpuPeriod || h.CpuPeriod == 0 {
		t.Errorf("the limit of the CPU is asked for as %+v", h)
	}
	if got := fmt.Sprint(made.HostConfig.PortBindings); got != "map[80/tcp:[{ 80}] 81/tcp:[{127.0.0.1 81}]]" {
		t.Errorf("the ports are asked for as %s", got)
	}
	labels, err := json.Marshal(made.Labels)
	if err != nil {
		t.Fatal(err)
	}
	show := func(state string, replace ...string) observed.Container {
		t.Helper()
		replace = append(replace, "LABELS", string(labels), "STATE", state)
		p.answers["/containers/c1/json"] = strings.NewReplacer(replace...).Replace(podmanContainer)
		c, _, err := e.Inspect(t.Context(), "c1")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, c := range []struct {
		name   string
		change []string
		want   []string
	}{
		{"as it was asked for", nil, nil},
		{"with another variable", []string{`"A=b"`, `"A=c"`}, []string{"env.A"}},
		{"without a variable that Podman would set", []string{`,"HOME=/home/container"`, ""}, []string{"env.HOME"}},
		{"of another image", []string{"docker.io/lightd-test", "docker.io/other"}, []string{"image"}},
		{"on another network", []string{`"lightd":{"NetworkID"`, `"podman":{"NetworkID"`}, []string{"networks"}},
		{"with another log", []string{`"json-file"`, `"journald"`}, []string{"log.driver", "log.max_size", "log.max_file"}},
		{"without labels", []string{"LABELS", "{}"}, []string{"env.HOSTNAME", "env.PATH", "env.TERM", "env.container", "log.max_size", "log.max_file", "cgroupns"}},
	} {
		var paths []string
		for _, d := range drift.Compare(gamePlan(), show("running", c.change...), observed.Image{Present: true}) {
			paths = append(paths, d.Path)
		}
		if !slices.Equal(paths, c.want) {
			t.Errorf("%s: it differs in %v, want %v", c.name, paths, c.want)
		}
	}
	for state, want := range map[string]observed.Phase{"stopped": observed.Exited, "initialized": observed.Created, "stopping": observed.Running, "paused": observed.Paused} {
		if got := show(state).Phase; got != want {
			t.Errorf("%s is shown as %s", state, got)
		}
	}
	if _, err := e.UpdateLimits(t.Context(), "c1", desired.Limits{CPU: 0.75}); err != nil || !strings.Contains(p.bodies["/containers/c1/update"], `"CpuQuota":75000`) {
		t.Errorf("updated with %s, %v", p.bodies["/containers/c1/update"], err)
	}
}

// TestPodmanRemovesMeanwhile: a container that goes while it is inspected is not there.
func TestPodmanRemovesMeanwhile(t *testing.T) {
	_, e := newPodman(t, map[string]string{"/containers/c1/json": `{"message":"no container with ID c1 found in database: no such container"}`})
	if _, _, err := e.Inspect(t.Context(), "c1"); engine.Classify(err) != engine.NotFound {
		t.Errorf("got %v of class %v", err, engine.Classify(err))
	}
}

// TestPodmanAttachesToWhatRuns: it is not asked to attach to what would have to be prepared for another start.
func TestPodmanAttachesToWhatRuns(t *testing.T) {
	for state, runs := range map[string]bool{
		`"created","Running":false`: false, `"exited","Running":false`: false, `"running","Running":true`: true, `"paused","Running":false,"Paused":true`: true,
	} {
		p, e := newPodman(t, nil)
		p.answers = map[string]string{"/containers/c1/json": strings.NewReplacer("LABELS", "{}", `"STATE","Running":true`, state).Replace(podmanContainer)}
		_, err := e.Attach(t.Context(), "c1", engine.AttachOptions{Output: true})
		if _, asked := p.bodies["/containers/c1/attach"]; asked != runs || errors.Is(err, engine.ErrNotRunning) == runs {
			t.Errorf("%s: asked %v, got %v", state, asked, err)
		}
	}
	_, e := newPodman(t, map[string]string{"/containers/c1/json": `{"message":"no container with ID c1 found in database: no such container"}`})
	if _, err := e.Attach(t.Context(), "c1", engine.AttachOptions{Output: true}); engine.Classify(err) != engine.NotFound {
		t.Errorf("got %v of class %v", err, engine.Classify(err))
	}
}

// TestPodmanMemory: a run ended for its memory where Podman has shown it without a mark that it shows ever after.
func TestPodmanMemory(t *testing.T) {
	const first, second = "2026-11-30T15:45:45.411077641Z", "2026-11-30T15:46:45.411077641Z"
	p, e := newPodman(t, map[string]string{"/libpod/containers/c1/json": `{}`})
	show := func(started string, runs, mark bool) bool {
		t.Helper()
		p.answers["/containers/c1/json"] = strings.NewReplacer("LABELS", "{}", first, started,
			`"STATE","Running":true`, fmt.Sprintf(`"exited","Running":%v,"OOMKilled":%v`, runs, mark)).Replace(podmanContainer)
		c, _, err := e.Inspect(t.Context(), "c1")
		if err != nil {
			t.Fatal(err)
		}
		return c.OOMKilled
	}
	for _, c := range []struct {
		what       string
		started    string
		runs, mark bool
		want       bool
	}{
		{"never seen to run", first, false, true, false},
		{"running", first, true, false, false},
		{"killed", first, false, true, true},
		{"killed, seen again", first, false, true, true},
		{"running again", second, true, true, false},
		{"ended again", second, false, true, false},
	} {
		if got := show(c.started, c.runs, c.mark); got != c.want {
			t.Errorf("%s: out of memory is %v, want %v", c.what, got, c.want)
		}
	}
	for listed, want := range map[string]bool{`[{"Id":"c1"}]`: true, `[]`: false} {
		show(first, true, false)
		p.answers["/containers/json"] = listed
		if _, err := e.List(t.Context()); err != nil {
			t.Fatal(err)
		}
		if show(first, false, true) != want {
			t.Errorf("after the list %s: out of memory is %v", listed, !want)
		}
	}
}

// TestPodmanSignals: all processes get a signal, but for the one that ends them anyway.
func TestPodmanSignals(t *testing.T) {
	for signal, want := range map[string]bool{"SIGTERM": true, "SIGKILL": false} {
		p, e := newPodman(t, map[string]string{"/containers/c1/kill": "", "/containers/c1/exec": `{"Id":"x1"}`, "/exec/x1/start": ""})
		p.answers["/containers/c1/json"] = strings.Replace(podmanContainer, "LABELS", "{}", 1)
		if err := e.Kill(t.Context(), "c1", signal); err != nil {
			t.Fatal(err)
		}
		if _, sent := p.bodies["/exec/x1/start"]; sent != want {
			t.Errorf("%s to all others: %v, want %v", signal, sent, want)
		}
	}
}

// TestPodmanCommitsAndNames: a commit has a body, and images have the names that they were given.
func TestPodmanCommitsAndNames(t *testing.T) {
	const id = "63679fa522197db40272be274fc12f002f550101731a15e6758f2e68c532c1b1"
	p, e := newPodman(t, map[string]string{
		"/commit":      `{"Id":"` + id + `"}`,
		"/images/json": `[{"Id":"sha256:` + id + `","RepoTags":["docker.io/lightd/i:a.1","localhost/lightd/i:a.2"]}]`,
	})
	made, err := e.Commit(t.Context(), "c1", "lightd/i:a.1", "")
	if err != nil || made != "sha256:"+id || !strings.HasPrefix(p.bodies["/commit"], "{") {
		t.Errorf("committed %q with body %q, %v", made, p.bodies["/commit"], err)
	}
	list, err := e.Images(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var refs []string
	for _, i := range list {
		refs = append(refs, i.Ref)
	}
	if want := []string{"lightd/i:a.1", "lightd/i:a.2"}; !slices.Equal(refs, want) {
		t.Errorf("named %v, want %v", refs, want)
	}
}

// TestPodmanNetworks: the interface is the one that Podman's own API shows.
func TestPodmanNetworks(t *testing.T) {
	_, e := newPodman(t, map[string]string{
		"/networks":             `[{"Name":"lightd","Id":"n1","Driver":"bridge","Scope":"local","IPAM":{"Config":[{"Gateway":"10.89.0.1"}]},"Options":{},"Labels":{"lightd.network":"true"}}]`,
		"/libpod/networks/json": `[{"name":"lightd","id":"n1","network_interface":"lightd0"}]`,
	})
	n, found, err := e.Network(t.Context(), "lightd")
	if misfit := blueprint.DefaultNetwork.Misfit(n); err != nil || !found || misfit != "" || len(n.Gateways) > 0 {
		t.Errorf("got %+v, %v, %v: %s", n, found, err, misfit)
	}
}

// TestPodmanEvents: events have Docker's words.
func TestPodmanEvents(t *testing.T) {
	const image = "63679fa522197db40272be274fc12f002f550101731a15e6758f2e68c532c1b1"
	_, e := newPodman(t, map[string]string{"/events": `{"Type":"container","Action":"died","Actor":{"ID":"c1","Attributes":{"containerExitCode":"137"}},"timeNano":1}
{"Type":"container","Action":"remove","Actor":{"ID":"c1","Attributes":{"name":"a"}},"timeNano":2}
{"Type":"network","Action":"disconnect","Actor":{"ID":"c1","Attributes":{"network":"lightd"}},"timeNano":3}`})
	var got []engine.Event
	_ = e.ContainerEvents(t.Context(), time.Time{}, func(time.Time) {}, func(ev engine.Event) { got = append(got, ev) }) // it ends with the answer
	want := []engine.Event{
		{Action: "die", ID: "c1", Attributes: map[string]string{"containerExitCode": "137", "exitCode": "137"}, Time: time.Unix(0, 1).UTC()},
		{Action: "destroy", ID: "c1", Attributes: map[string]string{"name": "a"}, Time: time.Unix(0, 2).UTC()},
		{Action: "disconnect", ID: "c1", Attributes: map[string]string{"name": "lightd", "container": "c1"}, Time: time.Unix(0, 3).UTC()},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	_, e = newPodman(t, map[string]string{"/events": `{"Type":"image","Action":"remove","Actor":{"ID":"` + image + `","Attributes":{"name":"docker.io/lightd/i:a.1"}}}`})
	_ = e.ImageEvents(t.Context(), func() {}, func(ev engine.Event) { got = append(got[:0], ev) })
	if got[0].Action != "delete" || got[0].ID != "sha256:"+image {
		t.Errorf("got %+v", got[0])
	}
}

// TestPodmanLogTimes: the times of a log are Docker's, of a terminal and of two outputs, in any time zone.
func TestPodmanLogTimes(t *testing.T) {
	long := strings.Repeat("x", 70<<10)
	frame := func(text string) string {
		return "\x01\x00\x00\x00\x00" + string([]byte{byte(len(text) >> 16), byte(len(text) >> 8), byte(len(text))}) + text
	}
	for name, c := range map[string]struct{ log, want string }{
		"terminal":    {"2026-11-30T15:59:01Z tool\r\n2026-11-30T16:59:02+01:00 \r\n", "2026-11-30T15:59:01.000000000Z tool\r\n2026-11-30T15:59:02.000000000Z \r\n"},
		"two outputs": {frame("2026-11-30T15:59:01Z tool\n"), frame("2026-11-30T15:59:01.000000000Z tool\n")},
		"a long line": {"2026-11-30T15:59:01Z " + long + "\n", "2026-11-30T15:59:01.000000000Z " + long + "\n"},
		"no time":     {"tool\n", "tool\n"},
		"nothing":     {"", ""},
	} {
		_, e := newPodman(t, map[string]string{"/containers/c1/logs": c.log})
		body, err := e.Logs(t.Context(), "c1", engine.LogsOptions{Timestamps: true})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %.90q, %v, want %.90q", name, got, err, c.want)
		}
		_ = body.Close()
	}
}
