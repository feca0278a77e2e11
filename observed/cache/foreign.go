package cache

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lightd/observed"
	"lightd/observed/engine"
)

// Foreign returns the containers of other Lightd instances on this engine, as the last
// list had them, sorted by instance and id. They are another daemon's, or of a data
// directory that is lost.
func (c *Cache) Foreign() []observed.Foreign {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.foreign)
}

// ours returns what a list has of our instance, and keeps what it has of others. Those
// are logged once: the containers of a lost data directory keep running.
func (c *Cache) ours(list []engine.Listed) []engine.Listed {
	own := make([]engine.Listed, 0, len(list))
	var foreign []observed.Foreign
	for _, l := range list {
		switch l.Labels[observed.LabelInstance] {
		case c.instance:
			own = append(own, l)
		case "": // no Lightd's, whatever else it is labelled
		default:
			foreign = append(foreign, c.foreignOf(l.ContainerID, strings.Join(l.Names, ", "), l.Labels))
		}
	}
	slices.SortFunc(foreign, func(a, b observed.Foreign) int {
		return cmp.Or(cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.InternalID, b.InternalID), cmp.Compare(a.Name, b.Name))
	})
	c.mu.Lock()
	c.foreign = foreign
	news := len(foreign) > 0 && !c.warned
	c.warned = true
	c.mu.Unlock()
	if news {
		c.log.Warn("containers of other Lightd instances are on this engine; not touched",
			"containers", len(foreign), "instances", summary(foreign))
	}
	return own
}

// summary names the first few instances, and the first few ids of each.
func summary(foreign []observed.Foreign) string {
	ids := map[string][]string{}
	for _, f := range foreign {
		ids[f.Instance] = append(ids[f.Instance], f.InternalID)
	}
	var parts []string
	for _, instance := range slices.Sorted(maps.Keys(ids)) {
		parts = append(parts, instance+": "+first(slices.Compact(ids[instance]), ", "))
	}
	return first(parts, "; ")
}

// first joins the first few of a list and counts the rest.
func first(list []string, with string) string {
	const few = 10
	text := strings.Join(list[:min(few, len(list))], with)
	if more := len(list) - few; more > 0 {
		text += fmt.Sprintf("%sand %d more", with, more)
	}
	return text
}

// foreignOf describes a container that is not ours.
func (c *Cache) foreignOf(containerID, name string, labels map[string]string) observed.Foreign {
	f := observed.Foreign{ContainerID: containerID, Name: name}
	if instance := labels[observed.LabelInstance]; instance != c.instance {
		f.Instance, f.InternalID = instance, labels[observed.LabelID]
	}
	return f
}
