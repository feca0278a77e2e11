package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"lightd/desired/trash"
	"lightd/hack/harness"
)

const volumeID = "d6764075-c5f1-4045-9fb3-85315b85cb0f"

// disk is a directory of volumes with one volume in it, and a directory beside it that nothing may touch.
type disk struct {
	t       testing.TB
	trees   *Trees
	volume  string
	outside string
	root    *os.Root
	trash   *trash.Trash
}

// OpenRoot is that of Volumes.
func (d *disk) OpenRoot(id string) (*os.Root, error) { return d.root.OpenRoot(id) }

// Discard is that of Volumes.
func (d *disk) Discard(dir *os.File, name string) error { return d.trash.MoveFrom(dir, name) }

// newDisk is in memory where that is a directory: what these tests do is synced thousands of times.
func newDisk(t testing.TB) *disk {
	t.Helper()
	return newDiskIn(t, harness.MemoryDir(t))
}

func newDiskIn(t testing.TB, base string) *disk {
	t.Helper()
	d := &disk{t: t, volume: filepath.Join(base, "volumes", volumeID), outside: filepath.Join(base, "outside")}
	d.must(errors.Join(os.MkdirAll(d.volume, 0o755), os.Mkdir(d.outside, 0o755), os.WriteFile(filepath.Join(d.outside, "shadow"), []byte("secret"), 0o600)))
	var err error
	d.root, err = os.OpenRoot(filepath.Join(base, "volumes"))
	d.must(err)
	d.trash, err = trash.Open(d.root, slog.New(slog.DiscardHandler))
	d.must(err)
	t.Cleanup(func() { _ = errors.Join(d.trash.Close(), d.root.Close()) })
	d.trees = &Trees{Volumes: d}
	return d
}

func (d *disk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// tree opens the tree of the volume for the time of the test.
func (d *disk) tree() *Tree {
	d.t.Helper()
	tree, err := d.trees.Open(context.Background(), volumeID)
	d.must(err)
	d.t.Cleanup(tree.Close)
	return tree
}

func (d *disk) path(name string) string { return filepath.Join(d.volume, name) }

func (d *disk) read(name string) string {
	d.t.Helper()
	data, err := os.ReadFile(d.path(name))
	d.must(err)
	return string(data)
}

// write writes a file through the tree.
func (d *disk) write(tree *Tree, p Path, text string) (Entry, error) {
	e, _, err := tree.Write(context.Background(), p, strings.NewReader(text), Write{Size: int64(len(text))})
	return e, err
}

// untouched fails the test unless what is outside of the volume is as it was.
func (d *disk) untouched() {
	d.t.Helper()
	data, err := os.ReadFile(filepath.Join(d.outside, "shadow"))
	entries, listed := os.ReadDir(d.outside)
	info, stated := os.Stat(filepath.Join(d.outside, "shadow"))
	if errors.Join(err, listed, stated) != nil || string(data) != "secret" || len(entries) != 1 || info.Mode().Perm() != 0o600 {
		d.t.Fatalf("outside: %q, %v, %v, %v", data, entries, info, errors.Join(err, listed, stated))
	}
}

// only fails the test if the volume holds anything but the names.
func (d *disk) only(names ...string) {
	d.t.Helper()
	entries, err := os.ReadDir(d.volume)
	d.must(err)
	var have []string
	for _, e := range entries {
		have = append(have, e.Name())
	}
	if strings.Join(have, " ") != strings.Join(names, " ") {
		d.t.Errorf("the volume has %q, want %q", have, names)
	}
}

// plant makes what hostile programs put into their volumes.
func (d *disk) plant() {
	d.t.Helper()
	d.must(errors.Join(
		os.Symlink(filepath.Join(d.outside, "shadow"), d.path("absolute")), os.Symlink("../../outside/shadow", d.path("relative")),
		os.Symlink("../../outside", d.path("directory")), os.Symlink("loop", d.path("loop")), os.Symlink("inside.txt", d.path("link")),
		os.WriteFile(d.path("inside.txt"), []byte("inside"), 0o640), unix.Mkfifo(d.path("fifo"), 0o666),
		os.Mkdir(d.path("sub"), 0o755), os.Symlink("..", d.path("sub/up")), os.Symlink("/", d.path("slash")),
	))
	if os.Geteuid() == 0 {
		if err := unix.Mknod(d.path("device"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil && !errors.Is(err, fs.ErrPermission) {
			d.t.Fatal(err)
		}
	}
}

// endless is a body that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// failing fails after what it has.
func failing(text string) io.Reader {
	return io.MultiReader(strings.NewReader(text), errorReader{errors.New("the client has gone")})
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }
