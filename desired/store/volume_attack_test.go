package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lightd/desired/trash"
)

// newVolume returns a new volume, with all there are.
func newVolume(t *testing.T) (*Volumes, Volume) {
	t.Helper()
	s := open(t, t.TempDir(), Options{})
	v, err := s.Volumes(t.Context(), t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, v.Close()) })
	made, err := v.Create(t.Context(), Creator{})
	must(t, err)
	return v, made
}

// exchange swaps what two names of a directory lead to, of all pairs in turn, until the test ends.
func exchange(t *testing.T, pairs [][2]string) {
	var swapping sync.WaitGroup
	stop := make(chan struct{})
	swapping.Go(func() {
		for {
			for _, p := range pairs {
				select {
				case <-stop:
					return
				default:
				}
				// A name that an exchange before has moved away is left alone.
				_ = unix.Renameat2(unix.AT_FDCWD, p[0], unix.AT_FDCWD, p[1], unix.RENAME_EXCHANGE)
			}
		}
	})
	t.Cleanup(func() { close(stop); swapping.Wait() })
}

// TestSizeWhileDirectoriesAreExchangedForLinks: directories that become links to where they are, between
// the reading of their names and their opening, do not multiply what is in them.
func TestSizeWhileDirectoriesAreExchangedForLinks(t *testing.T) {
	v, made := newVolume(t)
	const n = 1_000
	var pairs [][2]string
	for i := range n {
		pair := [2]string{filepath.Join(made.Path, fmt.Sprint("d", i)), filepath.Join(made.Path, fmt.Sprint("l", i))}
		must(t, errors.Join(os.Mkdir(pair[0], 0o755), os.WriteFile(filepath.Join(pair[0], "f"), []byte("x"), 0o600), os.Symlink(".", pair[1])))
		pairs = append(pairs, pair)
	}
	exchange(t, pairs)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range 5 {
		if size, err := sizeOf(ctx, v, made.ID); err != nil || size > n {
			t.Fatalf("size %d of %d files: %v", size, n, err)
		}
	}
}

// TestSizeWhileDirectoriesMove: directories that are moved in and out of one another are walked through
// once, and one that is moved away from below the walk does not lead it out of the volume.
func TestSizeWhileDirectoriesMove(t *testing.T) {
	v, made := newVolume(t)
	const wide, deep = 50, 50
	var pairs [][2]string
	for i := range wide {
		dir := filepath.Join(made.Path, fmt.Sprint(i))
		must(t, os.Mkdir(dir, 0o755))
		descend(t, dir, deep, func(*os.Root) {})
		if i > 0 {
			pairs = append(pairs, [2]string{filepath.Join(made.Path, fmt.Sprint(i-1), "d/d/d"), filepath.Join(dir, "d")})
		}
	}
	exchange(t, pairs)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range 5 {
		if size, err := sizeOf(ctx, v, made.ID); err != nil || size > wide*deep {
			t.Fatalf("size %d of %d files: %v", size, wide*deep, err)
		}
	}
	t.Cleanup(func() { _ = trash.RemoveAll(context.Background(), v.root, made.ID) })
}

// TestWalkLimits: a walk of more than its limits ends with an error, and holds no descriptor.
func TestWalkLimits(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"a/b/c", "d", "e"} {
		must(t, os.MkdirAll(filepath.Join(dir, sub), 0o755))
	}
	roomy := walkLimits{entries: 100, directories: 100, waiting: 10_000}
	for name, c := range map[string]struct {
		limits walkLimits
		ends   bool
	}{
		"enough":                  {roomy, false},
		"too many entries":        {walkLimits{entries: 4, directories: 100, waiting: 10_000}, true},
		"too many directories":    {walkLimits{entries: 100, directories: 3, waiting: 10_000}, true},
		"too many that are ahead": {walkLimits{entries: 100, directories: 100, waiting: 2 * waitingCost}, true},
	} {
		before, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		top, err := os.Open(dir)
		must(t, err)
		err = walkWithin(t.Context(), top, c.limits, func(int, string, *unix.Stat_t) {})
		must(t, top.Close())
		if errors.Is(err, errWalkLimit) != c.ends || !c.ends && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		after, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		if len(after) != len(before) {
			t.Errorf("%s: %d descriptors, were %d", name, len(after), len(before))
		}
	}
}

// TestChownsAtOnce: of one volume one, of all maxChowns; who waits ends with its context.
func TestChownsAtOnce(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	v, err := s.Volumes(t.Context(), t.TempDir())
	must(t, err)
	defer func() { must(t, v.Close()) }()
	waits := func(id string) bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		end, err := v.chowns.enter(ctx, id)
		if err == nil {
			end()
		}
		return errors.Is(err, context.DeadlineExceeded)
	}
	first, err := v.chowns.enter(t.Context(), "a")
	must(t, err)
	if !waits("a") || waits("b") {
		t.Error("with one: another of the same volume does not wait, or one of another volume does")
	}
	second, err := v.chowns.enter(t.Context(), "b")
	must(t, err)
	if !waits("c") {
		t.Errorf("more than %d at once", maxChowns)
	}
	first()
	if waits("a") || waits("c") || !waits("b") {
		t.Error("the place of one that ended is not given on")
	}
	second()
}
