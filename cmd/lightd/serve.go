package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"lightd/cmd/lightd/command"
	"lightd/cmd/lightd/terminal"
	"lightd/controller"
	"lightd/controller/datadir"
	"lightd/desired"
	"lightd/desired/kv"
	"lightd/desired/mountsource"
	"lightd/desired/store"
	"lightd/desired/token"
	"lightd/httpapi"
	"lightd/httpapi/containers"
	"lightd/httpapi/socket"
	"lightd/httpapi/streams"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/cache"
	"lightd/observed/cgroup"
	"lightd/observed/containerio"
	"lightd/observed/engine"
	"lightd/observed/hostmount"
	"lightd/observed/images"
	"lightd/observed/owner"
	"lightd/observed/records"
	"lightd/observed/snapshots"
	dockerstreams "lightd/observed/streams"
)

// Housekeeping intervals.
const (
	pruneEvery = time.Hour
	sweepEvery = time.Minute
	// drain is how long requests may take to end once the program is told to.
	drain = 5 * time.Second
	// engineMoment is what the engine has to name its version in the first line.
	engineMoment = 500 * time.Millisecond
)

const serveHelp = `Runs the daemon until SIGINT or SIGTERM; a second one ends it at once. Containers go on running.

Settings, strongest first: flag, environment, file (--config, YAML), default.

SIGHUP reads the file again: origins, mounts.allowed, consoles and logs hold for what comes after. The log says what changed, and what needs a restart. An invalid file changes nothing. Other logs settings restart no container: each gets them when it is next recreated, and its drift report shows the difference as deferred until then. They hold whatever the default of the engine is.

SIGQUIT ends the daemon with a trace of its goroutines. SIGUSR1, SIGUSR2 and a closed log are ignored.

The standard output has one line, when requests are accepted; the log goes to the standard error. With --log-format json that line is JSON too, with version, address, data_dir, engine_version and engine_api_version (empty while no engine answers).

A failure is logged once, not at each retry: WARN for a process that ends with a failure, a crash loop, a failed pull or step, and external changes; ERROR for what failed for good. "write accepted" has request_id, token (its kind, and a mark that is no secret), remote, route, container and generation.`

func serveCommand(getenv func(string) string, streams terminal.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon",
		Long:  serveHelp,
		Args:  command.NoArgs,
	}
	s := newSettings(cmd.Flags(), getenv)
	newInstance := cmd.Flags().Bool("new-instance", false, "make a copied data directory an instance of its own")
	takeOver := cmd.Flags().Bool("take-over", false, "make a copied data directory the node; the other one then refuses to run")
	cmd.MarkFlagsMutuallyExclusive("new-instance", "take-over")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := s.load()
		if err != nil {
			return err
		}
		switch {
		case *newInstance:
			cfg.owner = owner.NewInstance
		case *takeOver:
			cfg.owner = owner.TakeOver
		}
		hangup, stop := signals()
		defer stop()
		return serve(cmd.Context(), cfg, reloads{hangup, s.load}, streams.Out, cfg.logger(streams.Err))
	}
	return cmd
}

// reloads are when to read the configuration again, and how.
type reloads struct {
	when <-chan os.Signal
	load func() (config, error)
}

// serve runs the daemon until ctx ends. Containers go on running.
func serve(ctx context.Context, cfg config, again reloads, stdout io.Writer, log *slog.Logger) (err error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("accept requests: %w", err)
	}
	defer listener.Close()
	d, err := open(ctx, cfg, listener.Addr(), log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	return d.run(ctx, listener, again, func() { d.announce(ctx, cfg, listener.Addr(), stdout) })
}

// announce prints the one line that says that requests are accepted. As JSON it waits a moment for
// the engine, to name its version.
func (d *daemon) announce(ctx context.Context, cfg config, addr net.Addr, stdout io.Writer) {
	address := "http://" + addr.String()
	if cfg.LogFormat != "json" {
		fmt.Fprintf(stdout, "lightd %s accepts requests on %s\n", version, address)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, engineMoment)
	defer cancel()
	_ = d.engine.Ping(ctx) // a daemon without an engine accepts requests too
	engineVersion, apiVersion := d.engine.Version()
	slog.New(slog.NewJSONHandler(stdout, nil)).Info("accepts requests", "version", version, "address", address,
		"data_dir", cfg.DataDir, "engine_version", engineVersion, "engine_api_version", apiVersion)
}

// garbage is how much may pile up, in percent of the memory in use. Most of that is tables
// of the database, of which little is ever touched: by Go's own 100 a flood of console text
// would take as much again.
const garbage = 50

// daemon is everything that runs, wired together.
type daemon struct {
	log        *slog.Logger
	config     *liveConfig
	store      *store.Store
	volumes    *store.Volumes
	journal    *records.Journal
	tokens     *token.Keeper
	engine     *engine.Engine
	cache      *cache.Cache
	images     *images.Images
	snapshots  *snapshots.Copies
	console    *containerio.IO
	controller *controller.Controller
	api        *httpapi.Server
}

// open opens what is on disk and wires the rest. On an error nothing stays open.
func open(ctx context.Context, cfg config, addr net.Addr, log *slog.Logger) (_ *daemon, err error) {
	d := &daemon{log: log, config: newLiveConfig(cfg)}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if err := os.MkdirAll(cfg.DataDir, 0o711); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	checkMounts := mountCheck(d.config)
	d.store, err = store.Open(filepath.Join(cfg.DataDir, "db"), store.Options{
		Rules:       desired.Rules{Cores: runtime.NumCPU(), AllowedMounts: cfg.Mounts.Allowed},
		CheckMounts: checkMounts, AllowedMounts: d.config.allowedMounts,
		Reserved: reserved(addr),
		Database: kv.Options{Reserve: true, Log: log},
	})
	if err != nil {
		return nil, err
	}
	record, err := d.settle(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if d.volumes, err = d.store.Volumes(ctx, filepath.Join(cfg.DataDir, "volumes")); err != nil {
		return nil, err
	}
	data, err := datadir.Open(filepath.Join(cfg.DataDir, "containers"))
	if err != nil {
		return nil, err
	}
	statuses, err := records.OpenStatuses(d.store.DB)
	if err != nil {
		return nil, err
	}
	if d.journal, err = records.OpenJournal(d.store.DB); err != nil {
		return nil, err
	}
	if d.tokens, err = openTokens(d.store.DB, cfg); err != nil {
		return nil, err
	}
	if err := d.wireEngine(cfg, record, statuses, data, checkMounts); err != nil {
		return nil, err
	}
	d.api, err = httpapi.New(httpapi.State{
		Store: d.store, Volumes: d.volumes, Tokens: d.tokens, Statuses: statuses, Journal: d.journal,
	}, httpapi.Node{
		Engine: d.cache, PingEngine: d.engine.Ping, Controller: d.controller, OtherInstances: d.cache,
		Console: socket.Live(d.console), InstallLog: data.InstallLog,
	}, httpapi.Options{
		Limits:          consoleLimits(cfg),
		Options:         containers.Options{StopTimeout: cfg.Timeouts.Stop},
		DatabaseTimeout: cfg.Timeouts.Database,
	}, log)
	return d, err
}

func consoleLimits(cfg config) streams.Limits {
	return streams.Limits{Origins: cfg.Origins, ConsolesPerContainer: cfg.Consoles.PerContainer, Consoles: cfg.Consoles.Total}
}

// settle decides whether the data directory may be used for its instance.
func (d *daemon) settle(ctx context.Context, cfg config) (owner.Record, error) {
	db := filepath.Join(cfg.DataDir, "db")
	return owner.Settle(ctx, d.store.DB, db, cfg.owner, func(ctx context.Context, instance string) (engine.Presence, error) {
		e, err := engine.New(engine.Config{Host: cfg.DockerHost, Instance: instance, Log: d.log})
		if err != nil {
			return engine.Presence{}, err
		}
		seen, err := e.Presence(ctx)
		return seen, errors.Join(err, e.Close())
	})
}

// handover is what the acts of a daemon that is taken over are given to end. It begins none once
// the mark is replaced.
const handover = 3 * time.Second

// wireEngine makes everything on the Docker side. Nothing of it contacts the engine yet.
func (d *daemon) wireEngine(cfg config, record owner.Record, statuses *records.Statuses, data *datadir.Dir, checkMounts func(desired.Spec) error) error {
	here := cfg.DockerHost == "" || strings.HasPrefix(cfg.DockerHost, "unix://")
	config := engine.Config{
		Host: cfg.DockerHost, Instance: d.store.Instance(), OwnerEpoch: record.Epoch, Log: d.log,
		Timeouts: engine.Timeouts{Remove: cfg.Timeouts.Remove, Create: cfg.Timeouts.Create},
	}
	if here {
		config.ReadLimits = cgroup.Read
	}
	var err error
	d.engine, err = engine.New(config)
	if err != nil {
		return err
	}
	guard := &owner.Guard{Record: record, Instance: d.store.Instance(), Engine: d.engine, Handover: handover}
	d.engine.Guard(func(ctx context.Context) error {
		var taken *owner.TakenOverError
		err := guard.Confirm(ctx)
		if errors.As(err, &taken) {
			d.cache.Fail(err)
		}
		return err
	})
	d.cache = cache.New(cache.Config{
		Engine: d.engine, Instance: d.store.Instance(), Log: d.log, Owner: guard,
		Changed: func(id string) {
			d.console.Notify(id)
			d.controller.Enqueue(id)
		},
	})
	d.images = images.New(images.Config{
		Engine: d.engine, Timeout: cfg.Timeouts.Pull, Log: d.log,
		Changed: func(ref string) { d.controller.EnqueueImage(ref) },
	})
	copies, err := snapshots.Open(filepath.Join(cfg.DataDir, "snapshots"), snapshots.Options{Log: d.log})
	if err != nil {
		return err
	}
	d.snapshots = snapshots.New(snapshots.Config{
		Engine: d.engine, Store: copies, Log: d.log,
		Changed: func(ref string) { d.controller.EnqueueImage(ref) }, Loaded: d.images.Refresh,
	})
	d.console = containerio.New(containerio.Config{
		Source: dockerstreams.NewDocker(d.engine), Targets: d.cache, Log: d.log,
		Changed: func(id string) { d.controller.Enqueue(id) },
	})
	d.controller = controller.New(controller.Config{
		Stores: controller.Stores{Store: d.store, Statuses: statuses, Journal: d.journal},
		Docker: controller.Docker{
			Engine: d.engine, Cache: d.cache, EngineHealth: d.cache, Images: d.images, Snapshots: d.snapshots, Console: d.console,
		},
		Host: controller.Host{
			Data: data, VolumePath: d.volumes.Path, CheckMounts: checkMounts, PinMounts: pinMounts(d.config, here),
			Logs: blueprint.Logs(cfg.Logs.MaxSize, cfg.Logs.MaxFile), LocalPorts: here,
		},
		Timing: controller.Timing{InstallTimeout: cfg.Timeouts.Install, DatabaseTimeout: cfg.Timeouts.Database},
		Log:    d.log,
	})
	return nil
}

// run serves until ctx ends or a part fails, and then stops the parts: first requests,
// then what watches and acts. The database is closed last, by close.
func (d *daemon) run(ctx context.Context, listener net.Listener, again reloads, announce func()) error {
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	parts, failed := errgroup.WithContext(working)
	part := func(name string, fn func(context.Context) error) {
		parts.Go(func() error {
			if err := fn(working); err != nil && working.Err() == nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	part("cache", d.cache.Run)
	part("images", d.images.Run)
	part("snapshots", d.snapshots.Run)
	part("controller", d.controller.Run)
	part("collection", func(ctx context.Context) error { d.controller.Collect(ctx); return nil })
	part("housekeeping", d.housekeep)

	server := httpapi.NewHTTPServer(d.api.Handler(), d.log)
	parts.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("accept requests: %w", err)
		}
		return nil
	})
	announce()
	for serving := true; serving; {
		select {
		case <-again.when:
			d.reload(again.load)
		case <-ctx.Done():
			d.log.Info("stopping; containers keep running")
			serving = false
		case <-failed.Done():
			serving = false
		}
	}
	d.api.Close()
	ending, stop := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer stop()
	if err := server.Shutdown(ending); err != nil {
		d.log.Warn("requests were cut off", "error", err)
		_ = server.Close()
	}
	cancel()
	return parts.Wait()
}

// housekeep prunes the journal and sweeps expired tokens.
func (d *daemon) housekeep(ctx context.Context) error {
	prune, sweep := time.NewTicker(pruneEvery), time.NewTicker(sweepEvery)
	defer prune.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-prune.C:
			if err := d.journal.Prune(ctx); err != nil {
				d.log.Warn("journal not pruned", "error", err)
			}
		case <-sweep.C:
			if err := d.tokens.Sweep(ctx); err != nil {
				d.log.Warn("expired tokens not swept", "error", err)
			}
		}
	}
}

// close closes what open has opened.
func (d *daemon) close() error {
	var errs []error
	if d.api != nil {
		d.api.Close()
	}
	if d.console != nil {
		d.console.Close()
	}
	if d.controller != nil {
		d.controller.Close()
	}
	if d.engine != nil {
		errs = append(errs, d.engine.Close())
	}
	if d.volumes != nil {
		errs = append(errs, d.volumes.Close())
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	return errors.Join(errs...)
}

// mountCheck returns the look at the host for the mounts of a spec.
func mountCheck(live *liveConfig) func(desired.Spec) error {
	rules := mountsource.Rules{Forbidden: live.Load().closedPlaces()}
	return func(s desired.Spec) error {
		now := rules
		now.Allowed = live.allowedMounts()
		return mountsource.Check(s, now)
	}
}

// pinMounts returns what pins the mount sources of a container; nil for an engine elsewhere.
func pinMounts(live *liveConfig, here bool) func([]observed.Mount) (controller.MountPins, error) {
	if !here {
		return nil
	}
	return func(mounts []observed.Mount) (controller.MountPins, error) {
		pinner := hostmount.Pinner{Allowed: live.allowedMounts()}
		pins, err := pinner.Pin(mounts)
		if err != nil {
			return nil, err
		}
		return pins, nil
	}
}

// reserved is the daemon's own listener, which no container may be given.
func reserved(addr net.Addr) []desired.Endpoint {
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return nil
	}
	return []desired.Endpoint{{IP: at.Addr().Unmap().String(), Port: int(at.Port()), Protocol: desired.TCP}}
}

func openTokens(db *kv.DB, cfg config) (*token.Keeper, error) {
	master, err := openMaster(cfg)
	if err != nil {
		return nil, err
	}
	return token.Open(db, master)
}

func openMaster(cfg config) (*token.Master, error) {
	if cfg.Token != "" {
		return token.Given(cfg.Token)
	}
	return token.FromFile(cfg.TokenFile)
}
