package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"lightd/cmd/lightd/check"
	"lightd/desired"
	"lightd/desired/token"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
	"lightd/observed"
	"lightd/observed/engine"
	"lightd/observed/journal"
)

// maxLogged bounds the containers that a line of the log names.
const maxLogged = 20

// warnBeyond logs which containers have more than the operator allows now.
func (d *daemon) warnBeyond() {
	var specs []desired.Spec
	for _, c := range d.store.Containers() {
		specs = append(specs, c.Spec)
	}
	if ids, _ := check.Beyond(specs, d.store.Rules()); len(ids) > 0 {
		d.log.Warn("containers have more than the configuration allows now, and keep it until they are changed; \"lightd check\" says what",
			"count", len(ids), "containers", strings.Join(ids[:min(len(ids), maxLogged)], " "))
	}
}

// networksEvery is how often it is tried again to compare the list of allowed networks with the engine.
const networksEvery = 2 * time.Second

// warnNetworks logs which networks of the list cannot be used: once the engine answers, and again when the list
// was reloaded.
func (d *daemon) warnNetworks(ctx context.Context) {
	tick := time.NewTicker(networksEvery)
	defer tick.Stop()
	var compared []string
	for {
		if allowed := d.config.allowedNetworks(); !slices.Equal(allowed, compared) {
			if found, err := d.engine.Networks(ctx, allowed); err == nil {
				compared = allowed
				for _, i := range check.AllowedNetworks(allowed, found) {
					if i.Verdict != check.OK {
						d.log.Warn("network.allowed: "+i.Text, "remedy", i.Remedy)
					}
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// engineNetworks returns the networks of the engine that have one of the names.
func (c *config) engineNetworks(ctx context.Context, names []string) (found []observed.Network, err error) {
	err = c.withEngine(ctx, func(ctx context.Context, e *engine.Engine) error {
		found, err = e.Networks(ctx, names)
		return err
	})
	return found, err
}

// storedSpecs asks the running daemon for all specs.
func (c *config) storedSpecs(ctx context.Context) (specs []desired.Spec, err error) {
	err = c.withMaster(func(daemon *client.Client) error {
		all, err := daemon.ListFull(ctx, "")
		for _, one := range all.Containers {
			specs = append(specs, one.Spec().Normalize()) // the answer has words for what a spec leaves out
		}
		return err
	})
	return specs, err
}

// webhooksNow asks the running daemon for its webhooks, volumesNow how many volumes there are.
func (c *config) webhooksNow(ctx context.Context) (all []api.Webhook, err error) {
	err = c.withMaster(func(daemon *client.Client) error {
		all, err = daemon.Webhooks(ctx)
		return err
	})
	return all, err
}

func (c *config) nodeNow(ctx context.Context) (n api.Node, err error) {
	err = c.withMaster(func(daemon *client.Client) error {
		n, err = daemon.Node(ctx)
		return err
	})
	return n, err
}

func (c *config) volumesNow(ctx context.Context) (n int, err error) {
	err = c.withMaster(func(daemon *client.Client) error {
		all, err := daemon.Volumes(ctx)
		n = len(all)
		return err
	})
	return n, err
}

// poolNow asks the running daemon for the pool of ports.
func (c *config) poolNow(ctx context.Context) (pool []desired.PoolPort, err error) {
	err = c.withMaster(func(daemon *client.Client) error {
		pool, err = daemon.Ports(ctx)
		return err
	})
	return pool, err
}

// inspectedEvents is how many events eventsNow returns at most.
const inspectedEvents = 1000

// eventsNow asks the running daemon for the newest events, oldest first.
func (c *config) eventsNow(ctx context.Context) (newest []journal.Event, err error) {
	err = c.withMaster(func(daemon *client.Client) error {
		for e, err := range daemon.Events(ctx, "", 0) {
			if err != nil {
				return err
			}
			if newest = append(newest, e); len(newest) > inspectedEvents {
				newest = newest[1:]
			}
		}
		return nil
	})
	return newest, err
}

// withMaster calls fn with a client of this machine's daemon that has the master token.
func (c *config) withMaster(fn func(*client.Client) error) error {
	secret := c.Token
	if secret == "" {
		var err error
		if secret, err = token.Read(c.TokenFile); err != nil {
			return err
		}
	}
	daemon, err := c.localClient(secret)
	if err != nil {
		return err
	}
	defer daemon.Close()
	return fn(daemon)
}

// localClient returns a client of this machine's daemon.
func (c *config) localClient(secret string) (*client.Client, error) {
	local, err := c.localServer()
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{
		URL: local.Server, Pin: local.Pin, Token: secret, Patience: -1, Timeout: checkTimeout, UserAgent: "lightd/" + version,
	})
}
