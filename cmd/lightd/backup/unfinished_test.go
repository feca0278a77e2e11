package backup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnfinishedRestores: what one that was killed has left is removed by the next, which leaves alone one that is
// under way, and what has a like name.
func TestUnfinishedRestores(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "restored")
	place := func(name string) string {
		t.Helper()
		path := filepath.Join(filepath.Dir(dir), name)
		if err := errors.Join(os.MkdirAll(filepath.Join(path, "db"), 0o700), os.WriteFile(filepath.Join(path, "token"), []byte("secret"), 0o600)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	killed, other := place("restored.restoring-1"), place("restored-too.restoring-1")
	underWay, release, err := newUnfinished(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, filepath.Join(filepath.Dir(dir), "restored.restoring-link")); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(strings.NewReader("no backup"), dir, quiet); !errors.Is(err, ErrNotWhole) {
		t.Error(err)
	}
	if _, err := os.Lstat(killed); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a killed restore has left is there: %v", err)
	}
	for _, path := range []string{underWay, filepath.Join(other, "token")} {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(release(), removeUnfinished(dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(underWay); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what has ended is there: %v", err)
	}
}
