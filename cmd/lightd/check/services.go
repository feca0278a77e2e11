package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"lightd/httpapi/listen"
)

// plainHTTP inspects whether tokens cross a network in the clear.
func plainHTTP(n Node) []Item {
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

// listeners inspects whether the daemon can listen where it is to. One that runs has what is in use.
func listeners(_ context.Context, n Node, m Machine) (items []Item) {
	const name = "listeners"
	running, unknown := m.Running()
	for i, l := range n.Listeners {
		err := m.Listen(l)
		used := errors.Is(err, listen.ErrInUse)
		if err == nil || used && (running || unknown != nil) {
			continue
		}
		if errors.Is(err, fs.ErrPermission) && !m.Root {
			items = append(items, unreadable(name, err, m)...)
			continue
		}
		place := ""
		if i < len(n.ListenPlaces) {
			place = n.ListenPlaces[i]
		}
		remedy := "correct listen in the configuration, or what it names on this machine"
		if used {
			remedy = "find the program with \"ss -ltxnp\" and end it, or listen elsewhere"
		}
		items = append(items, Item{name, Fault, fmt.Sprintf("the daemon does not start: %slisten: %v", place, err), remedy})
	}
	plain := plainHTTP(n)
	if len(items) > 0 && plain[0].Verdict == OK {
		return items
	}
	return append(items, plain...)
}

func dockerEngine(ctx context.Context, n Node, m Machine) []Item {
	found, err := m.Engine(ctx)
	if err != nil {
		items := one("engine", Fault, fmt.Sprintf("the Docker engine does not answer: %v", err), engineRemedy+", or set docker_host; without root, join the group of its socket")
		for _, name := range []string{"seccomp", "lsm", "user-namespaces", "kernel", "storage-driver", "engine-disk"} {
			items = append(items, Item{name, Unknown, "only the engine says, which does not answer", "start the engine"})
		}
		return items
	}
	items := one("engine", OK, fmt.Sprintf("the Docker engine %s answers, with API %s and cgroup v%s", found.Version, found.API, found.Cgroup), "")
	if found.Podman {
		items = one("engine", Warning, fmt.Sprintf("the engine is a Podman %s, with API %s and cgroup v%s: logs have times of whole seconds, and containers of one network are kept apart by the firewall alone",
			found.Version, found.API, found.Cgroup), "see \"lightd docs engines\" for what differs from Docker")
	}
	if info, err := m.Stat(n.DataDir); err == nil && found.Has("rootless") {
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid == 0 {
			items = append(items, Item{"rootless", Fault, "the engine is rootless and the data directory is root's: the engine can mount none of the volumes",
				"run the daemon as the user of the engine, with a data directory of that user"})
		}
	}
	if len(found.Unlimited) > 0 {
		remedy := "use a kernel with these controllers of cgroups"
		if found.Has("rootless") {
			remedy = "delegate the controllers of cgroups to the user of the rootless engine (Delegate=cpu cpuset io memory pids of user@.service)"
		}
		items = append(items, Item{"limits", Warning, "the engine cannot limit what containers use: " + strings.Join(found.Unlimited, ", "), remedy})
	}
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
		users.Text, users.Remedy = "root of containers is root of this machine, without most of its capabilities", "userns-remap in the engine's daemon.json separates them further"
	}
	return append(append(items, users), engineHost(found, m)...)
}

// engineRemedy is for an engine that does not answer.
const engineRemedy = "start the engine, or restart it where it hangs: systemctl status docker"

// readinessRemedy is what to do about a detail of the daemon's readiness.
func readinessRemedy(n Node, field string) string {
	switch field {
	case "engine":
		return engineRemedy
	case "disk":
		return diskRemedy(n)
	}
	return "see the log of the daemon: journalctl -u lightd -n 50"
}

// readiness shows each detail of the running daemon's readiness as an item of its own: what the daemon
// keeps on this machine, as its network and firewall, is reported there.
func readiness(ctx context.Context, n Node, m Machine) []Item {
	var ready Readiness
	running, err := m.Running()
	if err == nil && !running {
		err = fmt.Errorf("none runs on %s", n.DataDir)
	} else {
		ready, err = m.Ready(ctx)
	}
	if err != nil {
		verdict, remedy := Warning, "start it: systemctl start lightd"
		if _, missing := m.Stat(filepath.Join(n.DataDir, "db")); missing == nil && !running {
			verdict, remedy = Fault, remedy+"; where that fails, the last line of its log says why: journalctl -u lightd -n 50"
		} else if running {
			remedy = "give the command the settings that the daemon was started with, or see its log: journalctl -u lightd -n 50"
		}
		items := one("daemon", verdict, fmt.Sprintf("the daemon does not answer: %v", err), remedy)
		if n.FirewallOff {
			items = append(items, firewallItem(n, ready))
		}
		return items
	}
	var items []Item
	for _, d := range ready.Missing {
		items = append(items, Item{"daemon/" + d.Field, Fault, d.Field + " " + d.Message, readinessRemedy(n, d.Field)})
	}
	for _, d := range ready.Warnings {
		if d.Field != "firewall" {
			items = append(items, Item{"daemon/" + d.Field, Warning, d.Field + " " + d.Message, readinessRemedy(n, d.Field)})
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
