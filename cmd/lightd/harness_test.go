package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"lightd/cmd/lightd/terminal"
	"lightd/desired/store"
	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed/engine"
)

// asProgram makes the test binary be the program: what is tested is then built as the
// tests are, race detector included.
const asProgram = "LIGHTD_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "1" {
		main()
		os.Exit(0)
	}
	removeTables := keepTables()
	code := m.Run()
	removeTables()
	os.Exit(code)
}

// patience bounds every wait.
const patience = harness.Patience

// run is the whole program but for its exit.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	return execute(ctx, rootCommand(getenv, terminal.Streams{In: os.Stdin, Out: stdout, Err: stderr}), args)
}

// program returns a command that runs the program, in an environment that holds none
// of its settings but those given, and without the configuration that this machine may have.
func program(t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(harness.Value[string](t)(os.Executable()), args...)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "LIGHTD_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(append(cmd.Env, asProgram+"=1", "LIGHTD_CONFIG=/dev/null"), env...)
	return cmd
}

// node is a data directory with a daemon on it, which can be stopped and started.
type node struct {
	t     testing.TB
	dir   string
	url   string
	token string
	files int // how many files the daemon may have open; 0 for the usual
	// engine are the flags of another engine than that of the environment.
	engine []string
	env    []string // more of its environment
	// binary is the program to start; empty for the test binary itself.
	binary string

	cmd    *exec.Cmd
	log    *harness.Buffer
	exited chan struct{}
}

// newNode starts a daemon on a directory of its own. When the test ends, what it has
// made on the engine is removed.
func newNode(t testing.TB, args ...string) *node {
	t.Helper()
	harness.NeedEngine(t)
	n := &node{t: t, dir: t.TempDir()}
	t.Cleanup(n.sweep)
	n.start(args...)
	return n
}

// start starts the daemon and returns when it accepts requests.
func (n *node) start(args ...string) {
	n.t.Helper()
	n.startWith(nil, args...)
}

// startWith is start with another standard error than the test's own.
func (n *node) startWith(stderr *os.File, args ...string) {
	n.t.Helper()
	n.cmd = program(n.t, n.env, append([]string{"serve", "--data-dir", n.dir, "--listen", "127.0.0.1:0", "--log-level", "debug"}, append(args, n.engine...)...)...)
	if n.binary != "" {
		n.cmd.Path = n.binary
	}
	if n.files > 0 {
		limitFiles(n.t, n.cmd, n.files)
	}
	d := harness.NewDaemon(n.cmd)
	n.log, n.exited = &harness.Buffer{}, d.Exited
	n.cmd.Stderr = n.log
	if stderr != nil {
		n.cmd.Stderr = stderr
	}
	err := d.Start()
	n.t.Cleanup(func() { n.judge(d.Cmd, d.Exited, n.log) })
	if err != nil {
		n.t.Fatalf("%v; on its standard error:\n%s", err, n.log)
	}
	n.url = d.URL
	n.token = strings.TrimSpace(string(harness.Value[[]byte](n.t)(os.ReadFile(filepath.Join(n.dir, "token")))))
}

// judge ends a daemon that still runs, and looks through what it has said.
func (n *node) judge(cmd *exec.Cmd, exited chan struct{}, log *harness.Buffer) {
	select {
	case <-exited:
	default:
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			n.t.Errorf("the daemon did not end after SIGTERM")
			<-exited
		}
	}
	text := log.String()
	for _, bad := range []string{"DATA RACE", "panic", "goroutine 1 ["} {
		if strings.Contains(text, bad) {
			n.t.Errorf("%q in the daemon's log", bad)
		}
	}
	if n.token != "" && strings.Contains(text, n.token) {
		n.t.Error("the token is in the daemon's log")
	}
	if n.t.Failed() {
		n.t.Logf("the daemon said:\n%s", text[max(0, len(text)-12_000):])
	}
}

// terminate ends the daemon as the system does, and wants it to end well.
func (n *node) terminate() {
	n.t.Helper()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		n.t.Fatal(err)
	}
	n.awaitExit()
	if code := n.cmd.ProcessState.ExitCode(); code != 0 {
		n.t.Fatalf("exit code %d after SIGTERM:\n%s", code, n.log)
	}
}

// crash ends the daemon between two instructions.
func (n *node) crash() {
	n.t.Helper()
	if err := n.cmd.Process.Kill(); err != nil {
		n.t.Fatal(err)
	}
	n.awaitExit()
}

func (n *node) awaitExit() {
	n.t.Helper()
	select {
	case <-n.exited:
	case <-time.After(patience):
		n.t.Fatal("the daemon did not end")
	}
}

// sweep removes what this node's instance has left on the engine.
func (n *node) sweep() {
	db := filepath.Join(n.dir, "db")
	if _, err := os.Stat(db); err != nil {
		return
	}
	s, err := store.Open(db, store.Options{})
	if err != nil {
		n.t.Errorf("open the database that the daemon left: %v", err)
		return
	}
	instance := s.Instance()
	if err := s.Close(); err != nil {
		n.t.Error(err)
	}
	e, err := engine.New(engine.Config{Instance: instance})
	if err != nil {
		n.t.Error(err)
		return
	}
	defer func() { _ = e.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// What the daemon was just removing when it ended is in the way until it is gone.
	poll(n.t, func() error {
		containers, err := e.List(ctx)
		for _, c := range containers {
			if failed := e.Remove(ctx, c.ContainerID); failed != nil && engine.Classify(failed) != engine.NotFound {
				err = errors.Join(err, failed)
			}
		}
		return err
	})
	if err := e.RemoveVolume(ctx, engine.OwnerMark(instance)); err != nil && engine.Classify(err) != engine.NotFound {
		n.t.Error(err)
	}
	snapshots, err := e.Images(ctx)
	if err != nil {
		n.t.Error(err)
	}
	for _, i := range snapshots {
		if err := e.RemoveImage(ctx, i.Ref); err != nil && engine.Classify(err) != engine.NotFound {
			n.t.Error(err)
		}
	}
}

// background runs another program until the test ends, and shows what it printed where that fails.
func background(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var log harness.Buffer
	if cmd.Stderr = &log; cmd.Stdout == nil {
		cmd.Stdout = &log
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s printed:\n%s", cmd.Path, log.String())
		}
	})
}

// poll waits for what notifies nobody when it changes: another process, the engine, the kernel.
func poll(t testing.TB, check func() error) {
	t.Helper()
	eventually.PollFor(t, patience, check)
}

// events returns the types of a container's events.
func (n *node) events(id string) []string {
	n.t.Helper()
	return types(n.send("GET", "/containers/"+id+"/events?limit=1000", "").want(200, "events").json["events"].([]any))
}

// types returns the types of the events of containers. Those of the node come from what others do to it,
// as to the rules of the firewall.
func types(events []any) []string {
	var list []string
	for _, e := range events {
		if e := e.(map[string]any); e["internal_id"] != "" {
			list = append(list, e["type"].(string))
		}
	}
	return list
}

// delete deletes a container and waits until it is gone, as the answer tells unless that
// takes longer than an answer may.
func (n *node) delete(id string) {
	n.t.Helper()
	a := n.send("DELETE", "/containers/"+id, "")
	if a.status != http.StatusAccepted {
		a.want(200, `"message":"Container deleted successfully"`)
		return
	}
	poll(n.t, func() error {
		if a := n.send("GET", "/containers/"+id, ""); a.status != http.StatusNotFound {
			return fmt.Errorf("%s is not gone: %s", id, a.text)
		}
		return nil
	})
}

// volume makes a volume and returns its id and path.
func (n *node) volume() (id, path string) {
	n.t.Helper()
	a := n.send("POST", "/volumes", "").want(201, "volume_id")
	return a.json["volume_id"].(string), a.json["path"].(string)
}

// spec is a body for a container on the small image. More is JSON after a comma.
func spec(id, volume, more string) string {
	s := fmt.Sprintf(`{"internal_id":%q,"volume_id":%q`, id, volume)
	if !strings.Contains(more, `"image"`) {
		s += fmt.Sprintf(`,"image":%q`, harness.Busybox())
	}
	if !strings.Contains(more, `"startup_command"`) {
		s += `,"startup_command":"echo up; exec sleep 1000"`
	}
	if more != "" {
		s += "," + more
	}
	return s + "}"
}

// nextPort is where the search of unused goes on: no two tests get the same ports.
var nextPort atomic.Int64

// pagePort and the next one are those of the published page.
const pagePort = 25565

// unused returns ports that nothing of this machine listens on, in a row, below those
// that the kernel hands out by itself.
func unused(t testing.TB, count int) int {
	t.Helper()
	nextPort.CompareAndSwap(0, int64(20000+os.Getpid()%5000))
	for {
		first := int(nextPort.Add(int64(count))) - count
		switch {
		case first+count > 32000:
			t.Fatal("no free ports")
		case first+count > pagePort && first <= pagePort+1:
		case free(first, count):
			return first
		}
	}
}

func free(first, count int) bool {
	for port := first; port < first+count; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("0.0.0.0:%d", port))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}

// lines returns the lines of a file; none if it is not there.
func lines(t testing.TB, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(data))
}

// onSim starts a daemon on a simulated engine that has the small image, and whose programs
// run until they are asked to end.
func onSim(t *testing.T, args ...string) (*simengine.Sim, *node) {
	t.Helper()
	sim, host := harness.SimHost(t, simengine.Options{AnyMounts: true}, harness.Busybox())
	sim.OnCommand("entrypoint.sh", func(ctx context.Context, p *simengine.Process) {
		fmt.Fprintln(p.Stdout(), "up")
		select {
		case <-ctx.Done():
		case <-p.Signals():
		}
	})
	n := &node{t: t, dir: t.TempDir(), engine: []string{"--docker-host", host}}
	n.start(args...)
	return sim, n
}
