package trash

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"lightd/hack/harness"
)

// makeDeep makes a chain of n directories below dir, as a container does it: each from within the
// one before.
func makeDeep(t *testing.T, dir string, n int) {
	t.Helper()
	at, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		if err := at.Mkdir("d", 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := at.OpenRoot("d")
		if err != nil {
			t.Fatal(err)
		}
		_ = at.Close()
		at = next
	}
	_ = at.Close()
}

// TestDeepTree: a tree of 30,000 levels, with 64 descriptors to spare, is gone.
func TestDeepTree(t *testing.T) {
	parent := harness.MemoryDir(t) // making a deep tree on a disk takes ten times as long as all else
	if err := os.Mkdir(filepath.Join(parent, "v"), 0o777); err != nil {
		t.Fatal(err)
	}
	makeDeep(t, filepath.Join(parent, "v"), 30_000)
	root, err := os.OpenRoot(parent)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = 64
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before) }()
	if err := RemoveAll(t.Context(), root, "v"); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestMoveAnswersAtOnce, and what it moved is removed in the background, also after a restart.
func TestMoveAnswersAtOnce(t *testing.T) {
	parent := t.TempDir()
	for d := range 40 {
		dir := filepath.Join(parent, "v", fmt.Sprint(d), "x")
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		for f := range 100 {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(f)), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	root, err := os.OpenRoot(parent)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	trash, err := Open(root, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := trash.Move("v"); err != nil {
		t.Fatal(err)
	}
	if err := trash.Move("v"); err != nil {
		t.Errorf("what is not there: %v", err)
	}
	if _, err := root.Lstat("v"); err == nil {
		t.Error("it is still there")
	}
	if err := trash.Close(); err != nil { // it may be cut off
		t.Fatal(err)
	}
	if trash, err = Open(root, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = trash.Close() }()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		left, err := os.ReadDir(filepath.Join(parent, Name))
		if err == nil && len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("left after a minute: %v, %v", left, err)
		}
	}
}

// TestLinksRaceWithARemoval: while a tree is removed, a program exchanges directories of it for links
// to one outside, and back. Nothing outside is removed.
func TestLinksRaceWithARemoval(t *testing.T) {
	outside := t.TempDir()
	kept := filepath.Join(outside, "sub", "kept")
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 30 {
		parent := t.TempDir()
		for d := range 20 {
			if err := os.MkdirAll(filepath.Join(parent, "v", fmt.Sprint(d), "sub", "sub"), 0o777); err != nil {
				t.Fatal(err)
			}
		}
		// The program holds the directory open, as one that has it mounted does.
		held, err := os.OpenRoot(filepath.Join(parent, "v"))
		if err != nil {
			t.Fatal(err)
		}
		var attacker sync.WaitGroup
		stop := make(chan struct{})
		attacker.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprint(i % 20)
				_ = held.Rename(name, "away"+name)
				_ = held.Symlink(outside, name)
				_ = held.Remove(name)
				_ = held.Rename("away"+name, name)
			}
		})
		root, err := os.OpenRoot(parent)
		if err != nil {
			t.Fatal(err)
		}
		_ = RemoveAll(t.Context(), root, "v") // it may give up: somebody goes on to write
		close(stop)
		attacker.Wait()
		if err := RemoveAll(t.Context(), root, "v"); err != nil {
			t.Error(err)
		}
		_ = held.Close()
		_ = root.Close()
		if _, err := os.Stat(kept); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDirectoryThatIsReplaced by a link is not taken for what the link leads to.
func TestDirectoryThatIsReplaced(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, name := range []string{"tree", "kept"} {
		if err := root.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	was, err := root.Lstat("tree")
	if err != nil {
		t.Fatal(err)
	}
	r := remover{root: root}
	sub, err := r.open("tree", was)
	if err != nil {
		t.Fatal(err)
	}
	_ = sub.Close()
	if err := errors.Join(root.Rename("tree", "elsewhere"), root.Symlink("kept", "tree")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.open("tree", was); !errors.Is(err, errReplaced) {
		t.Errorf("opened what a link leads to: %v", err)
	}
	if err := RemoveAll(t.Context(), root, "tree"); err != nil {
		t.Error(err)
	}
	if _, err := root.Lstat("kept"); err != nil {
		t.Error(err)
	}
}
