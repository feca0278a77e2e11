package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"

	"lightd/desired/trash"
	"lightd/hack/eventually"
	"lightd/observed/files"
)

func TestMain(m *testing.M) { eventually.Main(m) }

const volumeID = "d6764075-c5f1-4045-9fb3-85315b85cb0f"

// disk is a directory of volumes with one volume in it, and a file beside it that nothing may touch.
type disk struct {
	t       testing.TB
	trees   *files.Trees
	tree    *files.Tree
	volume  string
	outside string
	root    *os.Root
	trash   *trash.Trash
}

func (d *disk) OpenRoot(id string) (*os.Root, error) { return d.root.OpenRoot(id) }

func (d *disk) Discard(dir *os.File, name string) error { return d.trash.MoveFrom(dir, name) }

func newDisk(t testing.TB, base string) *disk {
	t.Helper()
	d := &disk{t: t, volume: filepath.Join(base, "volumes", volumeID), outside: filepath.Join(base, "outside")}
	d.must(errors.Join(os.MkdirAll(d.volume, 0o755), os.WriteFile(d.outside, []byte("secret"), 0o600)))
	var err error
	d.root, err = os.OpenRoot(filepath.Join(base, "volumes"))
	d.must(err)
	d.trash, err = trash.Open(d.root, slog.New(slog.DiscardHandler))
	d.must(err)
	d.trees = &files.Trees{Volumes: d}
	d.tree, err = d.trees.Open(context.Background(), volumeID)
	d.must(err)
	t.Cleanup(func() {
		d.tree.Close()
		_ = errors.Join(d.trash.Close(), d.root.Close())
	})
	return d
}

func (d *disk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) path(name string) string { return filepath.Join(d.volume, name) }

// listed are the entries below a directory of the volume, each with what it is.
func (d *disk) listed(dir string) []string {
	d.t.Helper()
	var list []string
	d.must(filepath.WalkDir(d.path(dir), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(d.path(dir), path)
		if err != nil || name == "." {
			return err
		}
		switch e.Type() {
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			list = append(list, name+" -> "+target)
			return err
		case fs.ModeDir:
			list = append(list, name+"/")
		case 0:
			data, err := os.ReadFile(path)
			list = append(list, name+" = "+string(data[:min(len(data), 20)]))
			return err
		default:
			list = append(list, name+" ?")
		}
		return nil
	}))
	slices.Sort(list)
	return list
}

// unpack unpacks an archive to a place of the volume.
func (d *disk) unpack(archive []byte, to files.Path) (skipped []string, err error) {
	d.t.Helper()
	path := filepath.Join(filepath.Dir(d.outside), "archive")
	d.must(os.WriteFile(path, archive, 0o600))
	f, err := os.Open(path)
	d.must(err)
	defer f.Close()
	s, err := d.tree.Stage(to, nil)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := Unpack(d.t.Context(), f, int64(len(archive)), s, func(name string) { skipped = append(skipped, name) }); err != nil {
		return skipped, err
	}
	if errors.Is(d.tree.Free(to), files.ErrExists) {
		return skipped, s.Merge(to)
	}
	return skipped, s.Place(to)
}

// untouched fails the test unless what is outside is as it was, and nothing is half done.
func (d *disk) untouched() {
	d.t.Helper()
	data, err := os.ReadFile(d.outside)
	if err != nil || string(data) != "secret" {
		d.t.Fatalf("outside: %q, %v", data, err)
	}
	if _, err := os.Lstat(d.path(files.Hidden)); err == nil {
		d.t.Error("something is left")
	}
}

// tarOf is an archive of headers; a file has its name as its text unless it has a size.
func tarOf(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		err := w.WriteHeader(&h)
		if err == nil && h.Typeflag == tar.TypeReg {
			_, err = w.Write([]byte(h.Name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zipOf is a ZIP of files that have their names as their text.
func zipOf(t testing.TB, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range names {
		f, err := w.Create(name)
		if err == nil && name[len(name)-1] != '/' {
			_, err = f.Write([]byte(name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstandard(t testing.TB, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(data, nil)
}
