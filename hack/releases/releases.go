package releases

import (
	"archive/tar"
	"bytes"
	"embed"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

const (
	packed = ".tar.zst"
	// lengthRecord is the record of an archive with the length of a file whose zeros at the end are left out: the logs
	// of the database are much longer than what is in them.
	lengthRecord = "LIGHTD.length"
)

//go:embed *.tar.zst *.json *.backup
var files embed.FS

// Names returns the names of all data directories, the oldest first.
func Names(t testing.TB) (names []string) {
	t.Helper()
	found, err := fs.Glob(files, "*"+packed)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range found {
		names = append(names, strings.TrimSuffix(name, packed))
	}
	return names
}

// Expected returns what the daemon of a release answered, nil where that is not known.
func Expected(t testing.TB, name string) []byte {
	t.Helper()
	text, err := files.ReadFile(name + ".json")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return text
}

// Backup returns a copy of the backup of a release, "" where there is none.
func Backup(t testing.TB, name string) (path string) {
	t.Helper()
	data, err := files.ReadFile(name + ".backup")
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	path = filepath.Join(t.TempDir(), "backup")
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Unpack returns a copy of a data directory, which goes with the test.
func Unpack(t testing.TB, name string) (dir string) {
	t.Helper()
	file, err := files.Open(name + packed)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unpacked, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer unpacked.Close()
	dir = t.TempDir()
	for r := tar.NewReader(unpacked); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err == nil {
			err = unpack(filepath.Join(dir, filepath.Clean("/"+h.Name)), h, r)
		}
		if err != nil {
			t.Fatalf("unpack %s: %v", name, err)
		}
	}
}

func unpack(path string, h *tar.Header, from io.Reader) error {
	if h.FileInfo().IsDir() {
		return os.MkdirAll(path, h.FileInfo().Mode().Perm())
	}
	to, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, h.FileInfo().Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if length, cut := h.PAXRecords[lengthRecord]; err == nil && cut {
		var n int64
		if n, err = strconv.ParseInt(length, 10, 64); err == nil {
			err = to.Truncate(n)
		}
	}
	return errors.Join(err, to.Close())
}

// Pack makes a release of a data directory that no daemon has open. As is its name, in the directory of this package.
func Pack(t testing.TB, dir, as string) {
	t.Helper()
	file, err := os.OpenFile(as+packed, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	to, err := zstd.NewWriter(file, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(to)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir || d.Name() == "ballast" { // which has 48 MiB of nothing
			return err
		}
		return pack(w, dir, path)
	})
	if err = errors.Join(err, w.Close(), to.Close(), file.Close()); err != nil {
		t.Fatalf("pack %s: %v", as, err)
	}
}

// pack writes a file or a directory. What is neither is left out.
func pack(w *tar.Writer, dir, path string) error {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
		return err
	}
	h, err := tar.FileInfoHeader(info, "")
	if err != nil {
		return err
	}
	h.Uname, h.Gname = "", ""
	if h.Name, err = filepath.Rel(dir, path); err != nil {
		return err
	}
	if info.IsDir() {
		return w.WriteHeader(h)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if used := bytes.TrimRight(data, "\x00"); len(used) < len(data) {
		h.PAXRecords = map[string]string{lengthRecord: strconv.Itoa(len(data))}
		data, h.Size = used, int64(len(used))
	}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}
