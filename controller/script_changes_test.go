package controller

import (
	"testing"

	"lightd/desired"
	"lightd/observed/engine"
)

// TestWhatAScriptChanged: what Docker itself puts into a container is no reason for a snapshot,
// whatever else is different is one.
func TestWhatAScriptChanged(t *testing.T) {
	const modified, added = engine.ChangeKind(0), engine.ChangeKind(1)
	a := &execution{spec: desired.Container{Spec: desired.Spec{Mount: map[string]desired.Mount{"/opt/game/maps": {Source: "/srv/maps"}}}}}
	for name, c := range map[string]struct {
		change engine.Change
		want   bool
	}{
		"a file":                    {engine.Change{Path: "/usr/tool", Kind: added}, true},
		"home":                      {engine.Change{Path: "/home/container", Kind: added}, false},
		"above home":                {engine.Change{Path: "/home", Kind: modified}, false},
		"beside home":               {engine.Change{Path: "/home/other", Kind: added}, true},
		"data":                      {engine.Change{Path: "/app/data", Kind: added}, false},
		"Docker's own":              {engine.Change{Path: "/etc/resolv.conf", Kind: added}, false},
		"above Docker's own":        {engine.Change{Path: "/etc", Kind: modified}, false},
		"beside Docker's own":       {engine.Change{Path: "/etc/passwd", Kind: modified}, true},
		"a mount":                   {engine.Change{Path: "/opt/game/maps", Kind: added}, false},
		"above a mount":             {engine.Change{Path: "/opt", Kind: added}, false},
		"a removal":                 {engine.Change{Path: "/usr/tool", Kind: engine.Deleted}, true},
		"a removal of Docker's own": {engine.Change{Path: "/etc/mtab", Kind: engine.Deleted}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if a.changedByScript()(c.change) != c.want {
				t.Errorf("changed: %v", !c.want)
			}
		})
	}
}

// TestSnapshotNames: each is read back as it was written, and no other name parses as one.
func TestSnapshotNames(t *testing.T) {
	const instance = "11111111-2222-3333-4444-555555555555"
	for _, id := range []string{"a", "with.dot", "with.7"} {
		if _, got, request, ok := desired.ParseSnapshotRef(desired.SnapshotRef(instance, id, 12)); got != id || request != 12 || !ok {
			t.Errorf("%s came back as %q, %d, %t", id, got, request, ok)
		}
	}
	ours := engine.Repository(instance)
	for _, ref := range []string{
		"", "busybox:latest", "busybox:a.1", "lightd/:a.1", "lightd/x/y:a.1",
		ours + ":latest", ours + ":.1", ours + ":a.", ours + ":a.b",
	} {
		if _, id, request, ok := desired.ParseSnapshotRef(ref); ok {
			t.Errorf("%q parses as request %d of %q", ref, request, id)
		}
	}
}
