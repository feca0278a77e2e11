package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/kv"
	"lightd/desired/store"
	"lightd/desired/subscribe"
	"lightd/observed/engine"
	"lightd/observed/journal"
	"lightd/observed/status"
)

const (
	// spaceRetry is how often what a full disk keeps from happening is tried again.
	spaceRetry = 4 * time.Second
	// maxUnrecorded bounds the events of a container that wait for room on the disk.
	maxUnrecorded = 100
)

// watchSpace reports, until ctx ends, when the disk of the database becomes low or full and when it
// recovers: in the log, once a change, and in the journal. All containers are reconciled then.
func (c *Controller) watchSpace(ctx context.Context) {
	changed := make(chan struct{}, 1)
	defer c.cfg.Store.SubscribeSpace(func(kv.Space) { subscribe.Wake(changed) })()
	retry := time.NewTimer(0)
	defer retry.Stop()
	logged := kv.SpaceOK
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			c.enqueueAll()
		case <-retry.C:
		}
		now := c.cfg.Store.Space()
		if now.Level != logged {
			c.logSpace(now)
			logged = now.Level
		}
		if err := c.recordSpace(ctx, now); err != nil && ctx.Err() == nil {
			c.log.Debug("the level of the disk is not recorded", "error", err, "retry", spaceRetry)
			retry.Reset(spaceRetry)
		}
	}
}

func (c *Controller) enqueueAll() {
	for _, spec := range c.cfg.Store.Containers() {
		c.Enqueue(spec.InternalID)
	}
}

func (c *Controller) logSpace(now kv.Space) {
	attrs := []any{"level", now.Level, "disk", now.Mount, "free_mib", now.Free >> 20, "needed_mib", now.Needed >> 20}
	switch now.Level {
	case kv.SpaceFull:
		c.log.Warn("the disk of the data directory is full: only what frees space or powers off is written", attrs...)
	case kv.SpaceLow:
		c.log.Warn("the disk of the data directory is low", attrs...)
	default:
		c.log.Info("the disk of the data directory has room again", attrs...)
	}
}

// recordSpace records a level that differs from the last recorded one, with its event. While
// the disk is full every container has a condition that reports it.
func (c *Controller) recordSpace(ctx context.Context, now kv.Space) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DatabaseTimeout)
	defer cancel()
	err := c.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		before, err := c.cfg.Statuses.PutSpace(tx, string(now.Level))
		if err != nil || before == string(now.Level) {
			return err
		}
		e := journal.Event{Type: journal.DiskRecovered, Message: fmt.Sprintf("%d MiB are free on the disk at %s", now.Free>>20, now.Mount)}
		switch {
		case now.Level == kv.SpaceFull:
			e.Type, e.Message = journal.DiskFull, now.Full().Error()
		case now.Level == kv.SpaceLow && before != string(kv.SpaceFull):
			e.Type, e.Message = journal.DiskLow, fmt.Sprintf("%d MiB are free on the disk at %s, below %d MiB", now.Free>>20, now.Mount, now.Needed>>20)
		}
		return c.append(tx.Tx, []journal.Event{e})
	})
	if err != nil {
		return fmt.Errorf("record the level of the disk: %w", err)
	}
	return nil
}

// hold keeps in memory, where readers see it, what a full disk has no room to record. A step whose
// intent must be recorded is left out; see plan.Step.AllowedUnrecorded.
func (c *Controller) hold(id string, in plan.Input, d plan.Decision, k keyState) plan.Decision {
	switch {
	case d.Step == nil:
		d.After = min(spaceRetry, max(d.After, time.Second))
	case d.Step.AllowedUnrecorded(d.Status):
		d.After = 0 // the end of the step reconciles the key again
	default:
		kind := d.Step.Kind
		c.slots.release(kind.Traits().Class)
		d = plan.Observe(in) // without the intent: nothing of it happens
		d.Status, d.After = d.Status.Clone(), spaceRetry
		d.Status.Set(status.Condition{Type: status.Synced, Status: status.False, Reason: status.ReasonDiskFull,
			Message: fmt.Sprintf("%s waits for room on the disk of the data directory", kind), ObservedGeneration: d.Status.ObservedGeneration}, time.Now())
	}
	c.cfg.Statuses.Hold(d.Status)
	c.withState(id, func(have *keyState) {
		have.unacknowledged = nil // it is in what is held
		if have.outcome.step == k.outcome.step {
			have.outcome.patch = nil
		}
		have.unrecorded = append(slices.Clone(have.unrecorded), d.Events...)
		have.unrecorded = have.unrecorded[max(0, len(have.unrecorded)-maxUnrecorded):]
	})
	return d
}

// engineDisk returns what is left on the engine's disk, below the floor with the installations of others.
func (c *Controller) engineDisk(id string) plan.Disk {
	disk := c.cfg.EngineDisk()
	if !disk.BelowFloor() {
		return disk
	}
	disk.Scripts = map[string]status.Install{}
	for _, other := range c.cfg.Store.Containers() {
		st, _ := c.cfg.Statuses.Get(other.InternalID)
		if other.InternalID != id && c.cfg.Cache.Get(other.InternalID).Install != nil {
			disk.Scripts[other.InternalID] = st.Install
		}
	}
	return disk
}

// unheld returns a status without the condition of hold, which hold sets again if the disk is still full.
func unheld(st status.Status) status.Status {
	if synced := st.Get(status.Synced); synced.Reason == status.ReasonDiskFull {
		synced.Reason, synced.Message = status.ReasonProgressing, ""
		st = st.Clone()
		st.Set(synced, time.Now())
	}
	return st
}

// diskFull returns the error to report for one that means a full disk, nil for any other.
func diskFull(err error) error {
	switch {
	case errors.Is(err, desired.ErrDiskFull):
		return err
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("the disk of the data directory is full: %w", err)
	case engine.NoSpace(err):
		return fmt.Errorf("the engine's disk is full: %w", err)
	}
	return nil
}
