package files

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// mutate exchanges entries of the volume for links that lead out, for pipes and for directories, until stop.
func (d *disk) mutate() (stop func()) {
	held, err := os.OpenRoot(d.volume)
	d.must(err)
	ended := make(chan struct{})
	var all sync.WaitGroup
	for _, name := range []string{"x", "dir", "dir/x"} {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-ended:
					return
				default:
				}
				_ = held.Rename(name, name+"-away")
				switch i % 4 {
				case 0:
					_ = held.Symlink(filepath.Join(d.outside, "shadow"), name)
				case 1:
					_ = held.Symlink(d.outside, name)
				case 2:
					if name == "x" { // by a path that leads through no link
						_ = unix.Mkfifo(d.path(name), 0o600)
					}
				case 3:
					_ = held.Mkdir(name, 0o700)
				}
				_ = held.Remove(name)
				_ = held.Rename(name+"-away", name)
			}
		})
	}
	return func() {
		close(ended)
		all.Wait()
		_ = held.Close()
	}
}

// TestHostileMutations: while a program swaps files and directories for links and pipes, no operation reads,
// writes or removes anything outside, and none hangs.
func TestHostileMutations(t *testing.T) {
	d := newDisk(t)
	d.must(errors.Join(os.Mkdir(d.path("dir"), 0o755), os.WriteFile(d.path("dir/x"), []byte("inside"), 0o600), os.WriteFile(d.path("x"), []byte("inside"), 0o600)))
	stop := d.mutate()
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			tree, err := d.trees.Open(t.Context(), volumeID)
			if err != nil {
				t.Error(err)
				return
			}
			defer tree.Close()
			for i := range 60 {
				for _, p := range []Path{"x", "dir/x"} {
					d.operate(tree, p, i)
				}
			}
		})
	}
	all.Wait()
	stop()
	d.untouched()
}

// operate does one of everything.
func (d *disk) operate(tree *Tree, p Path, i int) {
	if f, _, err := tree.Open(p); err == nil {
		data, err := io.ReadAll(f)
		_ = f.Close()
		if err != nil || strings.Contains(string(data), "secret") {
			d.t.Errorf("read %q, %v", data, err)
		}
	}
	_, _ = d.write(tree, p, "inside")
	if entries, _, err := tree.List(d.t.Context(), p.Dir(), "", 100); err == nil {
		for _, e := range entries {
			if e.Name == "shadow" {
				d.t.Error("a directory outside was listed")
			}
		}
	}
	_, _ = tree.Stat(p)
	_ = tree.Chmod(p, 0o640)
	_, _ = tree.MakeDirectory(p.Dir()+"/ours", false)
	_, _ = d.write(tree, p.Dir()+"/ours/x", "inside")
	_ = tree.Rename(p.Dir()+"/ours", p.Dir()+"/ours2", i%2 == 0)
	_ = tree.Delete(d.t.Context(), p.Dir()+"/ours2")
	if i%10 == 0 {
		_ = tree.Delete(d.t.Context(), p)
	}
}
