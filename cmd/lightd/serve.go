package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"lightd/cmd/lightd/command"
	"lightd/cmd/lightd/systemd"
	"lightd/cmd/lightd/terminal"
	"lightd/desired/kv"
	"lightd/httpapi"
	"lightd/observed/owner"
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

Settings, strongest first: flag, environment, file (--config, YAML), default. listen, tls, unix_socket, insecure_plain_http, hosts, trusted_proxies and limits are explained in "lightd docs listen".

SIGHUP reads the file again: origins, mounts.allowed, images.allowed, images.remove_unused_after, network.allowed, consoles, logs and metrics.per_container hold for what comes after. The log says what changed, and what needs a restart. An invalid file changes nothing. Other logs settings restart no container: each gets them when it is next recreated, and its drift report shows the difference as deferred until then. They hold whatever the default of the engine is.

A service manager is told by sd_notify(3) when requests are accepted, of each reload and of the end: Type=notify, or notify-reload from systemd 253 on. With WatchdogSec= it is told that the daemon is alive, as long as containers are reconciled.

SIGQUIT ends the daemon with a trace of its goroutines. SIGUSR1, SIGUSR2 and a closed log are ignored.

The standard output has one line, when requests are accepted; the log goes to the standard error. With --log-format json that line is JSON too, with version, address, data_dir, engine_version and engine_api_version (empty while no engine answers).

A failure is logged once, not at each retry: WARN for a process that ends with a failure, a crash loop, a failed pull or step, and external changes; ERROR for what failed for good. "write accepted" has request_id, token (its id, which is no secret), token_name, remote, route, container and generation.`

func serveCommand(getenv func(string) string, streams terminal.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "serve",
		Short:   "Run the daemon",
		Long:    serveHelp,
		Example: "  sudo lightd serve --config /etc/lightd/lightd.yaml",
		Args:    command.NoArgs,
	}
	s := newSettings(cmd.Flags(), getenv)
	newInstance := cmd.Flags().Bool("new-instance", false, "make a copied data directory an instance of its own")
	takeOver := cmd.Flags().Bool("take-over", false, "make a copied data directory the node; the other one then refuses to run")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *newInstance && *takeOver {
			return usageError{Text: "--take-over makes this directory the node, and --new-instance another one: give one of them"}
		}
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
		log := cfg.logger(streams.Err)
		if text, err := os.ReadFile(s.configFile()); err == nil && slices.ContainsFunc(cfg.secrets(), func(one string) bool { return bytes.Contains(text, []byte(one)) }) {
			warnReadable(log, "the configuration, which has a token or a secret,", s.configFile())
		}
		return s.locate(serve(cmd.Context(), cfg, reloads{hangup, s.load}, streams.Out, log))
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
	// The standard library prints there what a peer has sent unasked. Nothing of ours does.
	stdlog.SetOutput(io.Discard)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	// Before anything is made or changed in a data directory that a newer version has.
	if _, err := kv.FormatOf(cfg.database()); err != nil {
		return err
	}
	w, err := openWire(cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	d, err := open(ctx, cfg, w, stdout, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if path := cfg.Images.Credentials; path != "" {
		if _, err := os.Stat(path); err != nil {
			log.Warn("no credentials for registries until the file is there", "error", err)
		}
	}
	for _, file := range cfg.secretFiles() {
		warnReadable(log, "a file with a token or a secret", file)
	}
	cfg.warnHostPorts(ctx, log)
	d.warnBeyond()
	d.recordSettings()
	if d.manager, err = systemd.Open(os.Getenv); err != nil {
		log.Warn("the service manager is told nothing", "error", err)
		d.manager = &systemd.Notifier{}
	}
	defer func() { err = errors.Join(err, d.manager.Close()) }()
	return d.run(ctx, w, again, func() { d.announce(ctx, cfg, w, stdout) })
}

// announce prints the one line that says that requests are accepted. As JSON it waits a moment for
// the engine, to name its version.
func (d *daemon) announce(ctx context.Context, cfg config, w *wire, stdout io.Writer) {
	urls := w.urls()
	if cfg.LogFormat != "json" {
		suffix := ""
		if w.fingerprint != "" {
			suffix = " (certificate SHA-256 " + w.fingerprint + ", curl -k --pinnedpubkey " + w.certs.PublicKeyPin() + ")"
		}
		fmt.Fprintf(stdout, "lightd %s accepts requests on %s%s\n", version, strings.Join(urls, ", "), suffix)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, engineMoment)
	defer cancel()
	_ = d.engine.Ping(ctx) // a daemon without an engine accepts requests too
	engineVersion, apiVersion := d.engine.Version()
	line := []any{"version", version, "address", urls[0], "data_dir", cfg.DataDir, "engine_version", engineVersion, "engine_api_version", apiVersion}
	if len(urls) > 1 {
		line = append(line, "addresses", urls)
	}
	if w.fingerprint != "" {
		line = append(line, "fingerprint", w.fingerprint, "public_key_pin", w.certs.PublicKeyPin())
	}
	slog.New(slog.NewJSONHandler(stdout, nil)).Info("accepts requests", line...)
}

// garbage is how much may pile up, in percent of the memory in use. Most of that is tables
// of the database, of which little is ever touched: by Go's own 100 a flood of console text
// would take as much again.
const garbage = 50

// run serves until ctx ends or a part fails, and then stops the parts: first requests,
// then what watches and acts. The database is closed last, by close.
func (d *daemon) run(ctx context.Context, w *wire, again reloads, announce func()) error {
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
	opened := d.openToMappedRootOnce(ctx)
	part("cache", d.cache.Run)
	part("closed places", func(ctx context.Context) error { d.closed.watch(ctx, d.cache); return nil })
	part("images", d.images.Run)
	part("snapshots", d.snapshots.Run)
	part("firewall", d.firewall.Run)
	part("controller", d.controller.Run)
	part("health checks", d.prober.Run)
	part("quotas", d.quotas.Run)
	part("collection", func(ctx context.Context) error { d.controller.Collect(ctx); return nil })
	part("housekeeping", d.housekeep)
	part("webhooks", d.webhooks.Run)
	part("networks", func(ctx context.Context) error { d.warnNetworks(ctx); return nil })
	part("audit", func(ctx context.Context) error { d.auditMaster(ctx); return nil })
	part("watchdog", func(ctx context.Context) error {
		d.manager.Watch(ctx, func() bool { return d.controller.Stalled() == 0 })
		return nil
	})
	if !opened {
		part("data directory", d.openToMappedRoot)
	}

	server := httpapi.NewHTTPServer(d.api.Handler(), d.log)
	w.serve(working, server, parts.Go)
	announce()
	d.manager.Ready()
	for serving := true; serving; {
		select {
		case <-again.when:
			d.manager.Reloading()
			d.reload(again.load)
			d.manager.Ready()
		case <-ctx.Done():
			d.log.Info("stopping; containers keep running")
			serving = false
		case <-failed.Done():
			serving = false
		}
	}
	d.manager.Stopping()
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
			if err := d.journal.Prune(ctx, func(id string) bool { _, found := d.store.Container(id); return found }); err != nil {
				d.log.Warn("journal not pruned", "error", err)
			}
		case <-sweep.C:
			if err := errors.Join(d.tokens.Sweep(ctx), d.tokens.Flush(ctx)); err != nil {
				d.log.Warn("tokens not swept, or their last uses not written", "error", err)
			}
		}
	}
}
