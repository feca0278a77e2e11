package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"lightd/hack/smalldisk"
)

// TestCopy copies files and trees; links are copied, and nothing behind them.
func TestCopy(t *testing.T) {
	d := newDisk(t)
	d.plant()
	d.must(errors.Join(os.WriteFile(d.path("sub/x"), []byte("x"), 0o600), os.Chmod(d.path("sub"), 0o700)))
	tree := d.tree()
	var skipped []string
	var entries, bytes int64
	report := func(e, b int64) { entries, bytes = entries+e, bytes+b }
	skip := func(name string) { skipped = append(skipped, name) }
	d.must(tree.Copy(t.Context(), "sub", "copy", report, skip))
	if target, _ := os.Readlink(d.path("copy/up")); target != ".." || d.read("copy/x") != "x" || entries != 3 || bytes != 1 || len(skipped) > 0 {
		t.Errorf("%q, %d entries, %d bytes, %q", target, entries, bytes, skipped)
	}
	if info, err := os.Stat(d.path("copy")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	d.must(tree.Copy(t.Context(), "inside.txt", "sub/copied", nil, skip))
	if d.read("sub/copied") != "inside" {
		t.Error("it is another file")
	}
	for _, c := range []struct {
		from, to Path
		want     error
	}{
		{"sub", "sub/x/y", ErrInside}, {Top, "x", ErrTop}, {"sub", Top, ErrTop}, {"sub", "copy", ErrExists}, {"nothing", "x", ErrNotFound},
		{"fifo", "x", ErrNotFile}, {"sub", "nothing/x", ErrNotFound}, {"directory/shadow", "x", ErrNotFile}, {"inside.txt", "directory/x", ErrNotFile},
	} {
		if err := tree.Copy(t.Context(), c.from, c.to, nil, skip); !errors.Is(err, c.want) {
			t.Errorf("%v: %v", c, err)
		}
	}
	d.untouched()
	if _, err := os.Lstat(d.path(Hidden)); err == nil {
		t.Error("something is left")
	}
}

// TestCopyThatEnds, as the disk is full or it is cancelled, leaves nothing.
func TestCopyThatEnds(t *testing.T) {
	dir := smalldisk.Tmpfs(t, 32)
	d := newDiskIn(t, dir)
	d.must(os.Mkdir(d.path("a"), 0o755))
	for i := range 20 {
		d.must(os.WriteFile(d.path(fmt.Sprint("a/", i)), make([]byte, 1<<20), 0o600))
	}
	tree := d.tree()
	var full *NoRoomError
	if err := tree.Copy(t.Context(), "a", "b", nil, nil); !errors.As(err, &full) {
		t.Errorf("on a full disk: %v", err)
	}
	removed := func() {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); smalldisk.Free(t, dir) < 11<<20; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d bytes are free", smalldisk.Free(t, dir))
			}
		}
	}
	removed()
	ctx, cancel := context.WithCancel(t.Context())
	if err := tree.Copy(ctx, "a", "b", func(int64, int64) { cancel() }, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("one that was cancelled: %v", err)
	}
	d.only("a")
	removed()
}

// TestDeepTrees: one that is deeper than is walked through is refused, and deleted all the same.
func TestDeepTrees(t *testing.T) {
	d := newDisk(t)
	at, err := os.OpenRoot(d.volume)
	d.must(err)
	for range 3000 {
		d.must(at.Mkdir("d", 0o755))
		next, err := at.OpenRoot("d")
		d.must(errors.Join(err, at.Close()))
		at = next
	}
	_ = at.Close()
	tree := d.tree()
	if err := tree.Copy(t.Context(), "d", "e", nil, nil); !errors.Is(err, ErrTooDeep) {
		t.Errorf("copy: %v", err)
	}
	if _, _, err := tree.List(t.Context(), Path(strings.Repeat("d/", 1000)+"d"), "", 10); err != nil {
		t.Errorf("list: %v", err)
	}
	d.must(tree.Delete(t.Context(), "d"))
	d.only()
}
