package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"lightd/hack/harness"
)

// subject is a container whose whole life the test has ordered, and so knows.
type subject struct {
	id, volume, path string
	scripted         bool

	exists, up bool
	port       int
	memory     int64
	version    string
	generation int64
	// installs and starts are how often its script has run, and its program was started,
	// over all the containers of that id.
	installs, starts int
}

func (s *subject) spec() string {
	script := ""
	if s.scripted {
		script = `,"install_script":"echo ran >> installs; sleep 0.2; echo tool > /usr/tool"`
	}
	power := "stopped"
	if s.up {
		power = "running"
	}
	return fmt.Sprintf(`{"internal_id":%q,"image":%q,"volume_id":%q,"startup_command":"echo started >> starts; echo up; exec sleep 1000",
		"start_pattern":"^up$","power":%q,"ports":[{"ip":"127.0.0.1","port":%d,"protocol":"tcp"}],
		"limits":{"memory":%d},"env":{"VERSION":%q},"stop":{"timeout":"3s"}%s}`,
		s.id, harness.Busybox(), s.volume, power, s.port, s.memory, s.version, script)
}

// killings is a daemon that is killed again and again, and what it was asked for.
type killings struct {
	*node
	docker   *docker
	random   *rand.Rand
	subjects []*subject
	pairs    map[*subject][2]int // the ports of each
	told     []string            // the events so far, as they were
	asked    []string            // what this round has asked for
}

// TestKilledAtAnyMoment kills the daemon at random moments of everything that it does to
// six containers at once, and then once more on its way back. All that was acknowledged
// comes about, once: each script leaves a line in its volume, and each program.
//
// LIGHTD_TEST_SEED chooses what is asked for and when the daemon is killed, 0 draws a seed;
// LIGHTD_TEST_KILLINGS is how many rounds are played.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	number := func(name, absent string) uint64 {
		return harness.Value[uint64](t)(strconv.ParseUint(cmp.Or(os.Getenv(name), absent), 10, 64))
	}
	seed := number("LIGHTD_TEST_SEED", "1")
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to play it again: LIGHTD_TEST_SEED=%d", seed)
	k := &killings{node: newNode(t), docker: newDocker(t), random: rand.New(rand.NewPCG(seed, 0)), pairs: map[*subject][2]int{}}
	const many = 6
	first := unused(t, 2*many)
	k.send("POST", "/network/ports", fmt.Sprintf(`{"ip":"127.0.0.1","ports":"%d-%d"}`, first, first+2*many-1)).want(201, "")
	for i := range many {
		s := &subject{id: fmt.Sprintf("e2e-killed-%d", i), scripted: i%2 == 1, port: first + 2*i}
		s.volume, s.path = k.volume()
		if err := os.WriteFile(filepath.Join(s.path, "precious"), []byte("data"), 0o600); err != nil {
			t.Fatal(err)
		}
		k.subjects, k.pairs[s] = append(k.subjects, s), [2]int{s.port, s.port + 1}
	}
	for round := range number("LIGHTD_TEST_KILLINGS", "9") {
		k.round(int(round))
		if t.Failed() {
			t.Fatalf("in round %d of seed %d: %v", round, seed, k.asked)
		}
	}
}

// round asks something of every container, kills the daemon twice meanwhile, and looks at
// what came of it.
func (k *killings) round(n int) {
	k.asked = nil
	killed := make(chan struct{})
	delay := time.Duration(k.random.IntN(700)) * time.Millisecond
	cmd := k.cmd
	time.AfterFunc(delay, func() { _ = cmd.Process.Kill(); close(killed) })
	if n > 0 && k.random.IntN(4) == 0 {
		k.applyAll()
	} else {
		for _, s := range k.subjects {
			k.order(s)
		}
	}
	<-killed
	if k.cmd == cmd { // else a write found out, and the next daemon is there
		k.awaitExit()
		k.start()
	}
	time.Sleep(time.Duration(k.random.IntN(400)) * time.Millisecond) // no wait for anything: a moment
	k.crash()
	k.start()
	for _, s := range k.subjects {
		k.settles(s)
	}
	k.checkEngine()
	k.checkEvents()
}

// order asks one thing of a container, and writes down what has to come of it.
func (k *killings) order(s *subject) {
	if !s.exists {
		s.up = k.random.IntN(2) == 0
		k.insist(s, "POST", "/containers", s.spec, 0)
		s.exists, s.generation = true, 1
		s.installs += count(s.scripted)
		s.starts += count(s.up)
		return
	}
	path := "/containers/" + s.id
	switch what := k.random.IntN(9); {
	case what == 0 && s.up:
		k.write(s, "POST", path+"/stop", "")
		s.up = false
	case what == 1 && s.up:
		k.write(s, "POST", path+"/kill", "")
		s.up = false
	case what <= 1:
		k.write(s, "POST", path+"/start", "")
		s.up, s.starts = true, s.starts+1
	case what <= 3:
		k.write(s, "POST", path+"/restart", "")
		s.up, s.starts = true, s.starts+1
	case what == 4:
		k.write(s, "POST", path+"/reinstall", "{}")
		s.installs += count(s.scripted)
		s.starts += count(s.up)
	case what == 5:
		s.port = k.pairs[s][count(s.port == k.pairs[s][0])]
		k.write(s, "POST", path+"/rebind-network", fmt.Sprintf(`{"ports":[{"ip":"127.0.0.1","port":%d,"protocol":"tcp"}]}`, s.port))
		s.starts += count(s.up)
	case what == 6:
		s.memory = (64 + (s.memory>>20)%128) << 20
		k.write(s, "PATCH", path, fmt.Sprintf(`{"limits":{"memory":%d}}`, s.memory))
	case what == 7:
		s.version += "x"
		k.write(s, "PUT", path, s.spec())
		s.starts += count(s.up)
	default:
		k.remove(s)
	}
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// applyAll orders all containers in one transaction, each on another port and with another
// environment; those that do not exist are made.
func (k *killings) applyAll() {
	var specs []string
	for _, s := range k.subjects {
		s.port = k.pairs[s][count(s.port == k.pairs[s][0])]
		s.version += "y"
		specs = append(specs, s.spec())
	}
	body := `{"containers":[` + strings.Join(specs, ",") + `]}`
	before := k.subjects[0].generation
	k.asked = append(k.asked, "apply all")
	k.insistOn(func() bool {
		return k.subjects[0].exists && k.generationOf(k.subjects[0]) > before || !k.subjects[0].exists && k.generationOf(k.subjects[0]) > 0
	},
		func() (int, error) { a, err := k.try("POST", "/apply", body); return a.status, err })
	for _, s := range k.subjects {
		s.installs += count(s.scripted && !s.exists)
		s.starts += count(s.up)
		s.exists, s.generation = true, s.generation+1
	}
}

// write makes one write of a container that exists, of which its next generation comes.
func (k *killings) write(s *subject, method, path, body string) {
	k.insist(s, method, path, func() string { return body }, s.generation)
	s.generation++
}

// insist makes a write until it is acknowledged, or found to have been made: one that is cut
// off by the death of the daemon may have been either.
func (k *killings) insist(s *subject, method, path string, body func() string, before int64) {
	k.asked = append(k.asked, method+" "+path+" of "+s.id)
	k.insistOn(func() bool { return k.generationOf(s) > before },
		func() (int, error) { a, err := k.try(method, path, body()); return a.status, err })
}

func (k *killings) insistOn(made func() bool, try func() (status int, err error)) {
	k.t.Helper()
	for {
		status, err := try()
		switch {
		case err == nil && status < 300:
			return
		case err == nil:
			k.t.Fatalf("%v: answered with %d", k.asked[len(k.asked)-1], status)
		}
		k.awaitExit()
		k.start()
		if made() {
			return
		}
	}
}

// generationOf returns 0 for what does not exist.
func (k *killings) generationOf(s *subject) int64 {
	a := k.send("GET", "/containers/"+s.id, "")
	if a.status == 404 {
		return 0
	}
	var c view
	if err := json.Unmarshal([]byte(a.text), &c); err != nil {
		k.t.Fatal(err)
	}
	return c.Generation
}

// remove deletes a container, and does not wait: the next round may make it anew.
func (k *killings) remove(s *subject) {
	k.asked = append(k.asked, "delete "+s.id)
	k.insistOn(func() bool {
		a := k.send("GET", "/containers/"+s.id, "")
		return a.status == 404 || a.json["deleting"] == true
	}, func() (int, error) {
		a, err := k.try("DELETE", "/containers/"+s.id, "")
		return a.status, err
	})
	s.exists, s.up, s.memory, s.version, s.generation = false, false, 0, "", 0
}

// settles waits until a container is as it was asked to be, and holds it against that.
func (k *killings) settles(s *subject) {
	k.t.Helper()
	if !s.exists {
		poll(k.t, func() error {
			if a := k.send("GET", "/containers/"+s.id, ""); a.status != 404 {
				return fmt.Errorf("%s is not gone: %s", s.id, a.text)
			}
			return nil
		})
	} else {
		want := "offline"
		if s.up {
			want = "running"
		}
		c := k.until(s.id, want+" after "+fmt.Sprint(k.asked), func(c view) bool { return installed(c) && c.State == want })
		if c.Generation != s.generation {
			k.t.Errorf("%s: generation %d, and %d were acknowledged", s.id, c.Generation, s.generation)
		}
		if len(c.Ports) != 1 || c.Ports[0].Port != s.port {
			k.t.Errorf("%s: ports %v, want %d", s.id, c.Ports, s.port)
		}
	}
	if got := len(lines(k.t, filepath.Join(s.path, "installs"))); got != s.installs {
		k.t.Errorf("%s: its script ran %d times, want %d", s.id, got, s.installs)
	}
	if got := len(lines(k.t, filepath.Join(s.path, "starts"))); got != s.starts {
		k.t.Errorf("%s: its program was started %d times, want %d", s.id, got, s.starts)
	}
	if got := lines(k.t, filepath.Join(s.path, "precious")); !slices.Equal(got, []string{"data"}) {
		k.t.Errorf("%s: the data of its volume is %q", s.id, got)
	}
	for _, port := range k.pairs[s] {
		owner := ""
		if s.exists && port == s.port {
			owner = s.id
		}
		a := k.send("GET", fmt.Sprintf("/network/ports/127.0.0.1/%d", port), "").want(200, "")
		if held, _ := a.json["internal_id"].(string); held != owner || a.json["in_use"] != (owner != "") {
			k.t.Errorf("port %d: %s, want it held by %q", port, a.text, owner)
		}
	}
}

// checkEngine holds that there is one container for each that should be, as it should be,
// and nothing else of ours.
func (k *killings) checkEngine() {
	k.t.Helper()
	ctx, cancel := k.docker.bounded()
	defer cancel()
	list, err := k.docker.ContainerList(ctx, container.ListOptions{All: true,
		Filters: filters.NewArgs(filters.Arg("name", "e2e-killed-"))})
	if err != nil {
		k.t.Fatal(err)
	}
	have := map[string]int{}
	for _, c := range list {
		have[strings.TrimPrefix(c.Names[0], "/")]++
	}
	for _, s := range k.subjects {
		name := "lightd-" + s.id
		if have[name] != count(s.exists) {
			k.t.Errorf("%d containers named %s, want %d", have[name], name, count(s.exists))
		}
		delete(have, name)
		if !s.exists || k.docker.absent(name) {
			continue
		}
		c := k.docker.inspect(name)
		if c.State.Running != s.up || c.HostConfig.Memory != s.memory || !slices.Contains(c.Config.Env, "VERSION="+s.version) {
			k.t.Errorf("%s: running %t, memory %d, environment %v; want %+v", name, c.State.Running, c.HostConfig.Memory, c.Config.Env, *s)
		}
	}
	if len(have) > 0 {
		k.t.Errorf("left over: %v", have)
	}
}

// lives is what is told of the processes of one container from its creation to its end.
var lives = regexp.MustCompile(`^(Starting (Running )?(Stopping )*Exited )*(Starting (Running )?(Stopping )*)?$`)

// checkEvents holds that what was told stays, in numbers that grow, and in the order of
// the contract, and that nothing is told of which the daemon was not the cause.
func (k *killings) checkEvents() {
	k.t.Helper()
	var all []string
	told, after, last := map[string]string{}, 0.0, 0.0
	for more := true; more; {
		page := k.send("GET", fmt.Sprintf("/events?limit=1000&after=%.0f", after), "").want(200, "").json["events"].([]any)
		for _, one := range page {
			e := one.(map[string]any)
			all = append(all, fmt.Sprint(e))
			if seq := e["seq"].(float64); seq <= last {
				k.t.Errorf("seq %v after %v", seq, last)
			}
			last = e["seq"].(float64)
			id, kind := e["internal_id"].(string), e["type"].(string)
			switch kind {
			case "Starting", "Running", "Stopping", "Exited":
				told[id] += kind + " "
			case "Deleted":
				k.checkLives(id, told[id])
				told[id] = ""
			case "Error", "ContainerLost", "DriftDetected", "BackOff", "OOMKilled":
				k.t.Errorf("told %v of what the daemon did itself", e)
			}
		}
		more, after = len(page) == 1000, last
	}
	for id, text := range told {
		k.checkLives(id, text)
	}
	if len(all) < len(k.told) || !slices.Equal(all[:len(k.told)], k.told) {
		k.t.Errorf("events were changed: %v, then %v", k.told, all)
	}
	k.told = all
}

func (k *killings) checkLives(id, told string) {
	k.t.Helper()
	if !lives.MatchString(told) {
		k.t.Errorf("%s: the process is told as %s", id, told)
	}
}

// TestKilledAtAStartCall kills the daemon when its call to start a program again is on its way,
// while the record of it is being written. The next daemon reports the end of the program once, and
// starts it again unless the engine did. Where the record was lost, so is how the program ended.
func TestKilledAtAStartCall(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	start := regexp.MustCompile(`^POST /v[0-9.]+/containers/[0-9a-f]+/start`)
	var kill atomic.Pointer[func()]
	r.hear = func(sent []byte) {
		if f := kill.Load(); f != nil && start.Match(sent) && kill.CompareAndSwap(f, nil) {
			(*f)()
		}
	}
	r.up()
	n := newNode(t, "--docker-host", "unix://"+r.socket)
	d := newDocker(t)
	for i := range 4 {
		volume, path := n.volume()
		id := fmt.Sprintf("e2e-cut-%d", i)
		n.send("POST", "/containers", spec(id, volume, `"power":"running","startup_command":"echo started >> starts; echo up; exec sleep 1000"`)).want(201, "")
		n.until(id, "running", running)
		// A program is running before it has done anything.
		started := func(times int) func() error {
			return func() error {
				if got := lines(t, filepath.Join(path, "starts")); len(got) != times {
					return fmt.Errorf("%s: started %d times, not %d", id, len(got), times)
				}
				return nil
			}
		}
		poll(t, started(1))
		told := n.events(id)
		process, exited := n.cmd.Process, n.exited
		killed := func() {
			_ = process.Kill()
			<-exited
		}
		kill.Store(&killed)
		d.kill("lightd-" + id)
		n.awaitExit()
		n.start("--docker-host", "unix://"+r.socket)
		poll(t, started(2))
		want := append(told, "Exited", "Starting", "Running")
		poll(t, func() error {
			if got := n.events(id); !slices.Equal(got, want) {
				return fmt.Errorf("%s: events %v, want %v", id, got, want)
			}
			return nil
		})
		c := n.until(id, "running again", running)
		recorded := c.Restarts == 1 && c.LastExit != nil && c.LastExit.Code == 137
		if lost := c.Restarts == 0 && c.LastExit == nil; !recorded && !lost {
			t.Errorf("%s: %d restarts, and it last ended with %+v", id, c.Restarts, c.LastExit)
		}
		poll(t, started(2))
	}
}
