package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"lightd/hack/harness"
	"lightd/hack/program"
	"lightd/httpapi/client"
)

// options are the settings of a run.
type options struct {
	duration        time.Duration
	rate            float64
	seed            uint64
	slots           int
	binary, image   string
	out             string
	engine          string
	shared          bool
	restarts, kills bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var o options
	flag.DurationVar(&o.duration, "duration", 2*time.Hour, "how long the load lasts")
	flag.Float64Var(&o.rate, "rate", 50, "the most requests a second")
	flag.Uint64Var(&o.seed, "seed", 0, "what the load is chosen by; 0 draws one")
	flag.IntVar(&o.slots, "containers", 20, "the most containers at once")
	flag.StringVar(&o.binary, "lightd", filepath.Join(".bin", "lightd"), "the `program` to test")
	flag.StringVar(&o.image, "image", harness.Busybox(), "the `image` of all containers, present on the engine that DOCKER_HOST names")
	flag.StringVar(&o.out, "out", filepath.Join(".bin", "soak"), "the `directory` of logs, samples and plots")
	flag.StringVar(&o.engine, "engine", "", "the `kind` of engine to start, of those that hack/engine-kinds has; empty for Debian's Docker")
	flag.BoolVar(&o.shared, "shared", false, "use the engine that DOCKER_HOST names, which is never restarted, and start none")
	flag.BoolVar(&o.restarts, "restarts", true, "restart the engine now and then, unless it is shared")
	flag.BoolVar(&o.kills, "kills", false, "kill the daemon now and then; its memory, goroutines and files are not judged then")
	flag.Parse()
	if o.seed == 0 {
		o.seed = uint64(rand.Uint32())
	}
	if err := soak(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// run is what all parts of one soak share.
type run struct {
	options options
	dir     string // of the daemon's data and the engine
	address string
	engine  *engine
	daemon  *program.Process
	client  *client.Client // of the load
	quiet   *client.Client // whose requests are neither bounded nor judged
	slots   []*slot

	recorder *recorder
	samples  *samples
	ops      *log.Logger

	gate         sync.RWMutex // held by each operation of a slot, and by a restart of the engine alone
	disturbances atomic.Int64 // how many have begun
	underway     atomic.Bool
	calmAt       atomic.Int64             // in nanoseconds since 1970
	known        atomic.Pointer[[]string] // the containers that there are

	mu       sync.Mutex
	failures []string
	counts   map[string]int // of operations
}

// say tells whoever waits what is going on.
func (r *run) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	r.log(format, args...)
}

// log adds a line to ops.log.
func (r *run) log(format string, args ...any) { r.ops.Printf(format, args...) }

// fail notes that the run has failed, and why. The load goes on: what comes of it is worth knowing too.
func (r *run) fail(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.log("FAILED: %s", text)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, text)
}

// soak runs engine and daemon under load, inspects what is left, and prints the summary.
func soak(ctx context.Context, o options) (err error) {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return fmt.Errorf("make the directory of the results: %w", err)
	}
	file, err := os.Create(filepath.Join(o.out, "ops.log"))
	if err != nil {
		return fmt.Errorf("make the log of operations: %w", err)
	}
	defer file.Close()
	if err := os.RemoveAll(filepath.Join(o.out, "daemon.log")); err != nil {
		return fmt.Errorf("remove the log of another run: %w", err)
	}
	r := &run{options: o, ops: log.New(file, "", log.Ltime|log.Lmicroseconds), counts: map[string]int{}}
	r.say("%s of load, at most %g requests a second, SEED=%d", o.duration, o.rate, o.seed)
	// A socket's path is short: a directory of the system's is.
	if r.dir, err = os.MkdirTemp("", "soak"); err != nil {
		return fmt.Errorf("make scratch directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.dir)) }()
	if err := os.Chmod(r.dir, 0o711); err != nil {
		return fmt.Errorf("make scratch directory: %w", err)
	}
	if r.engine, err = r.findEngine(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.engine.end()) }()
	return r.withDaemon(ctx)
}

func (r *run) findEngine(ctx context.Context) (*engine, error) {
	if r.options.shared {
		return sharedEngine()
	}
	r.say("starting an engine")
	return ownEngine(ctx, r.options.engine, filepath.Join(r.dir, "engine"), filepath.Join(r.options.out, "engine.log"), r.options.image)
}

// withDaemon starts the daemon, plays the load and stops the daemon.
func (r *run) withDaemon(ctx context.Context) (err error) {
	if r.address, err = chooseAddress(); err != nil {
		return err
	}
	if err := r.connect(); err != nil {
		return err
	}
	defer r.quiet.Close()
	// Whatever happens, nothing of this run stays in Docker.
	var instance string
	defer func() { err = errors.Join(err, r.sweep(instance)) }()
	if err := r.startDaemon(ctx); err != nil {
		return err
	}
	stopped := false
	defer func() {
		if !stopped {
			err = errors.Join(err, r.daemon.Stop())
		}
	}()
	node, err := r.quiet.Node(ctx)
	if err != nil {
		return err
	}
	instance = node.Instance
	if err := r.play(ctx, instance); err != nil {
		return errors.Join(err, r.writeSamples())
	}
	stopped = true
	if err := r.daemon.Stop(); err != nil {
		r.fail("%v", err)
	}
	return r.report()
}
