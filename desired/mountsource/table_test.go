package mountsource

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/sys/mountinfo"

	"lightd/desired"
)

// TestLocate finds where a path is within its file system.
func TestLocate(t *testing.T) {
	infos, err := mountinfo.GetMountsFromReader(strings.NewReader(`20 1 254:0 / / rw - ext4 /dev/vda rw
31 20 254:0 /srv/a /srv/w rw - ext4 /dev/vda rw
32 20 0:40 / /srv/with\040space rw - tmpfs tmpfs rw
33 32 254:0 /other /srv/with\040space rw - ext4 /dev/vda rw
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	mounts := table(infos)
	for path, want := range map[string]string{
		"/srv/a/x":          "/\x00254:0/srv/a/x",
		"/srv/w":            "/\x00254:0/srv/a",
		"/srv/w/x":          "/\x00254:0/srv/a/x",
		"/srv/wide":         "/\x00254:0/srv/wide",
		"/srv/with space/x": "/\x00254:0/other/x",
		"/":                 "/\x00254:0",
	} {
		if got := mounts.locate(path); got != want {
			t.Errorf("%s is at %q, want %q", path, got, want)
		}
	}
	if got := table(nil).locate("/srv"); got != "" {
		t.Errorf("an unreadable table locates %q", got)
	}
}

// bindMount shows a directory at another path, and skips the test where that is not permitted.
func bindMount(t *testing.T, from, at string) {
	t.Helper()
	if err := syscall.Mount(from, at, "", syscall.MS_BIND, ""); errors.Is(err, syscall.EPERM) {
		t.Skip("not permitted to mount: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(at, 0); err != nil {
			t.Error(err)
		}
	})
}

// TestSourcesBehindABindMount: a bind mount of the host hides neither that sources lie inside one
// another nor that one is in a place that no container may see. The same directory is shared.
func TestSourcesBehindABindMount(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"allowed/x/y", "allowed/w", "allowed/below", "allowed/bm", "data/volumes"} {
		if err := os.MkdirAll(at(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	bindMount(t, at("allowed/x"), at("allowed/w"))
	bindMount(t, at("allowed/x/y"), at("allowed/below"))
	bindMount(t, at("data"), at("allowed/bm"))
	var sources Index
	sources.Add("one", map[string]desired.Mount{"/a": {Source: at("allowed/x")}})
	for source, overlaps := range map[string]bool{"allowed/w/y": true, "allowed/below": true, "allowed/x/y": true, "allowed/w": false, "allowed/x": false} {
		err := sources.Check("two", map[string]desired.Mount{"/b": {Source: at(source)}})
		if errors.Is(err, desired.ErrMountOverlap) != overlaps || !overlaps && err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
	rules := Rules{Allowed: []string{at("allowed")}, Forbidden: []string{at("data")}}
	for name, c := range map[string]struct {
		mounts map[string]desired.Mount
		valid  bool
	}{
		"the data directory":      {map[string]desired.Mount{"/a": {Source: at("allowed/bm")}}, false},
		"below it":                {map[string]desired.Mount{"/a": {Source: at("allowed/bm/volumes")}}, false},
		"nested in one container": {map[string]desired.Mount{"/a": {Source: at("allowed/x")}, "/b": {Source: at("allowed/below")}}, false},
		"the same twice":          {map[string]desired.Mount{"/a": {Source: at("allowed/x")}, "/b": {Source: at("allowed/w")}}, true},
	} {
		if err := Check(desired.Spec{Mount: c.mounts}, rules); (err == nil) != c.valid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
