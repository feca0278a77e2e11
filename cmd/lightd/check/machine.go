package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"lightd/observed/engine"
	"lightd/observed/journal"
)

const (
	// clockSlack is how far the newest event may be ahead of the clock: a synchronised clock is set back by less.
	clockSlack = time.Minute
	// timeoutsWithin is the time in which calls of the engine that timed out are counted.
	timeoutsWithin = time.Hour
)

// clock inspects whether the clock of the machine is right, as far as can be known without a peer: the kernel says
// whether something synchronises it, and the past bounds it from below.
func clock(ctx context.Context, n Node, m Machine) []Item {
	const name, remedy = "clock", "set it, and have it synchronised: timedatectl set-ntp true"
	now := m.Now()
	if now.Before(n.Built) {
		return one(name, Fault, fmt.Sprintf("the clock is wrong: it shows %s, and this program was made on %s", now.UTC().Format(time.RFC3339), n.Built.UTC().Format(time.DateOnly)), remedy)
	}
	if events, err := recentEvents(ctx, m); err == nil && len(events) > 0 {
		if newest := slices.MaxFunc(events, func(a, b journal.Event) int { return a.Time.Compare(b.Time) }).Time; newest.After(now.Add(clockSlack)) {
			return one(name, Fault, fmt.Sprintf("the clock is wrong, or was: it shows %s, and an event of the journal is of %s", now.UTC().Format(time.RFC3339), newest.UTC().Format(time.RFC3339)), remedy)
		}
	}
	switch synchronised, err := m.ClockSynchronised(); {
	case err != nil:
		return one(name, Unknown, fmt.Sprintf("whether the clock is synchronised cannot be inspected: %v", err), "see \"timedatectl\"")
	case !synchronised:
		return one(name, Warning, "nothing synchronises the clock: the ends of tokens and certificates go by it", "timedatectl set-ntp true, or install chrony")
	}
	return one(name, OK, "the clock is synchronised", "")
}

// recentEvents asks the daemon of the data directory for the newest events.
func recentEvents(ctx context.Context, m Machine) ([]journal.Event, error) {
	if running, err := m.Running(); err == nil && !running {
		return nil, errNotRunning
	}
	return m.Events(ctx)
}

// timeouts counts the events of calls that the engine has not answered in time.
func timeouts(ctx context.Context, _ Node, m Machine) []Item {
	const name = "engine-timeouts"
	events, err := recentEvents(ctx, m)
	if err != nil {
		return one(name, Unknown, fmt.Sprintf("whether calls of the engine have timed out cannot be inspected: %v", err), askRemedy(err, m))
	}
	events = slices.DeleteFunc(events, func(e journal.Event) bool {
		return m.Now().Sub(e.Time) > timeoutsWithin || !strings.Contains(e.Message, engine.ErrTimeout.Error())
	})
	if len(events) == 0 {
		return one(name, OK, "no call of the engine has timed out in the last hour", "")
	}
	last := events[len(events)-1]
	return one(name, Warning, fmt.Sprintf("%d events of the last hour report that the engine did not answer in time; the last, of %s at %s: %s", len(events), last.InternalID, last.Time.UTC().Format(time.RFC3339), last.Message),
		"see the load and the disks of this machine, and the engine's log: journalctl -u docker")
}

// poolPorts inspects whether other programs hold ports of the pool that are free for containers.
func poolPorts(ctx context.Context, _ Node, m Machine) (items []Item) {
	const name = "pool-ports"
	running, err := m.Running()
	if err == nil && !running {
		err = errNotRunning
	}
	if err != nil {
		return one(name, Unknown, fmt.Sprintf("the pool cannot be inspected: %v", err), askRemedy(err, m))
	}
	if !m.Root {
		return one(name, Unknown, "who holds ports of the pool cannot be inspected", "run the command as root")
	}
	pool, err := m.PoolPorts(ctx)
	if err != nil {
		return one(name, Unknown, fmt.Sprintf("the pool cannot be inspected: %v", err), askRemedy(err, m))
	}
	held := 0
	for _, p := range pool {
		if p.InUse {
			continue
		}
		holder := m.PortHolder(p.Endpoint)
		if holder == "" {
			continue
		}
		if held++; held <= maxListed {
			items = append(items, Item{name, Warning, fmt.Sprintf("the free port %s of the pool is held by %s", p.Endpoint, holder), "end that program, or take the port out of the pool: lightd port delete"})
		}
	}
	if held > maxListed {
		items = append(items, Item{name, Warning, fmt.Sprintf("%d more free ports of the pool are held by other programs", held-maxListed), "find them with \"ss -ltunp\""})
	}
	if held == 0 {
		return one(name, OK, fmt.Sprintf("no other program holds a free port of the pool, which has %d ports", len(pool)), "")
	}
	return items
}

// storageDrivers are the storage drivers of the engine that keep it from work well, each with why.
var storageDrivers = map[string]string{
	"vfs":          "copies the whole image for each container",
	"aufs":         "is no longer supported by Docker",
	"overlay":      "is no longer supported by Docker",
	"devicemapper": "is no longer supported by Docker",
}

// engineHost inspects what the engine stores on, and whether its kernel limits swap.
func engineHost(found engine.Isolation, m Machine) []Item {
	kernel := Item{"kernel", OK, fmt.Sprintf("Linux %s limits the swap of containers", found.Kernel), ""}
	if found.SwapUnlimited {
		kernel.Verdict, kernel.Text = Warning, fmt.Sprintf("Linux %s does not limit the swap of containers: limits.swap of a spec has no effect", found.Kernel)
		kernel.Remedy = "use cgroup v2, or boot with cgroup_enable=memory swapaccount=1"
	}
	storage := Item{"storage-driver", OK, "the engine stores containers with " + found.Storage, ""}
	if found.Storage == "" {
		storage = Item{"storage-driver", Unknown, "the engine does not say with what it stores containers", "see \"docker info\""}
	} else if why, bad := storageDrivers[found.Storage]; bad {
		storage.Verdict, storage.Text, storage.Remedy = Warning, storage.Text+", which "+why, "set storage-driver to overlay2 in the engine's daemon.json; its images and containers are made anew then"
	}
	items := []Item{kernel, storage}
	switch disk, err := m.FileSystem(found.Root); {
	case errors.Is(err, fs.ErrNotExist): // another mount namespace
		items = append(items, Item{"engine-disk", Unknown, fmt.Sprintf("the engine's directory %q is not on this machine's file system", found.Root), "run the command where the engine runs"})
	case err != nil:
		items = append(items, unreadable("engine-disk", err, m)...)
	default:
		items = append(items, room("engine-disk", disk, "the engine", `make room on the engine's disk: "docker system df" shows what has it`))
	}
	return items
}

// volatileKinds are kinds of file system that a data directory should not be on, each with why.
var volatileKinds = map[string]string{
	"tmpfs":   "which is memory: all is lost at a reboot",
	"overlay": "the layer of a container or of a live system: all is lost with it",
	"nfs":     "whose server or network may go away under the database",
	"cifs":    "whose server or network may go away under the database",
	"9p":      "which does not keep what a database needs",
	"fuse":    "which may not keep what a database needs",
}

// fileSystemKind inspects what the data directory is on.
func fileSystemKind(n Node, disk FileSystem) Item {
	const name = "file-system"
	if why, bad := volatileKinds[disk.Kind]; bad {
		return Item{name, Warning, fmt.Sprintf("the data directory is on %s, %s", disk.Kind, why), "move it to a disk of this machine: \"lightd docs data\""}
	}
	return Item{name, OK, n.DataDir + " is on a disk of this machine", ""}
}
