package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/docker/docker/client"

	"lightd/hack/table"
)

// The sizes of what is measured.
const (
	fleet       = 50
	rounds      = 3
	crashRounds = 2
	requests    = 450 // and so many stopped containers stand beside the fleet from then on
	idleTime    = 10 * time.Second
	quietTime   = 20 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	binary := flag.String("lightd", filepath.Join(".bin", "lightd"), "the `program` to measure")
	image := flag.String("image", "lightd-test/busybox:latest", "the `image` of all containers, present on the engine")
	log := flag.String("log", "", "`file` that the daemon's log is kept in")
	only := flag.String("only", "", "measure only apply, only known, only crash, only watched (figures and health checks), only webhooks, only files, or only console, or of that only flood, pattern, crowd or latency")
	flag.Parse()
	if err := bench(ctx, *binary, *image, *log, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// lab is what all measurements share.
type lab struct {
	run    string // in the name of everything that this run makes
	binary string
	image  string
	log    string
	config string // of the daemon; empty for none
	only   string // empty for all
	dir    string
	docker *client.Client
	ports  int // the first of a block of free ones
	table  table.Table
}

func bench(ctx context.Context, binary, image, log, only string) (err error) {
	l := &lab{run: "bench-" + strconv.Itoa(os.Getpid()), binary: binary, image: image, log: log, only: only}
	if l.docker, err = client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation()); err != nil {
		return fmt.Errorf("make Docker client: %w", err)
	}
	defer l.docker.Close()
	info, err := l.docker.Info(ctx)
	if err != nil {
		return fmt.Errorf("ask the engine: %w", err)
	}
	if l.ports, err = freePorts(2 * fleet); err != nil {
		return err
	}
	if l.dir, err = os.MkdirTemp("", "lightd-bench-"); err != nil {
		return fmt.Errorf("make scratch directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(l.dir)) }()
	l.log = cmp.Or(l.log, filepath.Join(l.dir, "log"))
	// After the daemon has stopped, which the measurements see to.
	defer func() { err = errors.Join(err, l.clean()) }()

	began, before := time.Now(), load()
	measure := l.measure
	switch only {
	case "":
	case "crash":
		measure = l.measureCrash
	case "apply":
		measure = l.measureApply
	case "watched":
		measure = l.measureWatched
	case "webhooks":
		measure = l.measureWebhooks
	case "files":
		measure = l.measureFiles
	case "known":
		measure = l.measureKnown
	case "console", "flood", "pattern", "crowd", "latency":
		measure = l.measureConsole
	default:
		return fmt.Errorf("there is no measurement %q", only)
	}
	if err := measure(ctx); err != nil {
		return err
	}
	fmt.Printf("%d cores, engine %s (API %s), storage %s, cgroup v%s, kernel %s, %s;\ntook %s, load average %s before and %s after\n\n",
		runtime.NumCPU(), info.ServerVersion, l.docker.ClientVersion(), info.Driver, info.CgroupVersion,
		info.KernelVersion, runtime.Version(), time.Since(began).Round(time.Second), before, load())
	return l.table.Print(os.Stdout)
}

// measure runs one daemon straight on the engine, and then another one on the same data
// through a proxy that sees its calls.
func (l *lab) measure(ctx context.Context) error {
	direct, err := l.start(ctx, l.docker.DaemonHost())
	if err != nil {
		return err
	}
	err = errors.Join(l.measureStarts(ctx, direct), direct.stop())
	if err != nil {
		return err
	}
	p, err := listen(filepath.Join(l.dir, "engine.sock"), l.docker.DaemonHost())
	if err != nil {
		return err
	}
	defer p.close()
	watched, err := l.start(ctx, p.host())
	if err != nil {
		return err
	}
	if err := errors.Join(l.measureRunning(ctx, watched, p), watched.stop()); err != nil {
		return err
	}
	return errors.Join(l.measureConsole(ctx), l.measureKnown(ctx), l.measureApply(ctx), l.measureWebhooks(ctx), l.measureWatched(ctx), l.measureFiles(ctx))
}

// measureRunning measures a daemon that has running containers when it starts.
func (l *lab) measureRunning(ctx context.Context, d *daemon, p *proxy) error {
	if err := d.awaitStates(ctx, l.names(), "running"); err != nil {
		return err
	}
	if err := l.measureQuiet(ctx, d, p, fleet); err != nil {
		return err
	}
	if err := l.reportMemory(d, fmt.Sprintf("resident memory, %d running", fleet)); err != nil {
		return err
	}
	return l.measureCrowded(ctx, d, p)
}

// say tells whoever waits for the table what is going on.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// sleep waits, unless ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// load is how busy the machine was in the last minute: on a busy one only ratios count.
func load() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(data), " ")
	return first
}
