package kv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	tables "github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/ristretto/v2/z"
)

// DamagedError reports a database that does not hold what was acknowledged. It is refused
// as a whole: to go on with part of it would be to forget containers silently.
type DamagedError struct {
	// What is wrong, and with which file where that is known.
	What string
	// Left is the file to remove for going on with what is left; empty when the rest cannot
	// be read at all.
	Left string
	Err  error
}

// Error describes the damage and what to do about it.
func (e *DamagedError) Error() string {
	text := "it is damaged: " + e.What
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	text += ". No container was touched. Restore the directory from a backup"
	if e.Left != "" {
		text += ", or remove " + e.Left + " to go on with what is left of it"
	}
	return text + `; see "lightd docs damage"`
}

// Unwrap returns the cause.
func (e *DamagedError) Unwrap() error { return e.Err }

// Damaged makes a *DamagedError of an error of opening, unless the system refuses something (permission, memory,
// room), or a format is one of a newer version.
func Damaged(what string, err error) error { return damagedLeaving("", what, err) }

// damagedLeaving is Damaged where DamagedError.Left is known.
func damagedLeaving(left, what string, err error) error {
	var number syscall.Errno
	var format *FormatError
	if errors.As(err, &number) || errors.As(err, &format) {
		return err
	}
	return &DamagedError{What: what, Left: left, Err: err}
}

// dropLost removes the records whose values are lost, and logs each: Badger gives an empty value for one that it
// cannot read. An operator has removed the high-water mark to go on without them.
func (db *DB) dropLost() error {
	removal := db.engine.badger.NewWriteBatch()
	defer removal.Cancel()
	err := db.View(func(tx *Tx) error {
		it := tx.snapshot.NewIterator(badger.DefaultIteratorOptions)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			_, err := valueOf(it.Item())
			var format *FormatError
			if err == nil {
				continue
			}
			if errors.As(err, &format) {
				return err
			}
			db.log.Error("record lost", "database", db.dir, "key", string(it.Item().Key()), "error", err)
			if err := removal.Delete(it.Item().KeyCopy(nil)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = removal.Flush()
	}
	if err != nil {
		return fmt.Errorf("remove the lost records of database %s: %w", db.dir, err)
	}
	return nil
}

// verifyTables reads the files of a database before they are opened, which changes them. Badger
// goes on without a table that it cannot read, removes the tables that a lost MANIFEST does not
// name, and ends the process over a file that is cut short.
func verifyTables(dir string, o badger.Options) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read the files of the database: %w", err)
	}
	data := ""
	for _, f := range files {
		switch filepath.Ext(f.Name()) {
		case ".mem", ".vlog":
			if err := removeEmpty(dir, f); err != nil {
				return err
			}
			data = f.Name()
		case ".sst":
			data = f.Name()
		}
	}
	manifest, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		if data == "" {
			return nil // a new one
		}
		return &DamagedError{What: fmt.Sprintf("%s is missing, and %s is there", badger.ManifestFilename, data)}
	}
	if err != nil {
		return fmt.Errorf("open the list of tables: %w", err)
	}
	defer manifest.Close()
	list, _, err := badger.ReplayManifestFile(manifest, o.ExternalMagicVersion, o)
	if err != nil {
		return Damaged("read "+badger.ManifestFilename, err)
	}
	for id := range list.Tables {
		if err := verifyTable(tables.NewFilename(id, dir)); err != nil {
			return Damaged("table "+filepath.Base(tables.NewFilename(id, dir)), err)
		}
	}
	return nil
}

// removeEmpty removes a log that a power cut left between its creation and its first byte:
// with it, nothing could be opened.
func removeEmpty(dir string, f fs.DirEntry) error {
	info, err := f.Info()
	if err != nil {
		return fmt.Errorf("read the files of the database: %w", err)
	}
	if info.Size() > 0 {
		return nil
	}
	if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
		return fmt.Errorf("remove an empty file of the database: %w", err)
	}
	return nil
}

// verifyTable reads all of a table and compares its checksums. A table that is cut short
// makes its reader panic.
func verifyTable(path string) (err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("it is missing")
	case err != nil:
		return err
	case info.Size() == 0:
		return errors.New("it is empty")
	}
	file, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			first, _, _ := strings.Cut(strings.TrimSpace(fmt.Sprint(p)), "\n")
			err = fmt.Errorf("it cannot be read: %s", first)
		}
		err = errors.Join(err, file.Close(-1)) // to close the table would be to remove it
	}()
	t, err := tables.OpenTable(file, tables.Options{ReadOnly: true, ChkMode: options.NoVerification})
	if err != nil {
		return err
	}
	return t.VerifyChecksum()
}
