package client_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/httpapi/client"
)

const token = "lightd_master_0123456789"

// stage is what daemons of these tests share: the built program and a simulated engine.
type stage struct {
	sim         *simengine.Sim
	dir, binary string
}

// openStage builds the program and starts the engine, once.
var openStage = sync.OnceValue(func() *stage {
	s := &stage{sim: simengine.New(simengine.Options{AnyMounts: true})}
	var err error
	if s.dir, err = os.MkdirTemp("", "lightd-client-"); err != nil {
		panic(err)
	}
	opened = s
	s.binary = filepath.Join(s.dir, "lightd")
	build := exec.Command("go", "build", "-tags", "nomsgpack", "-o", s.binary, "lightd/cmd/lightd")
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("build lightd: %v\n%s", err, out))
	}
	s.sim.AddImage("alpine:3", simengine.ImageConfig{})
	s.sim.OnImage("alpine:3", echo)
	s.sim.OnCommand("install-entry.sh", func(_ context.Context, p *simengine.Process) { fmt.Fprintln(p.Stdout(), "installed") })
	if err := s.sim.Serve(s.socket()); err != nil {
		panic(err)
	}
	return s
})

var opened *stage // by openStage, for TestMain

func (s *stage) socket() string { return filepath.Join(s.dir, "engine.sock") }

// echo says that it is ready, and then what it is told.
func echo(_ context.Context, p *simengine.Process) {
	fmt.Fprintln(p.Stdout(), "Hello")
	lines := bufio.NewScanner(p.Stdin())
	for lines.Scan() {
		fmt.Fprintln(p.Stdout(), "heard", lines.Text())
	}
}

// daemon is the program as a child process.
type daemon struct {
	*harness.Daemon
	log harness.Buffer
}

// serve starts a daemon on a data directory, and returns when it accepts requests.
func (s *stage) serve(dir, listen string) (*daemon, error) {
	cmd := exec.Command(s.binary, "serve", "--listen", listen, "--data-dir", filepath.Join(s.dir, dir), "--docker-host", "unix://"+s.socket())
	cmd.Env = []string{"LIGHTD_TOKEN=" + token}
	d := &daemon{Daemon: harness.NewDaemon(cmd)}
	cmd.Stderr = &d.log
	if err := d.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", err, &d.log), d.End(os.Kill))
	}
	return d, d.ready()
}

// ready waits until the daemon has looked at the engine.
func (d *daemon) ready() error {
	c, err := client.New(client.Config{URL: d.URL})
	if err != nil {
		return err
	}
	defer c.Close()
	for end := time.Now().Add(eventually.Bound); ; time.Sleep(5 * time.Millisecond) {
		if err := c.Ready(context.Background()); err == nil || time.Now().After(end) {
			return err
		}
	}
}

// shared is the daemon of all tests that do nothing to it.
var shared = sync.OnceValue(func() *daemon {
	d, err := openStage().serve("shared", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	running = d
	return d
})

var running *daemon // shared, for TestMain

// address is where a daemon listens.
func address() string { return shared().URL }

// connect returns a client of a daemon.
func connect() *client.Client {
	c, err := client.New(client.Config{URL: address(), Token: token})
	if err != nil {
		panic(err)
	}
	return c
}

// clientOf returns a client that the test closes.
func clientOf(t *testing.T, url string, tune ...func(*client.Config)) *client.Client {
	t.Helper()
	cfg := client.Config{URL: url, Token: token}
	for _, fn := range tune {
		fn(&cfg)
	}
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// nextPort is where the search of freeAddress goes on.
var nextPort atomic.Int64

// freeAddress is one that a daemon can come back to: its port is below those that the kernel
// hands out by itself, to whoever connects in the meantime.
func freeAddress(t *testing.T) string {
	t.Helper()
	nextPort.CompareAndSwap(0, int64(10000+os.Getpid()%9000))
	for {
		address := fmt.Sprintf("127.0.0.1:%d", nextPort.Add(1))
		l, err := net.Listen("tcp", address)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		return address
	}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	t.Cleanup(cancel)
	return ctx
}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := clear(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := eventually.Leaks(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// clear ends what the tests have started.
func clear() error {
	var errs []error
	if running != nil {
		errs = append(errs, running.End(syscall.SIGTERM))
		if testing.Verbose() {
			_, err := io.WriteString(os.Stderr, running.log.String())
			errs = append(errs, err)
		}
	}
	if opened != nil {
		errs = append(errs, opened.sim.Close(), os.RemoveAll(opened.dir))
	}
	return errors.Join(errs...)
}
