package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"lightd/desired"
	"lightd/httpapi/client"
	"lightd/observed"
	"lightd/observed/blueprint"
)

// maxListed bounds the containers that are listed one by one.
const maxListed = 20

// AllowedNetworks inspects the networks that specs may name: those that the engine lacks, and those that
// containers cannot be on. Found are those of the engine.
func AllowedNetworks(allowed []string, found []observed.Network) (items []Item) {
	const name = "network.allowed"
	for _, wanted := range allowed {
		i := slices.IndexFunc(found, func(n observed.Network) bool { return n.Name == wanted })
		if i < 0 {
			items = append(items, Item{name, Warning, fmt.Sprintf("the engine has no network %q: no container on it starts", wanted),
				"docker network create " + wanted + ", or take it off the list"})
		} else if misfit := blueprint.NamedMisfit(found[i]); misfit != "" {
			items = append(items, Item{name, Warning, fmt.Sprintf("no container can be on the network %q: %s", wanted, misfit), "make a local bridge of that name alone, or take it off the list"})
		}
	}
	if len(items) == 0 && len(allowed) > 0 {
		return one(name, OK, "containers can be on "+strings.Join(allowed, ", "), "")
	}
	return items
}

func allowedNetworks(ctx context.Context, n Node, m Machine) []Item {
	if len(n.Rules.AllowedNetworks) == 0 {
		return nil
	}
	found, err := m.Networks(ctx, n.Rules.AllowedNetworks)
	if err != nil {
		return one("network.allowed", Unknown, fmt.Sprintf("it cannot be inspected: %v", err), "start the engine")
	}
	return AllowedNetworks(n.Rules.AllowedNetworks, found)
}

// Beyond returns what containers have that is more than the operator allows now, by container.
func Beyond(specs []desired.Spec, r desired.Rules) (ids []string, fields map[string][]desired.FieldError) {
	fields = map[string][]desired.FieldError{}
	for _, s := range specs {
		var more *desired.ValidationError
		if errors.As(s.Beyond(r), &more) {
			ids, fields[s.InternalID] = append(ids, s.InternalID), more.Fields
		}
	}
	slices.Sort(ids)
	return ids, fields
}

// errNotRunning is what cannot be asked of a daemon.
var errNotRunning = errors.New("no daemon runs on the data directory")

// specsOf asks the daemon of the data directory for the specs; another one may have its address.
func specsOf(ctx context.Context, m Machine) ([]desired.Spec, error) {
	if running, err := m.Running(); err == nil && !running {
		return nil, errNotRunning
	}
	return m.Specs(ctx)
}

// askRemedy is what helps where the daemon cannot be asked with the master token.
func askRemedy(err error, m Machine) string {
	switch {
	case errors.Is(err, errNotRunning):
		return "start it: systemctl start lightd"
	case errors.Is(err, fs.ErrPermission) && !m.Root:
		return "run the command as root while the daemon runs"
	case errors.Is(err, client.ErrUnauthorized):
		return "give the command the settings that the daemon was started with: its master token is another one"
	}
	return "see whether the daemon answers, and with which settings it was started"
}

// beyondAllowed lists the containers that have more than the operator allows now.
func beyondAllowed(ctx context.Context, n Node, m Machine) (items []Item) {
	const name, remedy = "bounds", "change its spec, or what the configuration allows; until then it keeps what it has"
	specs, err := specsOf(ctx, m)
	if err != nil {
		return one(name, Unknown, fmt.Sprintf("what containers have cannot be inspected: %v", err), askRemedy(err, m))
	}
	ids, fields := Beyond(specs, n.Rules)
	beyond := exceeded(ctx, len(specs), n, m)
	if len(ids)+len(beyond) == 0 {
		return one(name, OK, "no container has more than the configuration allows", "")
	}
	for _, id := range ids[:min(len(ids), maxListed)] {
		texts := make([]string, len(fields[id]))
		for i, f := range fields[id] {
			texts[i] = f.Field + " " + f.Message
		}
		items = append(items, Item{name, Warning, fmt.Sprintf("container %s: %s", id, strings.Join(texts, "; ")), remedy})
	}
	if more := ids[len(items):]; len(more) > 0 {
		items = append(items, Item{name, Warning, fmt.Sprintf("%d more: %s", len(more), strings.Join(more, " ")), remedy})
	}
	return append(items, beyond...)
}
