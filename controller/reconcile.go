package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/observed"
	"lightd/observed/console"
	"lightd/observed/engine"
	"lightd/observed/journal"
	"lightd/observed/records"
	"lightd/observed/status"
)

// reconcile looks at one key and takes at most one step. It returns when to look again.
func (c *Controller) reconcile(ctx context.Context, id string) (after time.Duration, err error) {
	// The status is read before the spec: after the spec it might be gone with it, and a new one
	// would be recorded for a container that is no more.
	before, _ := c.cfg.Statuses.Get(id)
	spec, exists := c.cfg.Store.Container(id)
	if !exists {
		return 0, nil
	}
	var k keyState
	c.withState(id, func(have *keyState) { k = *have })
	seen := c.cfg.Cache.Get(id)
	if !seen.Known || !seen.EngineUp || k.busy == nil && (!seen.At.After(k.acted) || needsRefresh(seen)) {
		c.cfg.Cache.Refresh(id, before.Install.Phase != status.InstallDone)
		return 0, nil // the cache puts the key back when it has looked
	}
	in := c.gather(spec, before, seen, k)
	if c.cfg.Statuses.Held(id) {
		in.Status = unheld(in.Status)
	}
	d, after := c.decide(id, in, k)
	c.withState(id, func(have *keyState) { have.attempt = d.Attempt })
	var step sync.Once // begun, or given up
	begin := func() {
		if d.Step != nil {
			step.Do(func() { c.startStep(ctx, spec, d.Status, seen, *d.Step) })
		}
	}
	if err := c.commit(ctx, id, before, d, k, begin); err != nil {
		if errors.Is(err, desired.ErrDiskFull) {
			return c.hold(id, in, d, k, begin), nil
		}
		if d.Step != nil {
			step.Do(func() { c.slots.release(classOf(d.Step.Kind)) })
		}
		if errors.Is(err, records.ErrStale) {
			c.Enqueue(id) // decided on what is no longer so: decide again
			return 0, nil
		}
		return 0, err
	}
	begin()
	return after, nil
}

// needsRefresh reports whether what is seen will change without an event that reaches us: a
// stranger's container goes, or a removal ends whose event was lost.
func needsRefresh(seen observed.Snapshot) bool {
	age := time.Since(seen.At)
	if seen.RunNameTaken != nil || seen.InstallNameTaken != nil {
		return age > waitRetry/2
	}
	for _, c := range []*observed.Container{seen.Run, seen.Install} {
		if c != nil && (c.Phase == observed.Removing || c.Phase == observed.Dead) {
			return age > time.Second/2
		}
	}
	return false
}

// decide asks the plan, and holds its step back while another one of the key runs, has
// just failed, or finds no room. What is seen is recorded all the same.
func (c *Controller) decide(id string, in plan.Input, k keyState) (d plan.Decision, after time.Duration) {
	if k.busy != nil {
		if in.Spec.Deleting && classOf(k.busy.Kind) == classSnapshot {
			k.cancel() // what is deleted need not be kept
		}
		in.Underway = true
		return plan.Observe(in), 0 // the end of the step puts the key back
	}
	d = plan.Decide(in)
	if d.Step == nil {
		c.slots.cancelWait(id)
		if len(k.failures) > 0 && d.Status.Get(status.Synced).Status == status.True {
			c.resetBackoff(id)
		}
		return d, d.After
	}
	f := k.failures[d.Step.Kind]
	if left := f.backoffLeft(*d.Step, in); left > 0 {
		c.slots.cancelWait(id)
		d = plan.Observe(in)
		d.Attempt = f.next()
		return d, left
	}
	if !c.slots.tryAcquire(id, classOf(d.Step.Kind)) {
		return plan.Observe(in), 0 // a slot that becomes free puts the key back
	}
	return d, 0
}

// resetBackoff forgets the failures of a container that is in order: what fails next has another
// cause, and is tried again as soon as any other.
func (c *Controller) resetBackoff(id string) {
	c.withState(id, func(k *keyState) { k.failures, k.overtaken = nil, false })
	c.backoff.Forget(id)
}

// backoffLeft returns for how long a step of that kind is held back, with nothing new since it failed.
func (f failure) backoffLeft(step plan.Step, in plan.Input) time.Duration {
	if f.staleTarget != "" && step.Target != f.staleTarget || in.Spec.Generation != f.generation || in.Seen.EngineLost.After(f.at) {
		return 0
	}
	return time.Until(f.retry)
}

// next is the attempt that follows a failure.
func (f failure) next() plan.Attempt { return plan.Attempt{At: f.retry, Number: f.count + 1} }

// outcomePersisted reports whether the outcome of the last step has gone into a status that was said not
// to be recorded, as the database took too long to tell. Nobody else writes statuses.
func (k keyState) outcomePersisted(st status.Status) bool {
	return k.tried > 0 && st.Version >= k.tried
}

// gather reads all that a decision rests on. What the last step left behind goes into
// the status first: it is recorded together with what is decided on it. What is not known
// yet is asked for.
func (c *Controller) gather(spec desired.Container, st status.Status, seen observed.Snapshot, k keyState) plan.Input {
	in := c.buildInput(spec, st, seen, k, c.cfg.Images.Image)
	in.Matched = c.ensureStartupProbe(spec, in.Status, seen.Run)
	return in
}

// buildInput is what is known of a container. Only image may ask for more.
func (c *Controller) buildInput(spec desired.Container, st status.Status, seen observed.Snapshot, k keyState,
	image func(ref string) observed.Image) plan.Input {
	var told []journal.Event
	if k.outcome != nil && !k.outcomePersisted(st) {
		st = st.Clone()
		told = k.outcome(&st)
	}
	in := plan.Input{
		Spec: spec, Status: st, Seen: seen, Host: k.host,
		Image:          image(spec.Image),
		EntrypointOK:   c.cfg.Data.EntrypointOK(spec.Spec),
		HostPaths:      c.hostPathsOf(spec.Spec, seen.Run),
		VerifyMounts:   c.cfg.PinMounts != nil,
		Replaced:       c.replacedMounts(spec.Spec, st, seen.Run),
		Now:            time.Now(),
		InstallTimeout: c.cfg.InstallTimeout,
		Jitter:         rand.Float64(),
		PriorEvents:    told,
	}
	for kind, f := range k.failures {
		if f.staleTarget == "" && f.backoffLeft(plan.Step{}, in) > 0 {
			if in.Held == nil {
				in.Held = map[plan.Kind]plan.Attempt{}
			}
			in.Held[kind] = f.next()
		}
	}
	if st.Install.Snapshot != "" {
		in.Snapshot, in.Copy = image(st.Install.Snapshot), c.cfg.Snapshots.Copy(st.Install.Snapshot)
		if seen.Run != nil && in.Snapshot.Known && !in.Snapshot.Present {
			in.RunImage = image(seen.Run.ImageID)
		}
	}
	return in
}

// Simulate returns what the controller would do if the spec were as given, as far as is
// known: it asks Docker nothing, and changes nothing.
func (c *Controller) Simulate(spec desired.Container) plan.Simulation {
	return plan.Simulate(c.known(spec))
}

// NextAttempt returns when what has failed, or waits for somebody else, is tried again; the zero
// Attempt when nothing is. It asks nobody.
func (c *Controller) NextAttempt(id string) plan.Attempt {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.keys[id]; k != nil {
		return k.attempt
	}
	return plan.Attempt{}
}

// Drift returns where the container differs from a spec, with the step that mends each, and
// whether Docker can be seen. It asks Docker nothing, and changes nothing.
func (c *Controller) Drift(spec desired.Container) (fields []plan.Field, known bool) {
	return plan.Drift(c.known(spec))
}

// known is the input of a decision as far as memory has it.
func (c *Controller) known(spec desired.Container) plan.Input {
	id := spec.InternalID
	var k keyState
	c.mu.Lock()
	if have := c.keys[id]; have != nil {
		k = *have
	}
	c.mu.Unlock()
	seen := c.cfg.Cache.Get(id)
	st, _ := c.cfg.Statuses.Get(id)
	return c.buildInput(spec, st, seen, k, c.cfg.Images.Known)
}

// commit records a decision: the status and its events, or neither. An unchanged
// status is not written. A start begins as soon as its record outlives this daemon, where
// a power cut that keeps the record from the disk ends what was started as well.
func (c *Controller) commit(ctx context.Context, id string, before status.Status, d plan.Decision, k keyState, begin func()) error {
	events := slices.Concat(k.unrecorded, d.Events)
	if len(events) > 0 || !reflect.DeepEqual(before, d.Status) || c.cfg.Statuses.Held(id) {
		c.withState(id, func(have *keyState) {
			if have.ended == k.ended {
				have.tried = before.Version + 1
			}
		})
		early := c.cfg.SharedFate && d.Step != nil && d.Step.Kind == plan.StartContainer
		if !early {
			begin = nil
		}
		if err := c.record(ctx, d.Status, events, begin); err != nil {
			return err
		}
	}
	if k.outcome != nil || k.unrecorded != nil {
		c.withState(id, func(have *keyState) {
			have.unrecorded = nil
			if have.ended == k.ended { // no step has ended since
				have.outcome = nil
			}
		})
	}
	return nil
}

// record writes a status and its events, and calls safe, unless it is nil, when that outlives
// this daemon.
func (c *Controller) record(ctx context.Context, st status.Status, events []journal.Event, safe func()) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DatabaseTimeout)
	defer cancel()
	err := c.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if err := c.cfg.Statuses.Put(tx, st); err != nil {
			return err
		}
		if safe != nil {
			tx.WhenSafe(safe)
		}
		return c.append(tx, events)
	})
	if err != nil {
		return fmt.Errorf("record status of container %s: %w", st.InternalID, err)
	}
	for _, e := range events {
		c.log.Log(ctx, e.Level(), "container event", "container", e.InternalID, "type", e.Type, "message", e.Message, "generation", e.Generation)
	}
	return nil
}

func (c *Controller) append(tx *store.Tx, events []journal.Event) error {
	for _, e := range events {
		if _, err := c.cfg.Journal.Append(tx, e); err != nil {
			return err
		}
	}
	return nil
}

// ensureStartupProbe reports whether the start pattern was seen in the present life, and has the
// output watched for it until it was. Expecting comes first: a match that came before
// this life was known is told by no later callback.
func (c *Controller) ensureStartupProbe(spec desired.Container, st status.Status, run *observed.Container) bool {
	if !run.Running() || spec.StartPattern == "" {
		return false
	}
	if st.Matched.Is(runIDOf(run)) {
		return true
	}
	err := c.cfg.Console.Expect(spec.InternalID, console.Target{ContainerID: run.ContainerID, TTY: run.TTY},
		console.Run{StartedAt: run.StartedAt, Since: run.FinishedAt}, spec.StartPattern)
	if err != nil {
		c.log.Warn("start pattern cannot be watched", "container", spec.InternalID, "error", err)
	}
	return c.cfg.Console.Matched(spec.InternalID, run.ContainerID, run.StartedAt)
}

// startStep sends a step on its way, off the worker. It does not block.
func (c *Controller) startStep(ctx context.Context, spec desired.Container, st status.Status, seen observed.Snapshot, s plan.Step) {
	id := spec.InternalID
	stepping, cancel := context.WithCancel(ctx)
	level := slog.LevelInfo
	c.withState(id, func(k *keyState) {
		k.busy, k.cancel = &s, cancel
		if c.repeats(*k, spec, st, s) {
			level = slog.LevelDebug // it was logged when it was tried first
		}
	})
	c.steps.Go(func() {
		c.log.Log(ctx, level, "step", "container", id, "step", s.Kind, "reason", s.Reason, "generation", spec.Generation)
		defer c.slots.releaseAfter(classOf(s.Kind))()
		defer cancel()
		a := &execution{Controller: c, spec: spec, st: st, seen: seen, step: s, began: time.Now()}
		err := a.execute(engine.WithPorts(stepping, portsOf(spec, seen)))
		c.log.Debug("step ended", "container", id, "step", s.Kind, "took", time.Since(a.began).Round(100*time.Microsecond), "error", err)
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

// repeats reports whether a step is tried again for the spec that it failed for.
func (c *Controller) repeats(k keyState, spec desired.Container, st status.Status, s plan.Step) bool {
	switch s.Kind {
	case plan.CheckHost:
		return k.host.Failures > 0 && k.host.Hash == runHash(spec, st)
	case plan.PullImage:
		return c.cfg.Images.Known(s.Image).PullFailures > 0
	}
	f, failed := k.failures[s.Kind]
	return failed && f.generation == spec.Generation
}

// finishStep keeps how a step ended for the next look at the key, and has that taken. A daemon
// that dies in between takes the step again, which is always safe.
func (c *Controller) finishStep(ctx context.Context, a *execution, err error) {
	id := a.spec.InternalID
	if ctx.Err() != nil {
		return // the daemon stops; the next one looks at the truth
	}
	if a.gone {
		c.forget(id)
		c.Enqueue(id) // somebody may have made it anew meanwhile
		c.TriggerGC()
		return
	}
	if err == nil {
		err = a.checkProgress()
	}
	verdict := a.classify(err)
	now := time.Now()
	// What failed is mended by its own success: that of another step, which may be one of a
	// circle that leads back to it, lets it be tried no sooner.
	mended := false
	c.withState(id, func(k *keyState) {
		k.busy, k.cancel = nil, nil
		k.outcome, k.tried, k.ended, k.next = verdict.patch, 0, k.ended+1, now.Add(verdict.retry)
		if mutatesContainer(a.step.Kind) {
			k.acted = now
		}
		k.failures = maps.Clone(k.failures)
		if k.failures == nil {
			k.failures = map[plan.Kind]failure{}
		}
		before := k.failures[a.step.Kind]
		delete(k.failures, a.step.Kind)
		mended = len(k.failures) == 0 && verdict.retry == 0
		if verdict.retry > 0 {
			k.failures[a.step.Kind] = k.failureOf(a, verdict, before.count+1, now)
		}
		if a.host != nil {
			k.host = a.host.After(k.host)
		}
	})
	if mended {
		c.resetBackoff(id)
	}
	if a.step.Kind == plan.RemoveInstallContainer {
		c.TriggerGC() // the image of the installation before may be waste now
	}
	if mutatesContainer(a.step.Kind) {
		c.cfg.Cache.Refresh(id, a.st.Install.Phase != status.InstallDone)
	} else {
		c.Enqueue(id)
	}
}

// failureOf returns the failure of a step that has just ended. The first one that was overtaken
// since the backoff was reset holds for its own container alone.
func (k *keyState) failureOf(a *execution, v stepResult, count int, now time.Time) failure {
	f := failure{at: now, generation: a.spec.Generation, retry: now.Add(v.retry), count: count}
	if v.stale && !k.overtaken {
		k.overtaken, f.staleTarget = true, a.step.Target
	}
	return f
}

// mutatesContainer reports whether a step changes what Docker shows of a container, so that an
// observation from before its end is worth nothing.
func mutatesContainer(k plan.Kind) bool {
	switch k {
	case plan.PullImage, plan.LoadSnapshot, plan.WriteEntrypoint, plan.CheckHost, plan.ReleasePorts, plan.SaveInstallOutput, plan.KeepInstallation:
		return false
	}
	return true
}
