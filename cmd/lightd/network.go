package main

import (
	"context"
	"log/slog"
	"time"

	"lightd/controller/firewall"
	"lightd/desired"
	"lightd/observed/blueprint"
	"lightd/observed/journal"
)

// What an operator may want of the firewall of containers.
const (
	firewallAuto     = "auto"
	firewallRequired = "required"
	firewallOff      = "off"
)

// network is what containers may reach.
type network struct {
	// Firewall is auto where containers are started without one that cannot be had, required where
	// they are not, and off for none.
	Firewall string `yaml:"firewall"`
	// AllowHostPorts are ports of the host that containers may reach, as in 53, 53/udp or 8000-8010/tcp.
	AllowHostPorts []string `yaml:"allow_host_ports"`
	// Allowed are the networks of the engine that specs may name.
	Allowed []string `yaml:"allowed"`
}

func (n network) check() error {
	switch n.Firewall {
	case firewallAuto, firewallRequired, firewallOff:
	default:
		return badSetting("network.firewall", "network.firewall: %q is not one of auto, required, off", n.Firewall)
	}
	if _, err := firewall.ParsePorts(n.AllowHostPorts); err != nil {
		return badSetting("network.allow_host_ports", "network.allow_host_ports: %v", err)
	}
	for _, name := range n.Allowed {
		if err := desired.CheckAllowedNetwork(name); err != nil {
			return badSetting("network.allowed", "network.allowed: %v", err)
		}
	}
	return nil
}

// bridges returns the interfaces of the networks that the operator has made for containers: those that specs
// may name, and those that containers are on.
func (d *daemon) bridges(ctx context.Context) ([]string, error) {
	names, err := d.controller.OperatorNetworks()
	if err != nil {
		return nil, err
	}
	names = append(names, d.config.allowedNetworks()...)
	if len(names) == 0 {
		return nil, nil
	}
	found, err := d.engine.Networks(ctx, names)
	var interfaces []string
	for _, n := range found {
		if blueprint.NamedMisfit(n) == "" {
			interfaces = append(interfaces, n.Bridge)
		}
	}
	return interfaces, err
}

// newFirewall returns what keeps the firewall of containers. here is true where the engine is on this
// host.
func (d *daemon) newFirewall(n network, here bool) *firewall.Keeper {
	ports, _ := firewall.ParsePorts(n.AllowHostPorts) // checked with the configuration
	c := firewall.Config{
		Table:  firewall.Prefix + d.store.Instance()[:8], // each instance keeps its own: a drop of any is one
		Policy: firewall.Policy{Interface: blueprint.DefaultNetwork.Bridge, HostPorts: ports},
		Off:    n.Firewall == firewallOff, Required: n.Firewall == firewallRequired, Networks: d.bridges, Log: d.log,
		Changed: func(s firewall.State) { d.recordFirewall(s) },
	}
	if !here {
		c.Elsewhere = firewall.ByTCP
	}
	return firewall.New(c)
}

// recordFirewall puts into the journal what happened to the firewall.
func (d *daemon) recordFirewall(s firewall.State) {
	e := journal.Event{Type: journal.FirewallRestored, Message: "before that: " + s.Altered}
	if s.Missing != "" {
		e.Type, e.Message = journal.FirewallMissing, s.Missing
	}
	if err := d.controller.RecordFirewall(context.Background(), e); err != nil {
		d.log.Log(context.Background(), slog.LevelDebug, "firewall event not recorded", "error", err)
	}
}

// firewallMissing is why the firewall of containers is not there, and since when.
func (d *daemon) firewallMissing() (missing string, since time.Time) {
	s := d.firewall.State()
	return s.Missing, s.Since
}
