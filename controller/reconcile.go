package controller

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/kv"
	"lightd/observed"
	"lightd/observed/journal"
	"lightd/observed/records"
	"lightd/observed/startpattern"
	"lightd/observed/status"
	"lightd/observed/streams"
)

// Enqueue has the key reconciled soon. It never blocks.
func (c *Controller) Enqueue(id string) { c.queue.Add(id) }

// work reconciles the next key, and reports whether the queue goes on. A reconcile that succeeds
// resets the delay of the next error, as in sample-controller.
func (c *Controller) work(ctx context.Context) bool {
	id, shutdown := c.queue.Get()
	if shutdown {
		return false
	}
	defer c.queue.Done(id)
	defer c.watchdog.begin()()
	number := c.reconciles.Add(1)
	ctx, ended := c.cfg.Tracer.StartReconcile(withLogger(ctx, c.log.With("reconcile_id", number)), id, number)
	began := time.Now()
	result, err := c.reconcile(ctx, id)
	ended(err)
	c.cfg.Metrics.ReconcileEnded(time.Since(began), err)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		c.logger(ctx).Error("reconcile failed", "container", id, "error", err)
		c.queue.AddRateLimited(id)
	default:
		c.queue.Forget(id)
		c.requeue(id, result)
	}
	return true
}

// Result is when a key is to be reconciled again. The zero value is: when something happens.
type Result struct {
	// Again is at once, After a delay; 0 is none.
	Again bool
	After time.Duration
	// Refresh has the cache inspect the container first, which enqueues the key afterwards, and
	// the install container too where Install is true.
	Refresh, Install bool
}

// requeue turns a result into queue calls.
func (c *Controller) requeue(id string, r Result) {
	switch {
	case r.Refresh:
		c.cfg.Cache.Refresh(id, r.Install)
	case r.Again:
		c.queue.Add(id)
	case r.After > 0:
		c.queue.AddAfter(id, r.After)
	}
}

// reconcile compares a container with its spec and starts at most one step:
//
//  1. read the status, the spec and what is in memory of the key
//  2. have an observation refreshed that is missing, or older than the last step, and return
//  3. build the input of the decision; from here on the output is matched for the start pattern
//  4. decide; a step that is backed off or finds no slot is left out
//  5. record the decision and its events in one transaction
//  6. start the step, off the worker
//
// A start after a crash begins before 5: see plan.Decision.Concurrent.
func (c *Controller) reconcile(ctx context.Context, id string) (_ Result, err error) {
	defer recoverPanic(c.logger(ctx), &err, "a reconcile", "container", id)

	// 1. The status is read before the spec: after the spec it might be gone with it, and a new
	// one would be recorded for a container that no longer exists.
	before, _ := c.cfg.Statuses.Get(id)
	spec, exists := c.cfg.Store.Container(id)
	if !exists {
		c.noteDrain(nil, before)
		return Result{}, nil
	}
	spec.Limits = spec.Limits.Within(c.cfg.Cores)
	k := c.state(id)

	// 2.
	seen := c.cfg.Cache.Get(id)
	if !seen.Known || !seen.EngineUp || k.running == nil && (!seen.At.After(k.settled) || needsRefresh(seen)) {
		return Result{Refresh: true, Install: before.Install.Phase != status.InstallDone}, nil
	}

	// 3.
	in := c.buildInput(spec, before, seen, k, c.cfg.Images.Image)
	in.Matched, in.PatternError = c.ensureStartupProbe(spec, in.Status, seen.Run)
	if c.cfg.Statuses.Held(id) {
		in.Status = unheld(in.Status)
	}

	// 4.
	d := c.admit(id, in, k)
	c.withState(id, func(k *keyState) { k.attempt = d.Attempt })
	c.awaitPorts(spec, d.Status, seen.Run)
	c.cfg.Tracer.Decided(ctx, spec, d)

	// 5. and 6.
	if d.Concurrent {
		c.startStep(ctx, spec, d.Status, seen, *d.Step)
	}
	switch err := c.record(ctx, before, d, k); {
	case errors.Is(err, desired.ErrDiskFull):
		d = c.hold(id, in, d, k)
	case err != nil:
		return c.recordFailed(before, d, err)
	}
	if cause := restartCause(before, d.Status); cause != "" {
		c.cfg.Metrics.Restarted(cause)
	}
	if d.Step != nil && !d.Concurrent {
		c.startStep(ctx, spec, d.Status, seen, *d.Step)
	}
	c.noteDrain(seen.Run, d.Status)
	return Result{After: d.After}, nil
}

// needsRefresh reports whether the observation will change without an event: a foreign container
// that holds a name goes away, or a removal ends whose event was lost.
func needsRefresh(seen observed.Snapshot) bool {
	age := time.Since(seen.At)
	if seen.RunNameTaken != nil || seen.InstallNameTaken != nil {
		return age > plan.BlockedRetry/2
	}
	for _, c := range []*observed.Container{seen.Run, seen.Install} {
		if c != nil && (c.Phase == observed.Removing || c.Phase == observed.Dead) {
			return age > time.Second/2
		}
	}
	return false
}

// buildInput returns the input of a decision. What the last step left behind goes into the status
// first: it is recorded together with what is decided on it. Only image may have effects: it may
// request an unknown image from the engine.
func (c *Controller) buildInput(spec desired.Container, st status.Status, seen observed.Snapshot, k keyState,
	image func(ref string) observed.Image) plan.Input {
	var prior []journal.Event
	if u := k.unacknowledged; u != nil && st.Version < u.version {
		version := st.Version
		st, prior = u.status.Clone(), slices.Clone(u.events)
		st.Version = version
	}
	if k.outcome.patch != nil && !k.outcome.persisted(st) {
		st = st.Clone()
		prior = append(prior, k.outcome.patch(&st)...)
	}
	in := plan.Input{
		Spec: spec, Status: st, Seen: seen, Host: k.host,
		Image:          image(spec.Image),
		EntrypointOK:   c.cfg.Data.EntrypointOK(spec.Spec),
		HostPaths:      c.hostPathsOf(spec.Spec, seen.Run),
		VerifyMounts:   c.cfg.PinMounts != nil,
		Replaced:       c.replacedMounts(spec.Spec, st, seen.Run),
		Now:            time.Now(),
		InstallTimeout: c.cfg.InstallTimeout, MaxInstallation: c.cfg.MaxInstallation,
		Node:         c.nodeState(spec.InternalID, seen),
		Jitter:       rand.Float64(),
		CreationMark: cryptorand.Text(),
		PriorEvents:  prior,
	}
	if st.Install.Phase == status.InstallScript && c.cfg.EngineDisk != nil {
		in.Disk = c.engineDisk(spec.InternalID)
	}
	in.Held = k.backoff.held(in)
	if seen.Run != nil && c.cfg.Health != nil {
		in.Health = c.cfg.Health.Result(spec.InternalID, status.RunOf(seen.Run))
	}
	if ref := plan.InstallImage(spec, st); ref != "" {
		in.InstallImage = image(ref)
	}
	if c.cfg.Quota != nil {
		in.Quota = c.cfg.Quota(spec.VolumeID)
	}
	if st.Install.Snapshot != "" {
		in.Snapshot, in.Copy = image(st.Install.Snapshot), c.cfg.Snapshots.Copy(st.Install.Snapshot)
		if seen.Run != nil && in.Snapshot.Known && !in.Snapshot.Present {
			in.RunImage = image(seen.Run.ImageID)
		}
	}
	return in
}

// ensureStartupProbe reports whether the start pattern has matched in the present run, and has the
// output watched until it does; else why that cannot be. Expect precedes Matched: the callback of a
// match from before this run was recorded does not come again.
func (c *Controller) ensureStartupProbe(spec desired.Container, st status.Status, run *observed.Container) (matched bool, refused string) {
	if !run.Running() || spec.StartPattern == "" {
		return false, ""
	}
	if st.Matched.Is(status.RunOf(run)) {
		return true, ""
	}
	err := c.cfg.Console.Expect(spec.InternalID, streams.Target{ContainerID: run.ContainerID, TTY: run.TTY},
		startpattern.Run{StartedAt: run.StartedAt, Since: run.FinishedAt}, spec.StartPattern)
	if err != nil {
		refused = err.Error()
	}
	return c.cfg.Console.Matched(spec.InternalID, run.ContainerID, run.StartedAt), refused
}

// admit decides, and admits the step of the decision: one that is backed off, or finds no slot, is
// left out. The end of the backoff, a slot that becomes free and the end of a step under way
// reconcile the key again. A container that is in sync has its backoff reset; a snapshot or
// a measurement of one that is being deleted is cut off, and so is the preparation of the start of one that
// is to run no longer.
func (c *Controller) admit(id string, in plan.Input, k keyState) plan.Decision {
	if k.running != nil {
		if in.Spec.Deleting && slices.Contains([]plan.Class{plan.ClassSnapshot, plan.ClassMeasure}, k.running.Kind.Traits().Class) {
			k.running.cancel()
		}
		if k.running.Kind == plan.StartContainer && (in.Spec.Deleting || in.Node.Cordon != nil || in.EffectivePower() != desired.PowerRunning) {
			k.running.supersede()
		}
		in.Underway = true
		return plan.Observe(in)
	}
	d := plan.Decide(in)
	if d.Step != nil {
		if left := k.backoff.left(*d.Step, in); left > 0 {
			attempt := k.backoff.next(d.Step.Kind)
			d = plan.Observe(in)
			d.Attempt, d.After = attempt, left
		}
	}
	switch {
	case d.Step == nil:
		c.slots.cancelWait(id)
		if d.Status.Get(status.Synced).Status == status.True {
			c.withState(id, func(k *keyState) { k.backoff.reset() })
		}
	case !c.slots.tryAcquire(id, d.Step.Kind.Traits().Class):
		return plan.Observe(in)
	}
	return d
}

// record writes a decision: the status and its events, or neither. A status that is unchanged is
// not written.
func (c *Controller) record(ctx context.Context, before status.Status, d plan.Decision, k keyState) error {
	id, events := d.Status.InternalID, slices.Concat(k.unrecorded, d.Events)
	if len(events) > 0 || !reflect.DeepEqual(before, d.Status) || c.cfg.Statuses.Held(id) {
		c.withState(id, func(have *keyState) {
			if have.outcome.step == k.outcome.step {
				have.outcome.version = before.Version + 1
			}
		})
		if err := c.commit(ctx, d.Status, events); err != nil {
			return err
		}
	}
	if k.outcome.patch != nil || k.unrecorded != nil || k.unacknowledged != nil {
		c.withState(id, func(have *keyState) {
			have.unrecorded, have.unacknowledged = nil, nil
			if have.outcome.step == k.outcome.step { // no step has ended since
				have.outcome.patch = nil
			}
		})
	}
	return nil
}

// recordFailed returns the slot of a step that was not started. What one that was started changes
// is kept in memory, to be recorded with the next decision.
func (c *Controller) recordFailed(before status.Status, d plan.Decision, err error) (Result, error) {
	id, stale := d.Status.InternalID, errors.Is(err, records.ErrStale)
	switch {
	case d.Step == nil:
	case !d.Concurrent:
		c.slots.release(d.Step.Kind.Traits().Class)
	case !stale:
		c.withState(id, func(k *keyState) { k.unacknowledged = &unacknowledged{d.Status, d.Events, before.Version + 1} })
	}
	if stale { // decided on what is no longer so
		return Result{Again: true}, nil
	}
	return Result{}, err
}

// commit writes a status and its events in one transaction.
func (c *Controller) commit(ctx context.Context, st status.Status, events []journal.Event) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DatabaseTimeout)
	defer cancel()
	err := c.cfg.Store.DB.Update(ctx, func(tx *kv.Tx) error {
		if err := c.cfg.Statuses.Put(tx, st); err != nil {
			return err
		}
		return c.append(tx, events)
	})
	if err != nil {
		return fmt.Errorf("record status of container %s: %w", st.InternalID, err)
	}
	for _, e := range events {
		c.logger(ctx).Log(ctx, e.Level(), "container event", "container", e.InternalID, "type", e.Type, "message", e.Message, "generation", e.Generation)
	}
	return nil
}

func (e *executor) append(tx *kv.Tx, events []journal.Event) error {
	for _, event := range events {
		if _, err := e.cfg.Journal.Append(tx, event); err != nil {
			return err
		}
	}
	return nil
}
