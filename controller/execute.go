package controller

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/observed"
	"lightd/observed/engine"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// executor is what steps act with. They reach neither the queue nor what is in memory of keys.
type executor struct {
	cfg Config
	log *slog.Logger
	// shells holds the ids of the images that are known to have a shell.
	shells sync.Map
	// plainImages holds the ids of the images that keep no installation.
	plainImages sync.Map
	// networking is held while the network is made.
	networking chan struct{}
	// fitting is Lightd's network as it was last listed and found to be as it has to be; nil once a start
	// has shown that it may be gone.
	fitting atomic.Pointer[observed.Network]
	// roots is the engine's last answer on the ids of root in containers; nil for none.
	roots atomic.Pointer[rootIDs]
	// logs, unless nil, takes the place of Config.Logs.
	logs atomic.Pointer[observed.Log]
}

func newExecutor(cfg Config) *executor {
	return &executor{cfg: cfg, log: cfg.Log, networking: make(chan struct{}, 1)}
}

// execution is one step that is being executed, with what it was decided on.
type execution struct {
	*executor
	// log is that of the reconcile that started the step.
	log  *slog.Logger
	spec desired.Container
	st   status.Status
	seen observed.Snapshot
	step plan.Step
	// preparing ends with the step, and once the container is to run no longer: what only prepares a start
	// is ended by it.
	preparing context.Context
	// began is when the step started.
	began time.Time

	// patch is what the step leaves behind for the status, host the host check that it made, and
	// gone is true once nothing of the container is left.
	patch func(*status.Status) []journal.Event
	host  *plan.HostCheck
	gone  bool
	// events happened, however the step ends; they come before those of patch.
	events []journal.Event
	// killed is true once the process was killed for a mount that leads elsewhere.
	killed bool
}

// startStep has a step executed off the worker. It does not block.
func (c *Controller) startStep(ctx context.Context, spec desired.Container, st status.Status, seen observed.Snapshot, s plan.Step) {
	id, level := spec.InternalID, slog.LevelInfo
	stepping, cancel := context.WithCancel(ctx)
	preparing, supersede := context.WithCancelCause(stepping)
	c.withState(id, func(k *keyState) {
		k.running = &runningStep{s, cancel, func() { supersede(errSuperseded) }}
		if s.Repeats || k.backoff.failedFor(s.Kind, spec.Generation) {
			level = slog.LevelDebug // it was logged when it was tried first
		}
	})
	if t := s.Kind.Traits(); t.Mutates && (t.Class == plan.ClassCreate || t.Class == plan.ClassStart) {
		// The engine answers no inspection while it makes or starts the container: finishStep requests one.
		c.cfg.Cache.ExpectRefresh(id)
	}
	c.steps.Go(func() {
		c.logger(ctx).Log(ctx, level, "step", "container", id, "step", s.Kind, "reason", s.Reason, "generation", spec.Generation)
		defer c.slots.releaseAfter(s.Kind.Traits().Class)()
		defer cancel()
		a := &execution{executor: c.executor, log: c.logger(ctx), spec: spec, st: st, seen: seen, step: s, preparing: preparing, began: time.Now()}
		traced, ended := c.cfg.Tracer.StartStep(engine.WithPorts(stepping, portsOf(spec, seen)), spec, s)
		err := a.execute(traced)
		ended(err)
		took := time.Since(a.began)
		c.cfg.Metrics.StepEnded(s.Kind, took, err)
		a.log.Debug("step ended", "container", id, "step", s.Kind, "took", took.Round(100*time.Microsecond), "error", err)
		c.finishStep(ctx, a, err)
	})
}

// portsOf is how many ports the engine may have to bind or to release in a step.
func portsOf(spec desired.Container, seen observed.Snapshot) int {
	n := len(spec.Ports)
	if seen.Run != nil {
		n = max(n, len(seen.Run.Binds))
	}
	return n
}

// finishStep keeps how a step ended until the next reconcile, and requeues the key. A daemon that
// dies in between executes the step again, which is always safe.
func (c *Controller) finishStep(ctx context.Context, a *execution, err error) {
	id, kind := a.spec.InternalID, a.step.Kind
	if ctx.Err() != nil {
		return // the daemon stops; the next one observes what happened
	}
	if a.gone {
		c.forget(id)
		c.TriggerGC()
		c.requeue(id, Result{Again: true}) // a new container may have the id by now
		return
	}
	if err == nil && !kind.Traits().OwnPace {
		c.withState(id, func(k *keyState) { err = k.progress.succeeded(a.fingerprint(), a.began) })
	}
	result, now, retry := a.classify(err), time.Now(), time.Duration(0)
	c.withState(id, func(k *keyState) {
		k.running = nil
		k.outcome = outcome{patch: a.withEvents(result.patch), step: k.outcome.step + 1}
		if result.failed {
			retry = k.backoff.failed(a.step, a.spec.Generation, result.retry, result.stale, now)
		} else {
			k.backoff.succeeded(kind)
		}
		k.progress.ready = now.Add(retry)
		if kind.Traits().Mutates {
			k.settled = now
		}
		if a.host != nil {
			k.host = a.host.After(k.host)
		}
	})
	if result.failed {
		a.log.Debug("step is retried", "container", id, "step", kind, "stale", result.stale, "retry", retry.Round(time.Millisecond), "error", err)
	}
	if kind == plan.RemoveInstallContainer {
		c.TriggerGC() // the image of the installation before may be unused now
	}
	c.requeue(id, Result{Again: true, Refresh: kind.Traits().Mutates, Install: a.st.Install.Phase != status.InstallDone})
}

// event leaves behind an event of the container.
func (a *execution) event(t journal.Type, message string) {
	a.events = append(a.events, journal.Event{InternalID: a.spec.InternalID, Type: t, Generation: a.spec.Generation, Message: message})
}

// withEvents is a patch with the events of the step before its own.
func (a *execution) withEvents(patch func(*status.Status) []journal.Event) func(*status.Status) []journal.Event {
	if len(a.events) == 0 {
		return patch
	}
	return func(st *status.Status) []journal.Event {
		if patch == nil {
			return a.events
		}
		return slices.Concat(a.events, patch(st))
	}
}

// execute executes the step. There is no choice in it: what is to be done was decided.
func (a *execution) execute(ctx context.Context) (err error) {
	defer recoverPanic(a.log, &err, "step "+string(a.step.Kind), "container", a.spec.InternalID)
	if err := a.checkCordon(); err != nil {
		return err
	}
	id, target, e := a.spec.InternalID, a.step.Target, a.cfg.Engine
	switch a.step.Kind {
	case plan.PullImage:
		if err := a.checkReference(a.step.Image); err != nil {
			return err
		}
		a.cfg.Images.Pull(a.step.Image)
		return nil
	case plan.CreateInstallContainer:
		return a.createInstall(ctx)
	case plan.StartInstallScript:
		return a.start(ctx, a.seen.Install)
	case plan.MeasureInstallation:
		a.measureInstall(ctx)
		return nil
	case plan.KillInstallScript:
		return e.Kill(ctx, target, "SIGKILL")
	case plan.KeepInstallation:
		return a.keepInstall(ctx)
	case plan.SaveInstallOutput:
		return a.saveOutput(ctx)
	case plan.RemoveInstallContainer, plan.RemoveContainer:
		return e.Remove(ctx, target)
	case plan.RestoreSnapshot:
		defer a.cfg.Images.Refresh(a.step.Image)
		return e.Tag(ctx, a.seen.Run.ImageID, a.step.Image)
	case plan.LoadSnapshot:
		a.cfg.Snapshots.Load(a.step.Image)
		return nil
	case plan.WriteEntrypoint:
		return a.cfg.Data.WriteEntrypoint(a.spec.Spec)
	case plan.CheckHost:
		a.checkHost()
		return nil
	case plan.CreateContainer:
		return a.create(ctx)
	case plan.UpdateLimits:
		return a.updateLimits(ctx)
	case plan.StartContainer:
		return a.start(ctx, a.seen.Run)
	case plan.VerifyMounts:
		return a.verifyMounts(ctx)
	case plan.UnpauseContainer:
		return e.Unpause(ctx, target)
	case plan.RenameContainer:
		return e.Rename(ctx, target, observed.RunName(id))
	case plan.StopContainer:
		return a.stop(ctx)
	case plan.KillContainer:
		return a.kill(ctx)
	case plan.ReleasePorts:
		return a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
			return tx.ReleasePorts(id, plan.Releasable(a.spec, a.seen.Run))
		})
	case plan.Finalize:
		return a.finalize(ctx)
	}
	return fmt.Errorf("step %q is not known", a.step.Kind)
}
