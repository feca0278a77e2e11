package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/desired/subscribe"
	"lightd/observed"
	"lightd/observed/status"
)

// nodeState is the state of the node for a decision on a container.
func (c *Controller) nodeState(id string, seen observed.Snapshot) plan.Node {
	n := plan.Node{Cordon: c.cfg.Store.Cordon()}
	if n.Cordon != nil && n.Cordon.Drain && seen.Run.Running() {
		n.DrainTurn = slices.Contains(drainTurns(c.drainHolders(), n.Cordon.Parallel), id)
	}
	return n
}

// drainHolder is a container that a drain waits for.
type drainHolder struct {
	id string
	// process is true while its process runs, killed once that was sent SIGKILL, and script while its install script
	// runs. Of a container that is not observed the record counts, and none of them may be true.
	process, killed, script bool
	reason                  status.DrainReason
}

// drainHolders returns what a drain waits for, in the order of their ids: each container that may have a process or an
// install script. A start that the engine was asked for counts: it may have happened, or happen yet. A paused spec
// is left alone, as ever.
func (c *Controller) drainHolders() (holders []drainHolder) {
	for _, spec := range c.cfg.Store.Containers() {
		if spec.Paused {
			continue
		}
		// The step before the observation: one that ends in between leaves it too old.
		k := c.state(spec.InternalID)
		seen := c.cfg.Cache.Get(spec.InternalID)
		st, _ := c.cfg.Statuses.Get(spec.InternalID)
		h := drainHolder{id: spec.InternalID, process: seen.Run.Running(), killed: st.Stopping != nil && st.Stopping.Killed, script: seen.Install.Running()}
		unobserved := !seen.Known || !seen.EngineUp
		if unobserved {
			h.process, h.script = recordedRunning(st)
		}
		switch {
		case k.starts():
			h.reason = status.DrainStarting
		case unobserved || !seen.At.After(k.settled):
			h.reason = status.DrainUnobserved
		case h.process && h.killed:
			h.reason = status.DrainKilled
		case h.process && st.Stopping != nil:
			h.reason = status.DrainStopping
		case h.process:
			h.reason = status.DrainRunning
		case h.script:
			h.reason = status.DrainInstalling
		default:
			continue
		}
		holders = append(holders, h)
	}
	return holders
}

// recordedRunning reports whether a process and an install script run by what is recorded. A script whose start was
// recorded and did not happen is held back.
func recordedRunning(st status.Status) (process, script bool) {
	process = st.State == status.StateStarting || st.State == status.StateRunning || st.State == status.StateStopping
	return process, st.Install.Phase == status.InstallScript && !st.Get(status.Synced).Reason.HeldByNode()
}

// drainTurns returns the containers that are being stopped now, or are to be: the first that run. One whose process
// outlives SIGKILL keeps no other from its turn.
func drainTurns(holders []drainHolder, parallel int) (turns []string) {
	for _, h := range holders {
		switch {
		case !h.process:
		case h.killed:
			turns = append(turns, h.id)
		case parallel > 0:
			turns = append(turns, h.id)
			parallel--
		}
	}
	return turns
}

// Drain returns what a drain waits for, or would wait for while there is none. It is over once nothing remains.
func (c *Controller) Drain() (d status.Drain) {
	for _, h := range c.drainHolders() {
		d.Remaining = append(d.Remaining, status.DrainHolder{InternalID: h.id, Reason: h.reason})
		if h.process {
			d.Running++
		}
		if h.script {
			d.Running++
		}
	}
	return d
}

// noteDrain has the drain go on after a reconcile of a container that holds no turn of it any more.
func (c *Controller) noteDrain(run *observed.Container, st status.Status) {
	cordon := c.cfg.Store.Cordon()
	if cordon == nil || !cordon.Drain || run.Running() && (st.Stopping == nil || !st.Stopping.Killed) {
		return
	}
	subscribe.Wake(c.cordonChanged)
}

// checkCordon refuses a step that was decided on before the node was cordoned, and that no cordoned node takes.
func (a *execution) checkCordon() error {
	switch kind := a.step.Kind; {
	case a.cfg.Store.Cordon() == nil, a.spec.Deleting, kind.Traits().Cordoned:
	case kind == plan.StopContainer, kind == plan.KillContainer, kind == plan.UnpauseContainer:
	default:
		return errSuperseded
	}
	return nil
}

// watchCordon has all containers reconciled when the node is cordoned or uncordoned, carries a drain on, and records
// both, until ctx ends.
func (c *Controller) watchCordon(ctx context.Context) {
	defer c.cfg.Store.SubscribeCordon(func(*desired.Cordon) { subscribe.Wake(c.cordonChanged) })()
	retry := time.NewTimer(0)
	defer retry.Stop()
	last := c.cfg.Store.Cordon()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.cordonChanged:
		case <-retry.C:
		}
		now, drained := c.cfg.Store.Cordon(), false
		if now != last {
			c.enqueueAll()
			last = now
		}
		if now != nil && now.Drain {
			holders := c.drainHolders()
			for _, id := range drainTurns(holders, now.Parallel) {
				// One whose stop has begun goes on by itself, and would only signal again.
				if st, _ := c.cfg.Statuses.Get(id); st.Stopping == nil {
					c.Enqueue(id)
				}
			}
			drained = len(holders) == 0
		}
		if err := c.recordCordon(ctx, drained); err != nil && ctx.Err() == nil {
			c.log.Warn("cannot record the cordon of the node", "error", err, "retry", spaceRetry)
			retry.Reset(spaceRetry)
		}
	}
}

// recordCordon records the cordon where that is not what was last recorded, with the events of the difference.
func (c *Controller) recordCordon(ctx context.Context, drained bool) error {
	if have := c.cfg.Statuses.Node(); have.Same(status.NodeStatus{Cordon: c.cfg.Store.Cordon(), Drained: have.Drained || drained}) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DatabaseTimeout)
	defer cancel()
	err := c.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		cordon, err := tx.Cordon()
		if err != nil {
			return err
		}
		events, err := c.cfg.Statuses.PutNode(tx.Tx, status.NodeStatus{Cordon: cordon, Drained: drained && cordon != nil && cordon.Drain})
		if err != nil {
			return err
		}
		return c.append(tx.Tx, events)
	})
	if err != nil {
		return fmt.Errorf("record the cordon of the node: %w", err)
	}
	return nil
}
