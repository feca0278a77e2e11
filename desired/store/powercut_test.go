package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// TestPowerCut copies the directory while it is being written, again and again: what such
// a copy holds is what a machine finds that lost its power at that moment, torn tails
// included. Each copy opens, with every write that was acknowledged before it was begun.
func TestPowerCut(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	key := func(n int64) []byte { return fmt.Appendf(nil, "x/%06d", n) }
	var acknowledged atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		for n := int64(1); ctx.Err() == nil; n++ {
			value := make([]byte, 100+n%3000) // some in the tree, some in the value log
			copy(value, key(n))
			if err := s.Update(context.Background(), func(tx *Tx) error { return tx.Set(key(n), value) }); err != nil {
				done <- err
				return
			}
			acknowledged.Store(n)
		}
		done <- nil
	}()
	for range 4 {
		before := acknowledged.Load()
		for acknowledged.Load() < before+20 {
			if err := s.Ping(ctx); err != nil {
				t.Fatal(err)
			}
		}
		promised := acknowledged.Load()
		copied := t.TempDir()
		copyDir(t, dir, copied)
		again := open(t, copied, Options{})
		err := again.View(func(tx *Tx) error {
			for n := int64(1); n <= promised; n++ {
				value, err := tx.Get(key(n))
				if err != nil || string(value[:len(key(n))]) != string(key(n)) {
					return fmt.Errorf("write %d of %d that were acknowledged: %q, %w", n, promised, value, err)
				}
			}
			return nil
		})
		if err := errors.Join(err, again.Close()); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// copyDir copies files as they are at the moment, but for the lock of their owner.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(from), ".", func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a table that was merged away meanwhile
		}
		if err != nil || d.IsDir() {
			return errors.Join(err, os.MkdirAll(filepath.Join(to, name), 0o700))
		}
		data, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return errors.Join(err, os.WriteFile(filepath.Join(to, name), data, 0o600))
	})
	if err != nil {
		t.Fatal(err)
	}
}
