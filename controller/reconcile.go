package controller

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/observed"
	"lightd/observed/console"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// reconcile looks at one key and takes at most one step. It returns when to look again.
func (c *Controller) reconcile(ctx context.Context, id string) (after time.Duration, err error) {
	spec, exists := c.cfg.Store.Container(id)
	if !exists {
		c.slots.withdraw(id)
		return 0, nil
	}
	var k keyState
	c.key(id, func(have *keyState) { k = *have })
	if k.busy {
		return 0, nil // the end of the step puts the key back
	}
	seen := c.cfg.Sight.Get(id)
	if !seen.Known || !seen.EngineUp || !seen.At.After(k.acted) {
		c.cfg.Sight.Refresh(id)
		return 0, nil // the cache puts the key back when it has looked
	}
	in := c.gather(spec, seen, k)
	d := plan.Decide(in)
	class := classFree
	if d.Step != nil {
		class = classOf(d.Step.Kind)
		if left := time.Until(k.retry); d.Step.Kind == k.failed && left > 0 {
			d, after = plan.Observe(in), left
		} else if !c.slots.admit(id, class) {
			d = plan.Observe(in)
		}
	} else {
		c.slots.withdraw(id)
		after = d.After
	}
	if err := c.commit(ctx, in.Status, d); err != nil {
		if d.Step != nil {
			c.slots.release(class)
		}
		return 0, err
	}
	c.expect(spec, d.Status, seen)
	if d.Step != nil {
		c.begin(ctx, spec, d.Status, seen, *d.Step)
	}
	return after, nil
}

// gather reads all that a decision rests on.
func (c *Controller) gather(spec desired.Container, seen observed.Snapshot, k keyState) plan.Input {
	st, _ := c.cfg.Statuses.Get(spec.InternalID)
	in := plan.Input{
		Spec: spec, Status: st, Seen: seen, Host: k.host,
		Image:          c.cfg.Images.Image(spec.Image),
		EntrypointOK:   c.cfg.Data.EntrypointOK(spec.Spec),
		Now:            time.Now(),
		InstallTimeout: c.cfg.InstallTimeout,
		Jitter:         rand.Float64(),
	}
	if st.Install.Snapshot != "" {
		in.Snapshot = c.cfg.Images.Image(st.Install.Snapshot)
	}
	if run := seen.Run; run.Up() && spec.StartPattern != "" {
		in.Matched = c.cfg.Console.Matched(spec.InternalID, run.ContainerID, run.StartedAt)
	}
	return in
}

// commit records a decision: the status and its events, or neither. An unchanged
// status is not written.
func (c *Controller) commit(ctx context.Context, before status.Status, d plan.Decision) error {
	if len(d.Events) == 0 && reflect.DeepEqual(before, d.Status) {
		return nil
	}
	return c.record(ctx, d.Status, d.Events)
}

func (c *Controller) record(ctx context.Context, st status.Status, events []journal.Event) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DatabaseTimeout)
	defer cancel()
	err := c.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if err := c.cfg.Statuses.Put(tx, st); err != nil {
			return err
		}
		return c.append(tx, events)
	})
	if err != nil {
		return fmt.Errorf("record status of container %s: %w", st.InternalID, err)
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

// expect has the output of a process watched whose start pattern has not matched yet.
func (c *Controller) expect(spec desired.Container, st status.Status, seen observed.Snapshot) {
	run := seen.Run
	if !run.Up() || spec.StartPattern == "" || st.Matched.Is(st.Run) {
		return
	}
	since := run.FinishedAt
	err := c.cfg.Console.Expect(spec.InternalID, console.Target{ContainerID: run.ContainerID, TTY: run.TTY},
		console.Run{StartedAt: run.StartedAt, Since: since}, spec.StartPattern)
	if err != nil {
		c.log.Warn("start pattern cannot be watched", "container", spec.InternalID, "error", err)
	}
}

// begin sends a step on its way, off the worker.
func (c *Controller) begin(ctx context.Context, spec desired.Container, st status.Status, seen observed.Snapshot, s plan.Step) {
	id := spec.InternalID
	c.key(id, func(k *keyState) { k.busy = true })
	c.log.Info("step", "container", id, "step", s.Kind, "reason", s.Reason, "generation", spec.Generation)
	c.steps.Go(func() {
		defer c.slots.release(classOf(s.Kind))
		a := &act{Controller: c, spec: spec, st: st, seen: seen, step: s}
		began := time.Now()
		err := a.take(ctx)
		c.log.Debug("step ended", "container", id, "step", s.Kind, "took", time.Since(began).Round(100*time.Microsecond), "error", err)
		c.end(ctx, a, err)
	})
}

// end records how a step ended and has the key looked at again.
func (c *Controller) end(ctx context.Context, a *act, err error) {
	id := a.spec.InternalID
	if ctx.Err() != nil {
		return // the daemon stops; the next one looks at the truth
	}
	if a.gone {
		c.forget(id)
		c.Enqueue(id) // somebody may have made it anew meanwhile
		c.Nudge()
		return
	}
	verdict := a.judge(err)
	if recordErr := c.conclude(ctx, a, verdict); recordErr != nil {
		c.log.Error("result of a step not recorded", "container", id, "step", a.step.Kind, "error", recordErr)
		verdict.retry = max(verdict.retry, c.limiter.When(id))
	}
	now := time.Now()
	c.key(id, func(k *keyState) {
		k.busy, k.failed, k.retry = false, "", time.Time{}
		if touches(a.step.Kind) {
			k.acted = now
		}
		if verdict.retry > 0 {
			k.failed, k.retry = a.step.Kind, now.Add(verdict.retry)
		}
		if a.host != nil {
			k.host = *a.host
		}
	})
	if verdict.retry > 0 {
		c.queue.AddAfter(id, verdict.retry)
	} else {
		c.limiter.Forget(id)
	}
	if touches(a.step.Kind) {
		c.cfg.Sight.Refresh(id)
	}
	c.Enqueue(id)
}

// touches reports whether a step changes what Docker shows of a container, so that an
// observation from before its end is worth nothing.
func touches(k plan.Kind) bool {
	switch k {
	case plan.PullImage, plan.WriteEntrypoint, plan.CheckHost, plan.ReleasePorts, plan.SaveInstallOutput, plan.KeepInstallation:
		return false
	}
	return true
}

// conclude records what a step left behind, if it is anything.
func (c *Controller) conclude(ctx context.Context, a *act, v verdict) error {
	before, _ := c.cfg.Statuses.Get(a.spec.InternalID)
	after := before.Clone()
	var events []journal.Event
	if v.patch != nil {
		events = v.patch(&after)
	}
	return c.commit(ctx, before, plan.Decision{Status: after, Events: events})
}
