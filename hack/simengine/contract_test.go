package simengine_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/hack/simengine"
)

const (
	busybox = "lightd-test/busybox:latest"
	// contractLabel marks what a scenario makes, on a real engine too.
	contractLabel = "lightd.contract"
	// firstAPI is the oldest API version that Lightd supports, that of Docker 20.10.
	firstAPI = "1.41"
)

// TestScenarios runs each scenario against the simulation.
func TestScenarios(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) { play(t, sc, runName(sc), simulation(t, firstAPI)) })
	}
}

// runName is unique to one play of a scenario.
func runName(sc scenario) string { return fmt.Sprintf("%s-%d", sc.name, time.Now().UnixNano()) }

// side is one of the two engines.
type side struct {
	sim  *simengine.Sim // nil for the real one
	host string
	// api is the newest API version of the engine.
	api string
}

// exact reports whether the words of errors are compared, and not only their classes: the
// simulation has those of 20.10, and other releases of Docker change theirs as they like.
func (s side) exact() bool { return s.api == firstAPI }

// simulation is of the release of Docker with an API version.
func simulation(t *testing.T, api string) side {
	sim, host := harness.SimHost(t, simengine.Options{APIVersion: api})
	sim.AddImage(busybox, simengine.ImageConfig{Cmd: []string{"/bin/sh"}})
	return side{sim: sim, host: host, api: api}
}

// stage is where a scenario plays: it calls an engine and notes what comes of it.
type stage struct {
	*client.Client
	t    *testing.T
	ctx  context.Context
	side side
	run  string

	mu     sync.Mutex
	lines  []string
	told   []string
	stops  []string
	made   map[string]bool // container ids that are not destroyed yet
	missed chan struct{}   // closed and replaced with every event
}

// scenario is something that both engines are to do alike.
type scenario struct {
	name string
	play func(*stage)
}

// play runs a scenario on one side and returns its transcript.
func play(t *testing.T, sc scenario, run string, on side) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*eventually.Bound)
	defer cancel()
	st := &stage{t: t, ctx: ctx, side: on, run: run, made: map[string]bool{}, missed: make(chan struct{})}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", strings.TrimPrefix(on.host, "unix://"))
	}}
	defer transport.CloseIdleConnections()
	cli, err := client.NewClientWithOpts(client.WithHost(on.host), client.WithAPIVersionNegotiation(),
		client.WithHTTPClient(&http.Client{Transport: noting{transport, st}}))
	if err != nil {
		t.Fatal(err)
	}
	st.Client = cli
	watching, stop := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	// Docker answers a moment before it listens: what it tells meanwhile it tells again since now.
	messages, errs := cli.Events(watching, events.ListOptions{Since: stamp(time.Now()), Filters: filters.NewArgs(
		filters.Arg("type", "container"), filters.Arg("type", "network"))})
	watcher.Go(func() { st.watch(messages, errs) })
	finish := sync.OnceFunc(func() {
		stop()
		watcher.Wait()
	})
	defer finish()
	defer st.sweep() // a scenario that stopped half-way leaves something
	sc.play(st)
	st.clear()
	finish()
	return slices.Concat(st.lines, st.told, st.stops)
}

// ours selects what the scenario made.
func (st *stage) ours() filters.Args {
	return filters.NewArgs(filters.Arg("label", contractLabel+"="+st.run), filters.Arg("type", "container"))
}

// watch notes the events of the scenario: those of its containers, and of them on networks.
func (st *stage) watch(messages <-chan events.Message, errs <-chan error) {
	for {
		select {
		case m := <-messages:
			st.mu.Lock()
			if m.Actor.Attributes[contractLabel] != st.run && !st.made[m.Actor.Attributes["container"]] {
				st.mu.Unlock()
				continue
			}
			line := "event " + st.plain(describe(m))
			// Whether Docker tells of a detach hangs on which end goes first, the client or the
			// program. Of "oom" it tells as often as it likes. A "stop" is told by the call, beside
			// what the end itself tells, and since 23.0 before the "die" or after it. A pause and its end
			// are told again when containerd reports them late.
			last := len(st.told) - 1
			switch {
			case (m.Action == "pause" || m.Action == "unpause") && slices.Contains(st.told, line):
			case m.Action == "detach", m.Action == "oom" && last >= 0 && st.told[last] == line:
			case m.Action == "stop":
				st.stops = append(st.stops, line)
			default:
				st.told = append(st.told, line)
			}
			if m.Action == events.ActionDestroy {
				delete(st.made, m.Actor.ID)
			}
			close(st.missed)
			st.missed = make(chan struct{})
			st.mu.Unlock()
		case <-errs:
			return
		}
	}
}

// describe writes an event with the attributes that matter.
func describe(m events.Message) string {
	text := fmt.Sprintf("%s %s", m.Type, m.Action)
	for _, key := range slices.Sorted(maps.Keys(m.Actor.Attributes)) {
		if key != "execDuration" && key != contractLabel {
			text += fmt.Sprintf(" %s=%s", key, m.Actor.Attributes[key])
		}
	}
	return text
}

// sweep removes what is left.
func (st *stage) sweep() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(st.ctx), eventually.Bound)
	defer cancel()
	list, err := st.ContainerList(ctx, container.ListOptions{
		All: true, Filters: filters.NewArgs(filters.Arg("label", contractLabel+"="+st.run)),
	})
	if err != nil {
		st.t.Errorf("what is left on %s: %v", st.side.host, err)
	}
	for _, c := range list {
		if err := st.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true}); err != nil {
			st.t.Errorf("left on %s: %v", st.side.host, err)
		}
	}
}

// clear removes what is left, and waits until all events of it have come.
func (st *stage) clear() {
	st.sweep()
	st.await(func() bool { return len(st.made) == 0 })
}

// await waits until what the events did to the stage makes done true.
func (st *stage) await(done func() bool) {
	st.t.Helper()
	for {
		st.mu.Lock()
		ok, more := done(), st.missed
		st.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-more:
		case <-st.ctx.Done():
			st.t.Fatalf("events do not come: %q", st.told)
		}
	}
}

// awaitEvent waits until an event has come whose text contains part, n times.
func (st *stage) awaitEvent(part string, n int) {
	st.t.Helper()
	st.await(func() bool {
		count := 0
		for _, line := range st.told {
			if strings.Contains(line, part) {
				count++
			}
		}
		return count >= n
	})
}

// must stops the scenario on an error that is none of its matter.
func (st *stage) must(err error) {
	st.t.Helper()
	if err != nil {
		st.t.Fatalf("on %s: %v", st.side.host, err)
	}
}

// note adds a line to the transcript.
func (st *stage) note(format string, args ...any) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.lines = append(st.lines, st.plain(fmt.Sprintf(format, args...)))
}

// outcome notes what a call came to.
func (st *stage) outcome(what string, err error) {
	switch {
	case err == nil:
		st.note("%s: done", what)
	case st.side.exact():
		st.note("%s: %s: %v", what, class(err), err)
	default:
		st.note("%s: %s", what, class(err))
	}
}

func class(err error) string {
	for name, is := range map[string]func(error) bool{
		"not found": cerrdefs.IsNotFound, "conflict": cerrdefs.IsConflict, "invalid": cerrdefs.IsInvalidArgument,
		"internal": cerrdefs.IsInternal, "unchanged": cerrdefs.IsNotModified,
	} {
		if is(err) {
			return name
		}
	}
	return "other"
}

var (
	versionIn = regexp.MustCompile(`^/v[0-9.]+`)

	longID  = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
	shortID = regexp.MustCompile(`\b[0-9a-f]{12}\b`)
	ago     = regexp.MustCompile(`Less than a second|\b\d+ seconds?|About a minute`)
)

// plain puts names of things in place of what is different each time.
func (st *stage) plain(text string) string {
	text = strings.ReplaceAll(text, st.run, "RUN")
	text = shortID.ReplaceAllString(longID.ReplaceAllString(text, "ID"), "SHORT")
	return ago.ReplaceAllString(text, "AGO")
}

// noting notes the status of every call.
type noting struct {
	next http.RoundTripper
	to   *stage
}

// RoundTrip implements http.RoundTripper.
func (n noting) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := n.next.RoundTrip(r)
	if err == nil && !strings.HasSuffix(r.URL.Path, "/events") {
		n.to.note("%s %s %d", r.Method, versionIn.ReplaceAllString(r.URL.Path, ""), answer.StatusCode)
	}
	return answer, err
}

// name returns a name that is unique to the scenario.
func (st *stage) name(suffix string) string { return st.run + "-" + suffix }

// create makes a container of the test image, and notes how that went.
func (st *stage) create(suffix string, config container.Config, host container.HostConfig) {
	if config.Image == "" {
		config.Image = busybox
	}
	host.LogConfig.Type = "json-file" // as Lightd's are made: the engine's own driver may be another
	config.Labels = map[string]string{contractLabel: st.run, "suffix": suffix}
	made, err := st.ContainerCreate(st.ctx, &config, &host, nil, nil, st.name(suffix))
	if err == nil {
		st.mu.Lock()
		st.made[made.ID] = true
		st.mu.Unlock()
	}
	st.outcome("create "+suffix, err)
}

func (st *stage) start(suffix string) {
	st.outcome("start "+suffix, st.ContainerStart(st.ctx, st.name(suffix), container.StartOptions{}))
}

func (st *stage) kill(suffix, signal string) {
	st.outcome("kill "+suffix, st.ContainerKill(st.ctx, st.name(suffix), signal))
}

func (st *stage) remove(suffix string, force bool) {
	st.outcome("remove "+suffix, st.ContainerRemove(st.ctx, st.name(suffix), container.RemoveOptions{Force: force, RemoveVolumes: true}))
}

// program lets the simulation run in Go what the real engine runs in a shell.
func (st *stage) program(command string, p simengine.Program) {
	if st.side.sim != nil {
		st.side.sim.OnCommand(command, p)
	}
}

// inspect notes what matters of a container.
func (st *stage) inspect(suffix string) {
	c, err := st.ContainerInspect(st.ctx, st.name(suffix))
	if err != nil {
		st.outcome("inspect "+suffix, err)
		return
	}
	s, h, f := c.State, c.HostConfig, c.Config
	st.note("%s %s running=%t paused=%t oom=%t code=%d pid=%t started=%t finished=%t restarting=%t dead=%t", c.Name, s.Status,
		s.Running, s.Paused, s.OOMKilled, s.ExitCode, s.Pid > 0, happened(s.StartedAt), happened(s.FinishedAt), s.Restarting, s.Dead)
	if st.side.exact() {
		st.note("error %q", s.Error)
	}
	pids := int64(-1)
	if h.PidsLimit != nil {
		pids = *h.PidsLimit
	}
	st.note("limits memory=%d swap=%d cpu=%d pids=%d", h.Memory, h.MemorySwap, h.NanoCPUs, pids)
	st.note("host net=%s ports=%v log=%v restart=%v init=%t binds=%v mounts=%v autoremove=%t", h.NetworkMode, h.PortBindings,
		h.LogConfig, h.RestartPolicy, h.Init != nil && *h.Init, h.Binds, h.Mounts, h.AutoRemove)
	st.note("config cmd=%q entry=%q env=%v user=%q tty=%t stdin=%t image=%s labels=%v dir=%q signal=%q exposed=%v", f.Cmd,
		f.Entrypoint, f.Env, f.User, f.Tty, f.OpenStdin, f.Image, f.Labels, f.WorkingDir, f.StopSignal, f.ExposedPorts)
	st.note("path=%q args=%q bound=%v mounted=%v", c.Path, c.Args, c.NetworkSettings.Ports, c.Mounts)
}

func happened(stamp string) bool {
	at, err := time.Parse(time.RFC3339Nano, stamp)
	return err == nil && at.Year() > 1
}

// list notes what a list with filters shows.
func (st *stage) list(all bool, args ...filters.KeyValuePair) {
	args = append(args, filters.Arg("label", contractLabel+"="+st.run))
	found, err := st.ContainerList(st.ctx, container.ListOptions{All: all, Filters: filters.NewArgs(args...)})
	st.must(err)
	for _, c := range found {
		st.note("listed %v %s %q %s ports=%v labels=%v command=%q net=%s mounts=%d", c.Names, c.State, c.Status, c.Image,
			c.Ports, c.Labels, c.Command, c.HostConfig.NetworkMode, len(c.Mounts))
	}
}
