package backup

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"lightd/desired/kv"
	"lightd/observed/files"
)

// Format is the version of what is written. Restore reads no later one.
const Format = 1

// The names in a backup.
const (
	manifestName = "lightd-backup.json"
	databaseName = "database" // an entry for each part
	dataName     = "data"     // above the files of the data directory
	endName      = "end.json"
)

// databasePart is the size of an entry of the database: the size of an entry has to be known before.
const databasePart = 1 << 20

// Manifest says what a backup is of.
type Manifest struct {
	Format int `json:"format"`
	// DatabaseFormat is that of the database in it; backups of before it was written have 1.
	DatabaseFormat int       `json:"database_format"`
	Version        string    `json:"version"`
	Instance       string    `json:"instance"`
	CreatedAt      time.Time `json:"created_at"`
	// Volumes reports whether the files of servers are in it.
	Volumes bool `json:"volumes"`
}

// end is the last entry.
type end struct {
	Entries int `json:"entries"`
	// Incomplete names the trees of which a part is missing, and why.
	Incomplete []string `json:"incomplete"`
}

// zeros reads as zeros without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Source is what is backed up.
type Source struct {
	Manifest
	// DataDir is the data directory, Database what writes the database.
	DataDir  string
	Database func(io.Writer) error
}

// The entries of a data directory that are of no use elsewhere, or come in another form, and those whose
// own entries belong to one container each.
var (
	left   = []string{DatabaseDir, "audit", "settings.json", lostFound}
	shared = []string{"volumes", "image_volumes"}
)

// Write writes a backup. When it fails, what was written makes no data directory.
func Write(ctx context.Context, to io.Writer, s Source) error {
	packed, err := zstd.NewWriter(to, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return err
	}
	w := &writer{ctx: ctx, tar: tar.NewWriter(packed)}
	s.Format, s.DatabaseFormat = Format, kv.Format
	err = w.json(manifestName, s.Manifest)
	if err == nil {
		err = s.Database(&parts{w: w})
	}
	if err == nil {
		err = w.directory(s)
	}
	if err == nil {
		err = w.json(endName, end{w.entries, w.incomplete})
	}
	if err == nil {
		err = w.tar.Close()
	}
	if err = errors.Join(err, packed.Close()); err != nil {
		return fmt.Errorf("back up %s: %w", s.DataDir, err)
	}
	return nil
}

// writer writes the entries.
type writer struct {
	ctx     context.Context
	tar     *tar.Writer
	entries int
	// incomplete is that of end.
	incomplete []string
}

// add writes an entry of so many bytes.
func (w *writer) add(h tar.Header, from io.Reader) error {
	if err := context.Cause(w.ctx); err != nil {
		return err
	}
	h.Format = tar.FormatPAX
	if err := w.tar.WriteHeader(&h); err != nil {
		return err
	}
	w.entries++
	if from == nil {
		return nil
	}
	_, err := io.Copy(w.tar, from)
	return err
}

func (w *writer) json(name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := w.add(tar.Header{Name: name, Size: int64(len(text)), Mode: 0o600}, nil); err != nil {
		return err
	}
	_, err = w.tar.Write(text)
	return err
}

// parts makes entries of a stream.
type parts struct{ w *writer }

// Write implements io.Writer.
func (p *parts) Write(data []byte) (n int, err error) {
	for part := range slices.Chunk(data, databasePart) {
		if err := p.w.add(tar.Header{Name: databaseName, Size: int64(len(part)), Mode: 0o600}, nil); err != nil {
			return n, err
		}
		written, err := p.w.tar.Write(part)
		if n += written; err != nil {
			return n, err
		}
	}
	return n, nil
}

// directory writes the files of the data directory.
func (w *writer) directory(s Source) error {
	entries, err := os.ReadDir(s.DataDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		switch {
		case slices.Contains(left, name):
		case !slices.Contains(shared, name):
			err = w.tree(s.DataDir, name)
		case s.Volumes:
			err = w.each(s.DataDir, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// each writes a directory whose entries belong to one container each: as trees of their own, so that no
// link in one of them leads into another.
func (w *writer) each(dataDir, name string) error {
	info, err := os.Stat(filepath.Join(dataDir, name))
	if err != nil {
		return err
	}
	if err := w.add(tar.Header{Typeflag: tar.TypeDir, Name: path.Join(dataName, name) + "/", Mode: int64(info.Mode().Perm()), ModTime: info.ModTime()}, nil); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(dataDir, name))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := w.tree(dataDir, path.Join(name, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// roots opens trees by their paths below a directory.
type roots struct{ dir string }

// OpenRoot implements files.Volumes. A link in the place of a tree is not followed.
func (r roots) OpenRoot(name string) (*os.Root, error) {
	above, err := os.OpenRoot(filepath.Join(r.dir, path.Dir(name)))
	if err != nil {
		return nil, err
	}
	defer above.Close()
	if info, err := above.Lstat(path.Base(name)); err != nil || !info.IsDir() {
		return nil, errors.Join(err, os.ErrNotExist)
	}
	return above.OpenRoot(path.Base(name))
}

// Discard implements files.Volumes; nothing is discarded here.
func (roots) Discard(*os.File, string) error { return errors.ErrUnsupported }

// tree writes a file, or a directory with all that is in it.
func (w *writer) tree(dataDir, name string) error {
	info, err := os.Lstat(filepath.Join(dataDir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil // it went meanwhile
	}
	if err != nil {
		return err
	}
	trees := &files.Trees{Volumes: roots{dataDir}}
	at, above := name, files.Top
	if !info.IsDir() {
		at, above = path.Dir(name), files.Path(path.Base(name))
	}
	tree, err := trees.Open(w.ctx, at)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer tree.Close()
	err = tree.Walk(w.ctx, above, func(v files.Visited) error { return w.entry(path.Join(dataName, name, v.Path), v) })
	if errors.Is(err, files.ErrTooDeep) || errors.Is(err, files.ErrTooMany) { // one that is hostile stops no backup of the others
		w.incomplete = append(w.incomplete, fmt.Sprintf("%s: %v", name, err))
		return nil
	}
	return err
}

// entry writes what a walk has come to. What goes away meanwhile, and devices, pipes and sockets, are left out.
func (w *writer) entry(name string, v files.Visited) error {
	h := tar.Header{Name: name, Mode: int64(v.Mode), Uid: int(v.UID), Gid: int(v.GID), ModTime: v.Modified}
	switch v.Type {
	case files.Directory:
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
	case files.Symlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, v.Target
	case files.File:
		f, err := v.Open()
		if files.Gone(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		defer f.Close()
		h.Typeflag, h.Size = tar.TypeReg, v.Size
		// A program may write more meanwhile, or take some away.
		return w.add(h, io.LimitReader(io.MultiReader(f, zeros{}), v.Size))
	default:
		return nil
	}
	return w.add(h, nil)
}
