package controller

import (
	"context"
	"fmt"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/observed"
	"lightd/observed/status"
)

// nodeState is the state of the node for a decision on a container.
func (c *Controller) nodeState(id string, seen observed.Snapshot) plan.Node {
	n := plan.Node{Cordon: c.cfg.Store.Cordon()}
	if n.Cordon == nil || !n.Cordon.Drain || !seen.Run.Running() {
		return n
	}
	next, _ := c.draining(*n.Cordon)
	for _, other := range next {
		n.DrainTurn = n.DrainTurn || other == id
	}
	return n
}

// draining returns the containers of a drain that are being stopped now, or are to be: the first that run, in the
// order of their ids. One that is not known yet counts by its record. left is how many processes and install scripts the drain waits for, those among them; -1
// where that is not known. A start that the engine was asked for counts: it may have happened, or happen yet. A paused spec is left alone, as ever. One whose process outlives SIGKILL keeps no other
// from its turn.
func (c *Controller) draining(cordon desired.Cordon) (now []string, left int) {
	turns := cordon.Parallel
	unknown := false
	for _, spec := range c.cfg.Store.Containers() {
		if spec.Paused {
			continue
		}
		// The step before the observation: one that ends in between leaves it too old.
		k := c.state(spec.InternalID)
		seen := c.cfg.Cache.Get(spec.InternalID)
		st, _ := c.cfg.Statuses.Get(spec.InternalID)
		if k.starts() || !seen.At.After(k.settled) {
			unknown = true
		}
		up := seen.Run.Running()
		if !seen.Known || !seen.EngineUp {
			unknown, up = true, st.State != status.StateOffline
		}
		if seen.Install.Running() {
			left++
		}
		if !up {
			continue
		}
		left++
		killed := st.Stopping != nil && st.Stopping.Killed
		if turns > 0 || killed {
			now = append(now, spec.InternalID)
		}
		if !killed {
			turns--
		}
	}
	if unknown {
		left = -1
	}
	return now, left
}

// noteDrain has the drain go on after a reconcile of a container that holds no turn of it any more.
func (c *Controller) noteDrain(run *observed.Container, st status.Status) {
	cordon := c.cfg.Store.Cordon()
	if cordon == nil || !cordon.Drain || run.Running() && (st.Stopping == nil || !st.Stopping.Killed) {
		return
	}
	c.signalCordon()
}

func (c *Controller) signalCordon() {
	select {
	case c.cordonChanged <- struct{}{}:
	default:
	}
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
	defer c.cfg.Store.SubscribeCordon(func(*desired.Cordon) { c.signalCordon() })()
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
			turns, left := c.draining(*now)
			for _, id := range turns {
				// One whose stop has begun goes on by itself, and would only signal again.
				if st, _ := c.cfg.Statuses.Get(id); st.Stopping == nil {
					c.Enqueue(id)
				}
			}
			drained = left == 0
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
