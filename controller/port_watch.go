package controller

import (
	"context"
	"slices"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/subscribe"
	"lightd/observed"
	"lightd/observed/status"
)

// portPoll is how often the sockets of the host are read while a container waits for a port.
const portPoll = time.Second

// awaitPorts has the ports of a container watched for as long as it waits for one.
func (c *Controller) awaitPorts(spec desired.Container, st status.Status, run *observed.Container) {
	if c.cfg.HeldPorts == nil {
		return
	}
	var ports []desired.Endpoint
	if st.Get(status.Synced).Reason == status.ReasonPortUnavailable {
		for _, p := range spec.Ports {
			if !portHeldBy(run, p.Endpoint()) {
				ports = append(ports, p.Endpoint())
			}
		}
	}
	c.withState(spec.InternalID, func(k *keyState) { k.awaited = ports })
	if len(ports) > 0 {
		subscribe.Wake(c.portsAwaited)
	}
}

// watchPorts ends the backoff of a container once the sockets that were in its way are closed. A port that is held
// by what has no socket here, or is taken again at once, is tried after the backoff as ever. Nothing is read while
// no container waits.
func (c *Controller) watchPorts(ctx context.Context) {
	poll := time.NewTimer(0)
	defer poll.Stop()
	held := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.portsAwaited:
		case <-poll.C:
		}
		if held = c.retryReleased(held); len(held) > 0 {
			poll.Reset(portPoll)
		}
	}
}

// retryReleased reads which of the containers that wait for a port find one held, and enqueues those that did
// before and do no longer.
func (c *Controller) retryReleased(before map[string]bool) (held map[string]bool) {
	waiting := c.waitingForPorts()
	if len(waiting) == 0 {
		return nil
	}
	sockets := c.cfg.HeldPorts()
	held = make(map[string]bool, len(waiting))
	for id, ports := range waiting {
		held[id] = slices.ContainsFunc(ports, func(e desired.Endpoint) bool { return slices.ContainsFunc(sockets, e.Overlaps) })
		if before[id] && !held[id] {
			c.withState(id, func(k *keyState) {
				k.host.At = time.Time{}
				k.backoff.due(plan.StartContainer, time.Now())
			})
			c.Enqueue(id)
		}
	}
	return held
}

// waitingForPorts returns the ports of each container that waits for one.
func (c *Controller) waitingForPorts() map[string][]desired.Endpoint {
	waiting := map[string][]desired.Endpoint{}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, k := range c.keys {
		if len(k.awaited) > 0 {
			waiting[id] = k.awaited
		}
	}
	return waiting
}
