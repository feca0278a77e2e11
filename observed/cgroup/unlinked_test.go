package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"lightd/hack/harness"
)

// unlinkedTree is a container of which this process is the only thread.
func unlinkedTree(t *testing.T) *counter {
	t.Helper()
	return counterOf(t, map[string]string{
		"proc/self/mountinfo": v1, "proc/7/cgroup": "8:pids:/docker/abc\n",
		"sys/fs/cgroup/pids/docker/abc/tasks": "7\n8\n9\n", "sys/fs/cgroup/pids/docker/abc/cgroup.procs": "7\n",
	})
}

func counterOf(t *testing.T, files map[string]string) *counter {
	t.Helper()
	r := tree(t, files)
	must(t, os.Mkdir(filepath.Join(r.root, "proc/8"), 0o755))
	for link, to := range map[string]string{"7/fd": "/proc/self/fd", "8/fd": "/proc/self/fd", "7/map_files": "/proc/self/map_files"} {
		must(t, os.Symlink(to, filepath.Join(r.root, "proc", link)))
	}
	return &counter{reader: r, counts: func(string) bool { return true }, left: maxOpenFiles, counted: map[inode]bool{}}
}

// hold opens a file of 1 MiB and calls fn with it.
func hold(t *testing.T, fn func(*os.File)) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if _, err := file.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	fn(file)
}

var must = harness.Must

// TestUnlinked: a file without a name is counted once, one with a name never.
func TestUnlinked(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*os.File)
		want   int64
	}{
		"a file with a name": {func(*os.File) {}, 0},
		"without one":        {func(f *os.File) { must(t, os.Remove(f.Name())) }, 1 << 20},
		"by another name": {func(f *os.File) {
			must(t, os.Link(f.Name(), f.Name()+"2"))
			must(t, os.Remove(f.Name()))
		}, 0},
		"named as if it had none": {func(f *os.File) { must(t, os.Rename(f.Name(), f.Name()+" (deleted)")) }, 0},
		"mapped and closed": {func(f *os.File) {
			mapped, err := syscall.Mmap(int(f.Fd()), 0, 1<<20, syscall.PROT_READ, syscall.MAP_SHARED)
			must(t, err)
			t.Cleanup(func() { must(t, syscall.Munmap(mapped)) })
			must(t, os.Remove(f.Name()))
			must(t, f.Close())
			if os.Getuid() != 0 {
				t.Skip("only root reads what is mapped")
			}
		}, 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := unlinkedTree(t).unlinked(7, "abc")
			must(t, err)
			hold(t, c.change)
			after, err := unlinkedTree(t).unlinked(7, "abc")
			must(t, err)
			if got := after - before; got < c.want || got > c.want+64<<10 {
				t.Errorf("%d bytes, want %d", got, c.want)
			}
		})
	}
}

func TestUnlinkedIsBounded(t *testing.T) {
	few := unlinkedTree(t)
	few.left = 2
	if _, err := few.unlinked(7, "abc"); !errors.Is(err, ErrTooManyOpen) {
		t.Errorf("got %v", err)
	}
	if n, err := unlinkedTree(t).unlinked(7, "another"); n != 0 || err != nil {
		t.Errorf("of another container: %d, %v", n, err)
	}
}

// TestUnlinkedOfAThread: on version 2, the file is open in the table of another thread alone.
func TestUnlinkedOfAThread(t *testing.T) {
	hold(t, func(f *os.File) {
		must(t, os.Remove(f.Name()))
		c := counterOf(t, map[string]string{
			"proc/self/mountinfo": v2, "proc/7/cgroup": "0::/system.slice/docker-abc.scope\n",
			"sys/fs/cgroup/system.slice/docker-abc.scope/cgroup.threads": "8\n",
		})
		if n, err := c.unlinked(7, "abc"); n < 1<<20 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}
