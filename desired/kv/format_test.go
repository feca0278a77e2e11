package kv

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"
)

// fingerprint returns the name, the mode and the content of all that is in a directory, and the time of its last change.
func fingerprint(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		var data []byte
		if info.Mode().IsRegular() {
			if data, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		_, err = fmt.Fprintf(&b, "%s %s %d %s %x\n", path, info.Mode(), info.Size(), info.ModTime(), sha256.Sum256(data))
		return err
	}))
	return b.String()
}

// TestNewerFormatIsRefused: a database of a newer version is as it was, byte for byte, after it was refused, whether
// its daemon was stopped or killed.
func TestNewerFormatIsRefused(t *testing.T) {
	closed, killed := t.TempDir(), t.TempDir()
	db := open(t, closed, Options{tune: small})
	fill(t, db, 0, 100)
	must(t, os.CopyFS(killed, os.DirFS(closed)))
	closeDB(t, db)
	missing := filepath.Join(t.TempDir(), "db")
	must(t, os.Mkdir(missing, 0o700)) // it was marked, and its process was killed before the first record
	for name, dir := range map[string]string{"closed": closed, "killed": killed, "empty": missing} {
		must(t, os.WriteFile(filepath.Join(dir, formatName), []byte("2\n"), 0o600))
		before := fingerprint(t, dir)
		_, err := Open(dir, Options{Reserve: true})
		var format *FormatError
		if !errors.As(err, &format) || format.Format != 2 || format.Supported != Format {
			t.Fatalf("%s: %v", name, err)
		}
		for _, word := range []string{dir, "has format 2", "up to 1", "newer version", "restore a backup"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q is not in %v", name, word, err)
			}
		}
		if after := fingerprint(t, dir); after != before {
			t.Errorf("%s: it was\n%s\nand is\n%s", name, before, after)
		}
	}
	must(t, os.WriteFile(filepath.Join(killed, formatName), []byte("1\n"), 0o600))
	must(t, holds(open(t, killed, Options{tune: small}), 100))
}

// TestFormatFile: a new database gets one, an earlier one without is of the format 1 and gets it when it is opened, and one that is
// not a number keeps the database from being opened.
func TestFormatFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	want := func(want int) {
		t.Helper()
		if got, err := FormatOf(dir); got != want || err != nil {
			t.Errorf("format %d, %v, want %d", got, err, want)
		}
	}
	want(0)
	closeDB(t, open(t, dir, Options{}))
	want(Format)
	file := filepath.Join(dir, formatName)
	must(t, os.Remove(file))
	want(1)
	closeDB(t, open(t, dir, Options{}))
	if text, err := os.ReadFile(file); string(text) != "1\n" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	for _, text := range []string{"", "x", "0", "-1", "1 2"} {
		must(t, os.WriteFile(file, []byte(text), 0o600))
		before := fingerprint(t, dir)
		var damaged *DamagedError
		if _, err := Open(dir, Options{}); !errors.As(err, &damaged) || !strings.Contains(err.Error(), "is no format") {
			t.Errorf("%q: %v", text, err)
		}
		if fingerprint(t, dir) != before {
			t.Errorf("%q: the directory was changed", text)
		}
	}
}

// TestValueOfANewerFormat: one value is enough to refuse a database, or a backup, whatever its key is.
func TestValueOfANewerFormat(t *testing.T) {
	dir := t.TempDir()
	closeDB(t, open(t, dir, Options{}))
	alter(t, dir, func(txn *badger.Txn) error { return txn.Set([]byte("e/1"), []byte{9, 'x'}) })
	for _, mark := range []bool{true, false} {
		if !mark {
			must(t, os.Remove(filepath.Join(dir, highWaterName)))
		}
		_, err := Open(dir, Options{})
		var format *FormatError
		if !errors.As(err, &format) || format.Format != 9 || !strings.Contains(err.Error(), `value "e/1"`) || strings.Contains(err.Error(), "damaged") {
			t.Errorf("with a high-water mark (%t): %v", mark, err)
		}
	}
	var backup bytes.Buffer
	db, err := badger.Open(tuning(dir, slog.New(slog.DiscardHandler)))
	must(t, err)
	_, err = db.Backup(&backup, 0)
	must(t, errors.Join(err, db.Close()))
	var format *FormatError
	if err := Restore(t.TempDir(), &backup, slog.New(slog.DiscardHandler)); !errors.As(err, &format) {
		t.Errorf("restored: %v", err)
	}
}

// TestLostValues: a database in which Badger finds no value of a record is refused as damaged. Without its
// high-water mark it goes on without those records, and names them.
func TestLostValues(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, Options{tune: small})
	fill(t, db, 0, 40)
	closeDB(t, db)
	lost, _ := record(3)
	alter(t, dir, func(txn *badger.Txn) error { return txn.Set([]byte(lost), nil) })
	_, err := Open(dir, Options{tune: small})
	var damaged *DamagedError
	if !errors.As(err, &damaged) || damaged.Left == "" || !strings.Contains(err.Error(), lost) || !strings.Contains(err.Error(), "is empty") {
		t.Fatalf("opened: %v", err)
	}
	must(t, os.Remove(damaged.Left))
	var log bytes.Buffer
	for range 2 {
		db = open(t, dir, Options{tune: small, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if n := countRecords(db); n != 39 {
			t.Errorf("%d records, want 39", n)
		}
		closeDB(t, db)
	}
	if n := strings.Count(log.String(), "key="+lost); n != 1 {
		t.Errorf("the log names %s %d times:\n%s", lost, n, &log)
	}
}

// alter writes to a closed database as no version of the program does.
func alter(t *testing.T, dir string, fn func(*badger.Txn) error) {
	t.Helper()
	db, err := badger.Open(tuning(dir, slog.New(slog.DiscardHandler)))
	must(t, err)
	must(t, errors.Join(db.Update(fn), db.Close()))
}
