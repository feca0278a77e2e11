package controller

import (
	"lightd/controller/plan"
	"lightd/desired"
)

// Simulate returns what the controller would do if the spec were as given, as far as is
// known. It has no effect.
func (c *Controller) Simulate(spec desired.Container) plan.Simulation {
	return plan.Simulate(c.known(spec))
}

// NextAttempt returns when what has failed, or waits for an external change, is retried; the zero
// Attempt when nothing is. It has no effect.
func (c *Controller) NextAttempt(id string) plan.Attempt {
	return c.state(id).attempt
}

// Drift returns where the container differs from a spec, with the step that resolves each, and
// whether the engine can be reached. It has no effect.
func (c *Controller) Drift(spec desired.Container) (fields []plan.Field, known bool) {
	return plan.Drift(c.known(spec))
}

// known is the input of a decision as far as memory has it.
func (c *Controller) known(spec desired.Container) plan.Input {
	id := spec.InternalID
	spec.Limits = spec.Limits.Within(c.cfg.Cores)
	seen := c.cfg.Cache.Get(id)
	st, _ := c.cfg.Statuses.Get(id)
	return c.buildInput(spec, st, seen, c.state(id), c.cfg.Images.Known)
}
