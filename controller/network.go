package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/engine"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// ensureNetwork makes the network that containers are on, where it is missing: `docker network prune`
// removes it while no container runs. One of its name that is otherwise is never used: it is replaced
// where Lightd made it and nothing is connected to it. An error of it blocks the step.
func (e *executor) ensureNetwork(ctx context.Context) (observed.Network, error) {
	have, exists, err := e.cfg.Engine.Network(ctx, e.cfg.Network.Name)
	if err != nil {
		return have, err
	}
	if exists && e.cfg.Network.Misfit(have) == "" {
		e.fitting.Store(&have)
		return have, nil
	}
	return e.makeNetwork(ctx)
}

// knownNetwork returns Lightd's network as it was last listed where a container is connected to that very one, else
// nil. An engine starts a container on the network whose id it holds, and changes no network that there is: no
// other listing could show another one by that id, but that it is gone, which a start shows too.
func (e *executor) knownNetwork(c *observed.Container) *observed.Network {
	if fit := e.fitting.Load(); fit != nil && c.NetworkMode == fit.Name && c.NetworkID == fit.NetworkID {
		return fit
	}
	return nil
}

// networkOf returns the network that a container is made on, or started on. Lightd's own is made where it is
// missing, one of the operator's is waited for.
func (e *executor) networkOf(ctx context.Context, name string) (observed.Network, error) {
	switch name {
	case e.cfg.Network.Name:
		return e.ensureNetwork(ctx)
	case desired.NetworkNone, blueprint.EarlierNetwork:
		return observed.Network{}, nil
	}
	have, exists, err := e.cfg.Engine.Network(ctx, name)
	if err != nil {
		return observed.Network{}, err
	}
	misfit := "the engine has none of that name"
	if exists {
		misfit = blueprint.NamedMisfit(have)
	}
	if misfit != "" {
		return observed.Network{}, blockedError{status.ReasonNetworkUnavailable,
			fmt.Errorf("the operator's network %s cannot be used: %s", name, misfit)}
	}
	return have, nil
}

// makeNetwork makes the network, or replaces it. Steps make it one at a time, and find what another one has
// made meanwhile.
func (e *executor) makeNetwork(ctx context.Context) (observed.Network, error) {
	select {
	case e.networking <- struct{}{}:
		defer func() { <-e.networking }()
	case <-ctx.Done():
		return observed.Network{}, context.Cause(ctx)
	}
	want := e.cfg.Network
	have, exists, err := e.cfg.Engine.Network(ctx, want.Name)
	if err != nil {
		return observed.Network{}, err
	}
	misfit := want.Misfit(have)
	switch {
	case !exists:
		return e.createNetwork(ctx, "")
	case misfit == "":
		return have, nil
	case !have.Marked:
		return observed.Network{}, blockedError{status.ReasonNetworkUnavailable,
			fmt.Errorf("the network %s is not Lightd's, and %s: remove it, and it is made again", want.Name, misfit)}
	}
	switch err := e.cfg.Engine.RemoveNetwork(ctx, have.NetworkID); engine.Classify(err) {
	case engine.None, engine.NotFound:
		return e.createNetwork(ctx, misfit)
	case engine.Unavailable:
		return observed.Network{}, err
	default:
		return observed.Network{}, blockedError{status.ReasonNetworkUnavailable,
			fmt.Errorf("the network %s was altered, %s, and it cannot be replaced: %w", want.Name, misfit, err)}
	}
}

// createNetwork creates the network, in the place of one that differed in misfit.
func (e *executor) createNetwork(ctx context.Context, misfit string) (observed.Network, error) {
	made := e.cfg.Network.AsCreated()
	var err error
	made.NetworkID, err = e.cfg.Engine.CreateNetwork(ctx, made)
	switch engine.Classify(err) {
	case engine.None:
		e.log.Info("network created", "network", made.Name, "interface", made.Bridge, "replaced", misfit)
		return made, nil
	case engine.Unavailable, engine.Conflict: // another daemon may have created it meanwhile
		return observed.Network{}, err
	}
	if another, ok := e.awaitNetwork(ctx); ok {
		return another, nil
	}
	if other, exists, _ := e.cfg.Engine.NetworkOn(ctx, made.Bridge); exists && other.Name != made.Name {
		whose := "remove that"
		if other.Marked {
			whose = "a Lightd with other settings made it, and instances on one engine need the same"
		}
		err = fmt.Errorf("the network %s cannot be made, as its interface %s is that of the network %s: %s", made.Name, made.Bridge, other.Name, whose)
	}
	return observed.Network{}, blockedError{status.ReasonNetworkUnavailable, err}
}

// awaitNetwork waits for up to 2 s for a network that another daemon of this engine is creating: Docker
// refuses a second one with the bridge of the first before it shows the first.
func (e *executor) awaitNetwork(ctx context.Context) (have observed.Network, fits bool) {
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 2*time.Second, true, func(ctx context.Context) (exists bool, err error) {
		have, exists, err = e.cfg.Engine.Network(ctx, e.cfg.Network.Name)
		return exists, err
	})
	return have, err == nil && e.cfg.Network.Misfit(have) == ""
}

// connectable makes sure that the network of a container that is about to be started is there, unless it is
// known, and that the container is connected to it and not to an earlier one of its name.
func (e *executor) connectable(ctx context.Context, c *observed.Container, known *observed.Network) error {
	var have observed.Network
	var err error
	if known != nil {
		have = *known
	} else if have, err = e.networkOf(ctx, c.NetworkMode); err != nil || have.NetworkID == "" {
		return err
	}
	if e.cfg.Firewall != nil {
		var gateways []string
		if have.Name == e.cfg.Network.Name {
			gateways = have.Gateways
		}
		if err := e.cfg.Firewall.Ensure(gateways...); err != nil {
			return blockedError{status.ReasonNetworkUnavailable, err}
		}
	}
	if c.NetworkID == "" || c.NetworkID == have.NetworkID || c.Running() {
		return nil
	}
	e.log.Info("container connected to the new network of its name", "container", c.Name, "docker_id", c.ContainerID, "network", have.Name)
	return e.cfg.Engine.Rejoin(ctx, c.ContainerID, have.Name)
}

// OperatorNetworks returns the names of the networks, besides Lightd's own, that containers are on or will be:
// those that specs name, and those that running containers are connected to, whatever their specs name by now.
// The error is that the engine has not shown the containers.
func (c *Controller) OperatorNetworks() ([]string, error) {
	if up, _ := c.cfg.EngineHealth.Up(); !up {
		return nil, errors.New("the containers of the engine are not known")
	}
	names := map[string]bool{}
	for _, spec := range c.cfg.Store.Containers() {
		names[spec.Network] = true
	}
	for _, id := range c.cfg.Cache.IDs() {
		seen := c.cfg.Cache.Get(id)
		for _, have := range []*observed.Container{seen.Run, seen.Install} {
			if !have.Running() {
				continue
			}
			for _, name := range have.Networks {
				names[name] = true
			}
		}
	}
	for _, own := range []string{"", desired.NetworkNone, blueprint.EarlierNetwork, c.cfg.Network.Name} {
		delete(names, own)
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// RecordFirewall records an event of the node about the firewall.
func (c *Controller) RecordFirewall(ctx context.Context, e journal.Event) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DatabaseTimeout)
	defer cancel()
	err := c.cfg.Store.Update(ctx, func(tx *store.Tx) error { return c.append(tx.Tx, []journal.Event{e}) })
	if err != nil {
		return fmt.Errorf("record how the firewall stands: %w", err)
	}
	return nil
}
