package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
)

// TestBackup: what a backup has is what was there at one moment, while others write. Two keys that are
// always written together are alike in it.
func TestBackup(t *testing.T) {
	db := open(t, t.TempDir(), Options{})
	write := func(n int) error {
		return db.Update(t.Context(), func(tx *Tx) error {
			value := fmt.Appendf(nil, "%04d%s", n, bytes.Repeat([]byte("x"), n*37%3000)) // some are in the value log
			return errors.Join(tx.Set([]byte("a"), value), tx.Set([]byte("b"), value), tx.Set(fmt.Appendf(nil, "k%d", n), value))
		})
	}
	for n := range 100 {
		must(t, write(n))
	}
	must(t, db.Update(t.Context(), func(tx *Tx) error { return tx.Delete([]byte("k7")) }))
	ctx, cancel := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() {
		for n := 100; ctx.Err() == nil; n++ {
			if err := write(n); err != nil {
				t.Error(err)
				return
			}
		}
	})
	var backup bytes.Buffer
	must(t, db.Backup(&backup))
	cancel()
	writing.Wait()

	dir := filepath.Join(t.TempDir(), "restored")
	must(t, Restore(dir, &backup, slog.New(slog.DiscardHandler)))
	restored := open(t, dir, Options{})
	if restored.Instance() != db.Instance() {
		t.Errorf("the instance is %s, not %s", restored.Instance(), db.Instance())
	}
	must(t, restored.View(func(tx *Tx) error {
		a, err := tx.Get([]byte("a"))
		b, errB := tx.Get([]byte("b"))
		if err != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("a and b differ: %.8q, %v, and %.8q, %v", a, err, b, errB)
		}
		if _, err := tx.Get([]byte("k99")); err != nil {
			t.Errorf("k99: %v", err)
		}
		if _, err := tx.Get([]byte("k7")); !errors.Is(err, ErrNotFound) {
			t.Errorf("what was deleted: %v", err)
		}
		return nil
	}))
	must(t, restored.Update(t.Context(), func(tx *Tx) error { return tx.Set([]byte("more"), []byte("1")) }))
}

// TestTornBackup: no prefix of a backup makes a database, and nothing is restored over another one.
func TestTornBackup(t *testing.T) {
	db := open(t, t.TempDir(), Options{})
	for n := range 300 {
		must(t, db.Update(t.Context(), func(tx *Tx) error { return tx.Set(fmt.Appendf(nil, "k%d", n), bytes.Repeat([]byte("x"), 500)) }))
	}
	var backup bytes.Buffer
	must(t, db.Backup(&backup))
	whole := backup.Bytes()
	for _, part := range []int{0, 1, 8, len(whole) / 3, len(whole) / 2, len(whole) - 1} {
		if err := Restore(t.TempDir(), bytes.NewReader(whole[:part]), slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%d of %d bytes were restored", part, len(whole))
		}
	}
	altered := bytes.Replace(whole, []byte("xxxxxxxx"), []byte("xxxyxxxx"), 1)
	var damaged *DamagedError
	if err := Restore(t.TempDir(), bytes.NewReader(altered), slog.New(slog.DiscardHandler)); !errors.As(err, &damaged) {
		t.Errorf("an altered backup: %v", err)
	}
	dir := t.TempDir()
	must(t, Restore(dir, bytes.NewReader(whole), slog.New(slog.DiscardHandler)))
	if err := Restore(dir, bytes.NewReader(whole), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a database was restored over another one")
	}
}
