package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"lightd/cmd/lightd/metrics"
	"lightd/cmd/lightd/systemd"
	"lightd/cmd/lightd/tracing"
	"lightd/controller"
	"lightd/controller/datadir"
	"lightd/controller/firewall"
	"lightd/desired"
	"lightd/desired/kv"
	"lightd/desired/store"
	"lightd/desired/token"
	"lightd/httpapi"
	"lightd/httpapi/audit"
	"lightd/httpapi/containers"
	"lightd/httpapi/listen"
	"lightd/httpapi/socket"
	"lightd/httpapi/streams"
	"lightd/httpapi/webhook"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/cache"
	"lightd/observed/cgroup"
	"lightd/observed/containerio"
	"lightd/observed/credentials"
	"lightd/observed/engine"
	"lightd/observed/health"
	"lightd/observed/hostmount"
	"lightd/observed/images"
	"lightd/observed/owner"
	"lightd/observed/quota"
	"lightd/observed/records"
	"lightd/observed/snapshots"
	dockerstreams "lightd/observed/streams"
	"lightd/observed/usage"
)

// daemon is everything that runs, wired together.
type daemon struct {
	log        *slog.Logger
	config     *liveConfig
	closed     *closedPlaces
	store      *store.Store
	volumes    *store.Volumes
	journal    *records.Journal
	tokens     *token.Keeper
	audit      *audit.Log
	engine     *engine.Engine
	cache      *cache.Cache
	images     *images.Images
	snapshots  *snapshots.Copies
	console    *containerio.IO
	sampler    *usage.Sampler
	prober     *health.Prober
	quotas     *quota.Watcher
	firewall   *firewall.Keeper
	controller *controller.Controller
	webhooks   *webhook.Deliverer
	metrics    *metrics.Metrics
	tracer     *tracing.Tracer // nil while tracing is off
	manager    *systemd.Notifier
	api        *httpapi.Server
}

// open opens what is on disk and wires the rest. On an error nothing stays open.
func open(ctx context.Context, cfg config, w *wire, stdout io.Writer, log *slog.Logger) (_ *daemon, err error) {
	d := &daemon{log: log, config: newLiveConfig(cfg), metrics: metrics.New(version)}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if err := makeDataDir(cfg); err != nil {
		return nil, err
	}
	d.closed = newClosedPlaces(d.config)
	if err := d.openStore(cfg, w); err != nil {
		return nil, err
	}
	record, err := d.settle(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := d.openTracing(ctx, cfg.Tracing); err != nil {
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
	if err := d.wireEngine(cfg, record, statuses, data); err != nil {
		return nil, err
	}
	trees, err := d.openFiles(ctx)
	if err != nil {
		return nil, err
	}
	if d.webhooks, err = d.newWebhooks(cfg.Webhooks); err != nil {
		return nil, err
	}
	d.audit = audit.Open(cfg.auditConfig(stdout, log))
	admitted, err := w.admission(cfg)
	if err != nil {
		return nil, err
	}
	d.api, err = httpapi.New(httpapi.State{
		Store: d.store, Volumes: d.volumes, Files: trees, Tokens: d.tokens, Statuses: statuses, Journal: d.journal,
	}, httpapi.Node{
		Engine: d.cache, PingEngine: d.engine.Ping, Controller: d.controller, OtherInstances: d.cache, Firewall: d.firewallMissing,
		Console: socket.Live(d.console), InstallLog: data.InstallLog, Webhooks: d.webhooks.Webhooks, RetryWebhook: d.webhooks.Retry,
		Measurer: d.sampler, Host: d.describeHost, Metrics: d.metrics.Handler(), Backup: d.backUp,
	}, httpapi.Options{
		Limits:          consoleLimits(cfg),
		Options:         containers.Options{StopTimeout: cfg.Timeouts.Stop, Cores: runtime.NumCPU()},
		DatabaseTimeout: cfg.Timeouts.Database,
		Admission:       admitted,
		Audit:           d.audit,
		Tracer:          d.requestTracer(),
	}, log)
	if err != nil {
		return nil, err
	}
	d.showMetrics(cfg, statuses)
	return d, nil
}

func (d *daemon) openStore(cfg config, w *wire) (err error) {
	bounds, err := cfg.Containers.limitRange()
	if err != nil {
		return err
	}
	d.store, err = store.Open(cfg.database(), store.Options{
		Rules:       desired.Rules{AllowedMounts: cfg.Mounts.Allowed, Limits: bounds, CPUs: cfg.onlineCPUs()},
		CheckMounts: d.closed.checkKnown, AllowedMounts: d.config.allowedMounts, AllowedImages: d.config.allowedImages,
		AllowedNetworks: d.config.allowedNetworks,
		Reserved:        reserved(w.listeners),
		Database:        kv.Options{Reserve: true, Commit: d.metrics.Commit, Log: d.log},
	})
	return err
}

func consoleLimits(cfg config) streams.Limits {
	return streams.Limits{Origins: cfg.Origins, ConsolesPerContainer: cfg.Consoles.PerContainer, Consoles: cfg.Consoles.Total}
}

// settle decides whether the data directory may be used for its instance.
func (d *daemon) settle(ctx context.Context, cfg config) (owner.Record, error) {
	db := cfg.database()
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
func (d *daemon) wireEngine(cfg config, record owner.Record, statuses *records.Statuses, data *datadir.Dir) error {
	here := cfg.DockerHost == "" || strings.HasPrefix(cfg.DockerHost, "unix://")
	guard, err := d.guardEngine(cfg, record, here)
	if err != nil {
		return err
	}
	d.cache = cache.New(cache.Config{
		Engine: d.engine, Instance: d.store.Instance(), Log: d.log, Owner: guard, Queue: d.metrics.Queues(),
		Changed: func(id string) {
			d.console.Notify(id)
			d.prober.Notify(id)
			d.controller.Enqueue(id)
		},
	})
	pulled := records.OpenPulled(d.store.DB)
	d.images = images.New(images.Config{
		Engine: d.engine, Pulled: pulled, List: d.engine, Timeout: cfg.Timeouts.Pull, Queue: d.metrics.Queues(), Log: d.log,
		Changed: func(ref string) {
			d.controller.EnqueueImage(ref)
			d.notifyChecks(func(spec desired.Container) bool { return spec.Image == ref })
		},
		CheckRegistry: images.Registries{Unlisted: func(ref string) string { return d.store.Rules().UnlistedRegistry(ref) }}.Check,
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
	d.prober = d.newProber(statuses)
	d.quotas = d.newQuotas()
	d.sampler = d.newSampler(here)
	d.firewall = d.newFirewall(cfg.Network, here)
	most, err := cfg.Containers.maxInstallation()
	if err != nil {
		return err
	}
	var heldPorts func() []desired.Endpoint
	if here {
		heldPorts = controller.LocalEndpoints
	}
	d.controller = controller.New(controller.Config{
		Stores: controller.Stores{Store: d.store, Statuses: statuses, Journal: d.journal},
		Docker: controller.Docker{
			Engine: d.engine, Cache: d.cache, EngineHealth: d.cache, Images: d.images, Pulled: pulled, Snapshots: d.snapshots, Console: d.console,
			Health: d.prober,
		},
		Host: controller.Host{
			Data: data, VolumePath: d.volumes.Path, Quota: d.quotas.Of, ChownVolume: d.volumes.Chown, HandOverVolume: d.volumes.HandOver,
			CheckMounts: d.closed.checkNow, PinMounts: pinMounts(d.closed, filepath.Dir(d.volumes.Path("any")), here), Firewall: d.firewall, EngineDisk: d.engineDisk(here),
			Logs: blueprint.Logs(cfg.Logs.MaxSize, cfg.Logs.MaxFile), LocalPorts: here, HeldPorts: heldPorts, Cores: runtime.NumCPU(),
			Capabilities: blueprint.Capabilities{Run: cfg.Containers.Capabilities, Install: cfg.Containers.InstallCapabilities},
		},
		Timing:          controller.Timing{InstallTimeout: cfg.Timeouts.Install, DatabaseTimeout: cfg.Timeouts.Database},
		MaxInstallation: most,
		Metrics:         d.metrics, Queue: d.metrics.Queues(), Tracer: d.reconcileTracer(),
		Log: d.log,
	})
	d.controller.SetRemoveUnusedAfter(cfg.Images.RemoveUnusedAfter)
	return nil
}

// newProber returns what runs the health checks of containers.
func (d *daemon) newProber(statuses *records.Statuses) *health.Prober {
	p := health.New(health.Config{
		Sources: health.Sources{Spec: d.store.Container, Seen: d.cache.Get, Status: statuses.Get, Image: d.images.Known},
		Exec:    d.engine, Changed: func(id string) { d.controller.Enqueue(id) },
	})
	// These end with the daemon.
	d.store.Subscribe(p.Notify)
	statuses.Subscribe(p.Notify)
	d.cache.Subscribe(func(bool) { d.notifyChecks(func(desired.Container) bool { return true }) })
	return p
}

// notifyChecks has the health checks of containers compared with what is known of them.
func (d *daemon) notifyChecks(of func(desired.Container) bool) {
	for _, spec := range d.store.Containers() {
		if spec.Health != nil && of(spec) {
			d.prober.Notify(spec.InternalID)
		}
	}
}

// newQuotas returns what measures the volumes that have quotas.
func (d *daemon) newQuotas() *quota.Watcher {
	w := quota.New(quota.Config{Volumes: d.volumes, Log: d.log, Changed: func(volume string) {
		for _, id := range d.volumes.Users(volume) {
			d.controller.Enqueue(id)
		}
	}})
	d.volumes.SubscribeQuotas(w.Notify) // this ends with the daemon
	return w
}

// newSampler returns what measures containers: by the files of this machine's kernel where the engine is here.
func (d *daemon) newSampler(here bool) *usage.Sampler {
	var open func() usage.Reader
	if here {
		open = func() usage.Reader { return cgroup.OpenUsage() }
	}
	return usage.NewSampler(d.cache, open, d.console.Usage())
}

// guardEngine makes the client of the engine, each act of which reads the owner's mark before.
func (d *daemon) guardEngine(cfg config, record owner.Record, here bool) (guard *owner.Guard, err error) {
	config := engine.Config{
		Host: cfg.DockerHost, Instance: d.store.Instance(), OwnerEpoch: record.Epoch, Called: d.metrics.EngineCalled, Calling: d.callTracer(), Credentials: credentials.File{Path: cfg.Images.Credentials}.For, Log: d.log,
		Timeouts: engine.Timeouts{Remove: cfg.Timeouts.Remove, Create: cfg.Timeouts.Create},
	}
	if here {
		config.ReadLimits, config.ReadUnlinked = cgroup.Read, cgroup.Unlinked
	}
	d.engine, err = engine.New(config)
	if err != nil {
		return nil, err
	}
	d.closed.directories = d.engine.Directories
	guard = &owner.Guard{Record: record, Instance: d.store.Instance(), Engine: d.engine, Handover: handover}
	d.engine.Guard(func(ctx context.Context) error {
		var taken *owner.TakenOverError
		err := guard.Confirm(ctx)
		if errors.As(err, &taken) {
			d.cache.Fail(err)
		}
		return err
	})
	return guard, nil
}

// close closes what open has opened.
func (d *daemon) close() error {
	var errs []error
	if d.api != nil {
		d.api.Close()
	}
	errs = append(errs, d.audit.Close())
	if d.console != nil {
		d.console.Close()
	}
	if d.controller != nil {
		d.controller.Close()
	}
	if d.engine != nil {
		errs = append(errs, d.engine.Close())
	}
	if d.tracer != nil {
		if err := d.tracer.Close(); err != nil {
			d.log.Warn("the last traces are lost", "error", err)
		}
	}
	if d.volumes != nil {
		errs = append(errs, d.volumes.Close())
	}
	if d.tokens != nil {
		ending, stop := context.WithTimeout(context.Background(), drain)
		defer stop()
		if err := d.tokens.Flush(ending); err != nil {
			d.log.Warn("last uses of tokens not written", "error", err)
		}
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	return errors.Join(errs...)
}

// pinMounts returns what pins the mount sources of a container; nil for an engine elsewhere.
func pinMounts(closed *closedPlaces, volumes string, here bool) func([]observed.Mount) (controller.MountPins, error) {
	if !here {
		return nil
	}
	return func(mounts []observed.Mount) (controller.MountPins, error) {
		pinner := hostmount.Pinner{Rules: closed.rules(), Volumes: volumes}
		pins, err := pinner.Pin(mounts)
		if err != nil {
			return nil, err
		}
		return pins, nil
	}
}

// reserved are the daemon's own listeners, which no container may be given.
func reserved(listeners []*listen.Listener) (own []desired.Endpoint) {
	for _, l := range listeners {
		if at, err := netip.ParseAddrPort(l.Addr().String()); err == nil {
			own = append(own, desired.Endpoint{IP: at.Addr().Unmap().String(), Port: int(at.Port()), Protocol: desired.TCP})
		}
	}
	return own
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
