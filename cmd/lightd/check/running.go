package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"lightd/httpapi/api"
)

// runningSettings compares the settings with those of the running daemon.
func runningSettings(_ context.Context, _ Node, m Machine) []Item {
	const name = "running-settings"
	if running, err := m.Running(); err != nil || !running {
		return nil
	}
	restart, reload, err := m.CompareRunning()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the daemon is of an older version
	} else if err != nil {
		return unreadable(name, err, m)
	}
	var items []Item
	if len(restart) > 0 {
		items = append(items, Item{name, Warning, "the running daemon has other settings, which need a restart: " + strings.Join(restart, ", "), "restart the daemon, or give this command the flags and the environment that it has"})
	}
	if len(reload) > 0 {
		items = append(items, Item{name, Warning, "the running daemon has other settings, which need a reload: " + strings.Join(reload, ", "), "have it read the file again: send it SIGHUP, as systemctl reload lightd does"})
	}
	if len(items) == 0 {
		return one(name, OK, "the running daemon has the settings that are inspected", "")
	}
	return items
}

// webhooks lists those that fail. That the daemon cannot be asked, another item says.
func webhooks(ctx context.Context, _ Node, m Machine) (items []Item) {
	if running, err := m.Running(); err == nil && !running {
		return nil
	}
	all, err := m.Webhooks(ctx)
	if err != nil {
		return nil
	}
	for _, w := range all {
		if w.State == api.WebhookFailing {
			items = append(items, Item{"webhook", Warning, fmt.Sprintf("webhook %s fails: %s", w.Name, w.LastError), "repair what receives it, and then: lightd webhooks retry " + w.Name})
		}
	}
	return items
}

// cordon inspects whether the running daemon holds back what should run.
func cordon(ctx context.Context, _ Node, m Machine) []Item {
	if running, err := m.Running(); err == nil && !running {
		return nil
	}
	n, err := m.Describe(ctx)
	if err != nil || n.Cordon == nil {
		return nil
	}
	text := fmt.Sprintf("the node is cordoned since %s, and %d containers wait", n.Cordon.Since.UTC().Format(time.RFC3339), n.Cordon.Held)
	if n.Cordon.Reason != "" {
		text += ": " + n.Cordon.Reason
	}
	return one("cordon", Warning, text, "once the maintenance is over: lightd uncordon")
}

// exceeded lists the bounds of the node that it is beyond.
func exceeded(ctx context.Context, containers int, n Node, m Machine) (items []Item) {
	add := func(what string, have, most int) {
		if most > 0 && have > most {
			items = append(items, Item{"bounds", Warning, fmt.Sprintf("there are %d %s, and containers.max_%s is %d: no more can be made", have, what, what, most),
				"delete what is not needed, or raise containers.max_" + what})
		}
	}
	add("containers", containers, n.Rules.Limits.MaxContainers)
	if most := n.Rules.Limits.MaxVolumes; most > 0 {
		if have, err := m.Volumes(ctx); err == nil {
			add("volumes", have, most)
		}
	}
	return items
}
