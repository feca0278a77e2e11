package controller

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"lightd/controller/datadir"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/engine"
)

// TestPlaceInTheWordsOfAContainer: another path to the same directory is no difference, a path to
// another one is, though the one that it was made with is gone.
func TestPlaceInTheWordsOfAContainer(t *testing.T) {
	dir := t.TempDir()
	data, err := datadir.Open(filepath.Join(dir, "containers"))
	if err != nil {
		t.Fatal(err)
	}
	if err := data.Make("a"); err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Config{Host: "tcp://nowhere:1", Instance: "i"})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	volume, link, other := filepath.Join(dir, "volume"), filepath.Join(dir, "link"), filepath.Join(dir, "other")
	for _, made := range []string{volume, other} {
		if err := os.Mkdir(made, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	c := &executor{cfg: Config{Docker: Docker{Engine: e}, Host: Host{Data: data, VolumePath: func(string) string { return volume }}}}
	ours := c.hostPaths(desired.Spec{InternalID: "a"})
	theirs := ours
	theirs.Volume, theirs.Data = filepath.Join(link, "volume"), filepath.Join(link, "containers", "a")
	bound := func(volume, data string) *observed.Container {
		return &observed.Container{Config: observed.Config{Mounts: []observed.Mount{{Target: blueprint.Home, Source: volume}, {Target: blueprint.Data, Source: data}}}}
	}
	for name, c2 := range map[string]struct {
		run  *observed.Container
		want blueprint.HostPaths
	}{
		"no container":   {nil, ours},
		"the same paths": {bound(ours.Volume, ours.Data), ours},
		"a link":         {bound(theirs.Volume, theirs.Data), theirs},
		"elsewhere":      {bound(other, filepath.Join(dir, "gone")), ours},
		"no mounts":      {&observed.Container{}, ours},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.hostPathsOf(desired.Spec{InternalID: "a"}, c2.run); !reflect.DeepEqual(got, c2.want) {
				t.Errorf("got %+v, want %+v", got, c2.want)
			}
		})
	}
}
