package files

import (
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"lightd/desired/projectquota"
	"lightd/hack/smalldisk"
)

// TestRoomBesideAProjectQuota: the kernel shows what is left of a project quota as what is free on the disk. A small
// quota makes no disk full; what exceeds it is told as the quota.
func TestRoomBesideAProjectQuota(t *testing.T) {
	smalldisk.OnProjects(t, func(t *testing.T, base, _ string) {
		d := newDiskIn(t, base)
		fs, err := projectquota.Open(base)
		d.must(err)
		defer func() { d.must(fs.Close()) }()
		top, err := os.Open(d.volume)
		d.must(err)
		_, err = projectquota.Mark(int(top.Fd()), true, projectquota.First)
		d.must(errors.Join(err, fs.Limit(projectquota.First, 20<<20), top.Close()))
		d.trees.Reserve = 64 << 20
		d.trees.Room = kernelRoom{fs}
		tree := d.tree()
		if _, err := d.write(tree, "fits", strings.Repeat("x", 3<<20)); err != nil {
			t.Error(err)
		}
		var full *NoRoomError
		if _, err := d.write(tree, "exceeds", strings.Repeat("x", 18<<20)); !errors.As(err, &full) || !full.Quota {
			t.Errorf("got %v", err)
		}
		if err := tree.CheckRoom(1); err != nil {
			t.Error(err)
		}
		if err := tree.CheckRoom(17<<20 + 1); !errors.As(err, &full) || !full.Quota {
			t.Errorf("room for what is not left: %v", err)
		}
		d.trees.Reserve = math.MaxInt64
		if _, err := d.write(tree, "reserved", "x"); !errors.As(err, &full) || full.Quota {
			t.Errorf("a full disk: %v", err)
		}
	})
}

// kernelRoom is what a project may take.
type kernelRoom struct{ *projectquota.FileSystem }

// Left is that of Room.
func (r kernelRoom) Left(string, int64) (int64, bool) {
	used, limit, err := r.Use(projectquota.First)
	return limit - used, err == nil
}

// Wrote is that of Room.
func (kernelRoom) Wrote(string, int64) {}
