package check

import (
	"context"
	"fmt"
)

func plainHTTP(_ context.Context, n Node, _ Machine) []Item {
	for _, l := range n.Listeners {
		if l.Network != "tcp" || l.TLS || l.Loopback() {
			continue
		}
		const remedy = "set tls.cert and tls.key, or tls.self_signed: true"
		if n.PlainHTTP {
			return one("listeners", Warning, fmt.Sprintf("%s is plain HTTP beyond this machine: tokens cross the network in the clear", l.URL()), remedy)
		}
		return one("listeners", Fault, fmt.Sprintf("%s is plain HTTP beyond this machine, where the daemon does not start", l.URL()), remedy)
	}
	return one("listeners", OK, "plain HTTP is served on loopback at most", "")
}

func dockerEngine(ctx context.Context, _ Node, m Machine) []Item {
	found, err := m.Engine(ctx)
	if err != nil {
		return one("engine", Fault, fmt.Sprintf("the Docker engine does not answer: %v", err), "start it, or set docker_host; without root, join the group of its socket")
	}
	items := one("engine", OK, fmt.Sprintf("the Docker engine %s answers, with API %s and cgroup v%s", found.Version, found.API, found.Cgroup), "")
	if !found.Has("seccomp") {
		items = append(items, Item{"seccomp", Fault, "the engine confines no container with seccomp: every system call of the kernel is open to them", "use a kernel and an engine with seccomp"})
	} else if found.Has("seccomp", "profile=unconfined") {
		items = append(items, Item{"seccomp", Fault, "the engine's default seccomp profile is unconfined", "remove \"seccomp-profile\" from the engine's daemon.json"})
	} else {
		items = append(items, Item{"seccomp", OK, "containers are confined by seccomp", ""})
	}
	if found.Has("apparmor") || found.Has("selinux") {
		items = append(items, Item{"lsm", OK, "containers are confined by AppArmor or SELinux", ""})
	} else {
		items = append(items, Item{"lsm", Warning, "containers are confined by neither AppArmor nor SELinux", "enable one of them in the kernel, and restart the engine"})
	}
	users := Item{"user-namespaces", OK, "root of containers is no user of this machine (userns-remap, or a rootless engine)", ""}
	if !found.Has("userns") && !found.Has("rootless") {
		users.Text, users.Remedy = "root of containers is root of this machine, without most of its capabilities", "set userns-remap in the engine's daemon.json for one more wall"
	}
	return append(items, users)
}

// readiness shows each detail of the running daemon's readiness as an item of its own: what the daemon
// keeps on this machine, as its network and firewall, is reported there.
func readiness(ctx context.Context, n Node, m Machine) []Item {
	ready, err := m.Ready(ctx)
	if err != nil {
		items := one("daemon", Warning, fmt.Sprintf("the daemon does not answer: %v", err), "start it: systemctl start lightd")
		if n.FirewallOff {
			items = append(items, firewallItem(n, ready))
		}
		return items
	}
	var items []Item
	for _, d := range ready.Missing {
		items = append(items, Item{"daemon/" + d.Field, Fault, d.Field + " " + d.Message, "see the log of the daemon"})
	}
	for _, d := range ready.Warnings {
		if d.Field != "firewall" {
			items = append(items, Item{"daemon/" + d.Field, Warning, d.Field + " " + d.Message, "see the log of the daemon"})
		}
	}
	if len(items) == 0 {
		items = one("daemon", OK, "the daemon is ready", "")
	}
	if n.FirewallOff || len(ready.Missing) == 0 { // else the daemon does not say
		items = append(items, firewallItem(n, ready))
	}
	return items
}
