package backup

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"lightd/desired/kv"
	"lightd/observed/owner"
)

// ErrNotWhole is what a backup is that breaks off, or is no backup.
var ErrNotWhole = errors.New("it is not a whole backup")

// Restored is what a data directory was made of.
type Restored struct {
	Manifest
	// Incomplete names the trees of which a part is missing, and why.
	Incomplete []string
}

// maxJSON bounds the entries that are read into memory.
const maxJSON = 16 << 20

// DatabaseDir is the name of the directory of the database in a data directory.
const DatabaseDir = "db"

// Options are what a restore does besides.
type Options struct {
	// TakeOver makes the data directory the node at the first start on it, whatever the engine has of its instance.
	TakeOver bool
}

// Restore makes a data directory of a backup. dir must be missing or empty, and may be where a file system is mounted:
// where it fails, it is as before. What one that was killed has left there is removed. A backup of a newer version of
// the program is refused with a *kv.FormatError before anything is made.
func Restore(from io.Reader, dir string, o Options, log *slog.Logger) (Restored, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Restored{}, err
	}
	counted := &source{from: from}
	restored, err := restore(counted, dir, o, log)
	if err != nil {
		return Restored{}, fmt.Errorf("restore to %s: %w", dir, counted.explain(err))
	}
	return restored, nil
}

// restore makes dir of a backup that this program can read.
func restore(from io.Reader, dir string, o Options, log *slog.Logger) (restored Restored, err error) {
	decoder, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return restored, fmt.Errorf("%w: %w", ErrNotWhole, err)
	}
	defer decoder.Close()
	unpacked := &source{from: decoder}
	defer func() {
		if err != nil && unpacked.err != nil { // the cause, whatever was being made of it
			err = &unpackError{unpacked.err}
		}
	}()
	r := &reader{unpacked: unpacked, tar: tar.NewReader(unpacked)}
	if err := r.manifest(&restored.Manifest); err != nil {
		return restored, err
	}
	at, err := openPlace(dir)
	if err != nil {
		return restored, err
	}
	defer func() { err = errors.Join(err, at.close(err != nil)) }()
	if restored.Incomplete, err = r.contents(at.made, log); err != nil {
		return restored, err
	}
	if o.TakeOver {
		if err := requestTakeOver(filepath.Join(at.made, DatabaseDir)); err != nil {
			return restored, err
		}
	}
	return restored, at.fill()
}

// source counts what is read, and keeps the error that ended it.
type source struct {
	from io.Reader
	n    int64
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	s.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// unpackError means that the bytes of a backup are not those that were written.
type unpackError struct{ error }

func (e *unpackError) Unwrap() error { return e.error }

// explain says what an error of a restore means for the file that s is.
func (s *source) explain(err error) error {
	var altered *unpackError
	var damaged *kv.DamagedError
	switch {
	case s.err != nil:
		return fmt.Errorf("read the backup: %w", s.err)
	case errors.Is(err, zstd.ErrMagicMismatch):
		return fmt.Errorf("%w: it is none, as its first bytes show", ErrNotWhole)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it is cut short at byte %d; take another one", ErrNotWhole, s.n)
	case errors.As(err, &altered):
		return fmt.Errorf("%w: it was altered, up to byte %d; take another one: %w", ErrNotWhole, s.n, altered.error)
	case errors.As(err, &damaged): // its own advice is for a daemon that does not start
		return fmt.Errorf("%w: in its database %s; take another one", ErrNotWhole, damaged.What)
	case errors.Is(err, ErrNotWhole):
		return fmt.Errorf("%w; take another one", err)
	}
	return err
}

// requestTakeOver has the first start on a database take its instance over.
func requestTakeOver(dir string) error {
	db, err := kv.Open(dir, kv.Options{})
	if err != nil {
		return err
	}
	return errors.Join(owner.RequestTakeOver(context.Background(), db), db.Close())
}

// contents reads all that follows the manifest into an empty directory.
func (r *reader) contents(made string, log *slog.Logger) (incomplete []string, err error) {
	r.root, err = os.OpenRoot(made)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.root.Close()) }()
	if err := r.database(filepath.Join(made, DatabaseDir), log); err != nil {
		return nil, err
	}
	incomplete, err = r.files()
	if err != nil {
		return nil, err
	}
	if _, err := r.tar.Next(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows its end", ErrNotWhole)
	}
	if _, err := io.Copy(io.Discard, r.unpacked); err != nil { // the checksum comes last
		return nil, fmt.Errorf("%w: %w", ErrNotWhole, err)
	}
	return incomplete, r.complete()
}

// reader reads the entries.
type reader struct {
	unpacked io.Reader
	tar      *tar.Reader
	// root is the directory that is made; nil while the manifest is read.
	root    *os.Root
	entries int
	// next is an entry that was read ahead.
	next *tar.Header
	// links and directories are made, and finished, after all that is below them.
	links, directories []*tar.Header
}

// entry returns the next entry.
func (r *reader) entry() (*tar.Header, error) {
	if h := r.next; h != nil {
		r.next = nil
		return h, nil
	}
	h, err := r.tar.Next()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("%w: %w", ErrNotWhole, err)
	}
	r.entries++
	return h, nil
}

// json reads the present entry.
func (r *reader) json(v any) error {
	text, err := io.ReadAll(io.LimitReader(r.tar, maxJSON))
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotWhole, err)
	}
	return nil
}

func (r *reader) manifest(m *Manifest) error {
	h, err := r.entry()
	if err != nil {
		return err
	}
	if h.Name != manifestName {
		return fmt.Errorf("%w: it begins with %q", ErrNotWhole, h.Name)
	}
	if err := r.json(m); err != nil {
		return err
	}
	if m.Format > Format {
		return &kv.FormatError{What: fmt.Sprintf("the backup (of lightd %q)", m.Version), Format: m.Format, Supported: Format}
	}
	return kv.CheckFormat(fmt.Sprintf("the database in the backup (of lightd %q)", m.Version), m.DatabaseFormat)
}

// database reads the entries of the database.
func (r *reader) database(dir string, log *slog.Logger) error {
	if err := kv.Restore(dir, &joined{r: r}, log); err != nil {
		return err
	}
	h, err := r.entry()
	if err == nil && h.Name == databaseName {
		err = fmt.Errorf("%w: its database has more than was read", ErrNotWhole)
	}
	r.next = h
	return err
}

// joined is the stream that the entries of the database were made of.
type joined struct {
	r      *reader
	inside bool
}

func (j *joined) Read(p []byte) (int, error) {
	for {
		if j.inside {
			n, err := j.r.tar.Read(p)
			if n > 0 || err == nil {
				return n, nil
			}
			if !errors.Is(err, io.EOF) {
				return 0, fmt.Errorf("%w: %w", ErrNotWhole, err)
			}
			j.inside = false
		}
		h, err := j.r.entry()
		if err != nil {
			return 0, err
		}
		if h.Name != databaseName {
			j.r.next = h
			return 0, io.EOF
		}
		j.inside = true
	}
}

// files reads the files of the data directory, up to the end.
func (r *reader) files() (incomplete []string, err error) {
	for {
		h, err := r.entry()
		if err != nil {
			return nil, err
		}
		if h.Name == endName {
			var last end
			if err := r.json(&last); err != nil {
				return nil, err
			}
			if last.Entries != r.entries-1 {
				return nil, fmt.Errorf("%w: of its %d entries there are %d", ErrNotWhole, last.Entries, r.entries-1)
			}
			return last.Incomplete, nil
		}
		name, below := strings.CutPrefix(h.Name, dataName+"/")
		name = strings.TrimSuffix(name, "/")
		if !below || !filepath.IsLocal(name) {
			return nil, fmt.Errorf("%w: it has an entry %q", ErrNotWhole, h.Name)
		}
		h.Name = name
		if err := r.file(h); err != nil {
			return nil, err
		}
	}
}

// file makes what an entry says. Nothing is made through a link, as there is none yet.
func (r *reader) file(h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeDir:
		r.directories = append(r.directories, h)
		return r.root.MkdirAll(h.Name, 0o700)
	case tar.TypeSymlink:
		r.links = append(r.links, h)
		return nil
	case tar.TypeReg:
	default:
		return fmt.Errorf("%w: %q is neither a file nor a directory nor a link", ErrNotWhole, h.Name)
	}
	f, err := r.root.OpenFile(h.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r.tar); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", h.Name, err), f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return r.finish(h)
}

// finish gives what was made its owner, permissions and time. A user who is not root can give nothing away.
func (r *reader) finish(h *tar.Header) error {
	if os.Geteuid() == 0 {
		if err := r.root.Lchown(h.Name, h.Uid, h.Gid); err != nil {
			return err
		}
	}
	if h.Typeflag == tar.TypeSymlink {
		return nil
	}
	if err := r.root.Chmod(h.Name, fs.FileMode(h.Mode).Perm()); err != nil {
		return err
	}
	return r.root.Chtimes(h.Name, time.Time{}, h.ModTime)
}

// complete makes the links, and finishes the directories, the deepest first.
func (r *reader) complete() error {
	for _, h := range r.links {
		if err := r.root.Symlink(h.Linkname, h.Name); err != nil {
			return err
		}
		if err := r.finish(h); err != nil {
			return err
		}
	}
	for _, h := range slices.Backward(r.directories) {
		if err := r.finish(h); err != nil {
			return err
		}
	}
	return nil
}
