package controller

import (
	"context"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// keyState is what the controller keeps in memory of a key between two reconciles. It may be lost
// at any time: all that must survive is in the status. Copies share no memory that changes.
type keyState struct {
	running *runningStep
	// settled is when the last step that mutates ended: an observation must be younger.
	settled  time.Time
	backoff  stepBackoff
	progress progress
	host     plan.HostCheck
	// awaited are the ports that a container waits for and does not bind itself, see watchPorts.
	awaited []desired.Endpoint
	// attempt is when what failed or waits is tried again, as of the last decision.
	attempt plan.Attempt
	outcome outcome
	// unacknowledged is a decision whose step was started though its record failed.
	unacknowledged *unacknowledged
	// unrecorded are the events of what is held in memory while the disk is full.
	unrecorded []journal.Event
}

// starts reports whether a process or an install script is being started.
func (k keyState) starts() bool {
	return k.running != nil && (k.running.Kind == plan.StartContainer || k.running.Kind == plan.StartInstallScript)
}

// runningStep is the step of a key that is being executed.
type runningStep struct {
	plan.Step
	cancel context.CancelFunc
	// supersede ends what prepares a start; one that the engine was asked for goes on.
	supersede func()
}

// outcome is what the last step leaves behind for the status, until it is recorded.
type outcome struct {
	// patch is nil when there is nothing to record.
	patch func(*status.Status) []journal.Event
	// step counts the steps of the key, to find out whose outcome was recorded.
	step int
	// version is that of the status which was to have the outcome; 0 while none was written.
	version uint64
}

// persisted reports whether the outcome is in st, though its transaction was not acknowledged in
// time. The controller is the only writer of statuses.
func (o outcome) persisted(st status.Status) bool { return o.version > 0 && st.Version >= o.version }

// unacknowledged is a decision whose transaction failed or was not acknowledged in time.
type unacknowledged struct {
	status status.Status
	events []journal.Event
	// version is that of the status if the transaction was committed after all.
	version uint64
}

// state returns a copy of what is in memory of id.
func (c *Controller) state(id string) keyState {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.keys[id]; k != nil {
		return *k
	}
	return keyState{}
}

// withState calls fn with the state of id under the lock.
func (c *Controller) withState(id string, fn func(*keyState)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.keys[id]
	if k == nil {
		k = &keyState{}
		c.keys[id] = k
	}
	fn(k)
}

// forget drops all memory of a container that is gone.
func (c *Controller) forget(id string) {
	c.mu.Lock()
	delete(c.keys, id)
	c.mu.Unlock()
	c.queue.Forget(id)
	c.cfg.Console.Forget(id)
	c.cfg.Cache.Forget(id)
}
