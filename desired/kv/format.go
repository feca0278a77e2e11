package kv

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/dgraph-io/badger/v4"

	"lightd/desired/atomicfile"
)

// Format is the version of the layout of a database: the number in its format file, and the first byte of
// every stored value.
const Format = 1

// formatName is the name of the file with the format of a database, beside its records. Opening Badger changes
// its files, those of a killed process above all, so that the format is read before that: a database of a newer
// version stays as it is, byte for byte. A database without the file has the format 1. A version with another
// format writes the file before its first value of that format.
const formatName = "format"

// FormatError reports a format that only a newer version of the program reads.
type FormatError struct {
	// What has the format.
	What string
	// Format is the one found, Supported the newest that this program reads.
	Format, Supported int
}

// Error names both formats and what to do.
func (e *FormatError) Error() string {
	return fmt.Sprintf("%s has format %d, and this version of lightd reads formats up to %d: a newer version wrote it. "+
		`Use that version or a newer one, or restore a backup from before the upgrade; see "lightd docs data"`, e.What, e.Format, e.Supported)
}

// CheckFormat returns a *FormatError for a format that is newer than Format.
func CheckFormat(what string, format int) error {
	if format > Format {
		return &FormatError{What: what, Format: format, Supported: Format}
	}
	return nil
}

// FormatOf returns the format of the database in dir, 0 where there is none. It changes nothing, and may be
// called while a process has the database open. Its error is a *FormatError for one that this program cannot
// read.
func FormatOf(dir string) (int, error) {
	format, err := readFormat(dir)
	if err != nil {
		return 0, err
	}
	if format > 0 {
		return format, CheckFormat("database "+dir, format)
	}
	_, err = os.Stat(filepath.Join(dir, badger.ManifestFilename))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("find the database in %s: %w", dir, err)
	}
	return 1, nil
}

// readFormat returns the number in the format file, 0 where there is no file.
func readFormat(dir string) (int, error) {
	f, err := os.OpenFile(filepath.Join(dir, formatName), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("open the format of database %s: %w", dir, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, 64))
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, fmt.Errorf("read the format of database %s: %w", dir, err)
	}
	format, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || format < 1 {
		return 0, fmt.Errorf("read the format of database %s: %q in its file %s is no format", dir, text, formatName)
	}
	return format, nil
}

// recordFormat writes the format file where there is none. What is in dir must have been read before, or be
// nothing.
func recordFormat(dir string) error {
	format, err := readFormat(dir)
	if err != nil || format > 0 {
		return err
	}
	if err := atomicfile.Write(filepath.Join(dir, formatName), fmt.Appendf(nil, "%d\n", Format)); err != nil {
		return fmt.Errorf("record the format of database %s: %w", dir, err)
	}
	return nil
}
