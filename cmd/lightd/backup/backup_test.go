package backup

import (
	"archive/tar"
	"bytes"
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
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/zstd"

	"lightd/desired/kv"
	"lightd/hack/eventually"
	"lightd/hack/harness"
)

func TestMain(m *testing.M) {
	eventually.Main(m, eventually.LeftByBadger()...)
}

var must = harness.Must

var quiet = slog.New(slog.DiscardHandler)

// node makes a data directory with a database and files, and what backs it up.
func node(t *testing.T, volumes bool) Source {
	t.Helper()
	dir := t.TempDir()
	db, err := kv.Open(filepath.Join(dir, "db"), kv.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	for n := range 50 {
		must(t, db.Update(t.Context(), func(tx *kv.Tx) error { return tx.Set(fmt.Appendf(nil, "k%d", n), bytes.Repeat([]byte("v"), 100*n)) }))
	}
	for name, text := range map[string]string{
		"token": "lightd_secret", "settings.json": "{}", "audit/audit.jsonl": "{}", "containers/web/install.log": "installed\n",
		"snapshots/sha256/1": "layers", "volumes/v1/world/level.dat": strings.Repeat("level", 1000), "volumes/v1/server.properties": "port=1", "volumes/v2/empty": "",
	} {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o640))
	}
	must(t, errors.Join(
		os.Symlink("/etc/passwd", filepath.Join(dir, "volumes/v1/link")), os.Symlink("../v2", filepath.Join(dir, "volumes/v1/other")),
		syscall.Mkfifo(filepath.Join(dir, "volumes/v1/pipe"), 0o600), os.Chmod(filepath.Join(dir, "volumes/v1/world"), 0o500),
		os.Chtimes(filepath.Join(dir, "token"), time.Time{}, time.Unix(1_700_000_000, 0)),
	))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "volumes/v1/world"), 0o700) })
	return Source{
		Manifest: Manifest{Version: "v1", Instance: db.Instance(), CreatedAt: time.Unix(1_700_000_000, 0).UTC(), Volumes: volumes},
		DataDir:  dir, Database: db.Backup,
	}
}

// written is a backup of a node.
func written(t *testing.T, s Source) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, Write(t.Context(), &b, s))
	return b.Bytes()
}

// listing is what a directory has, a line for each entry but those of the database.
func listing(t *testing.T, dir string) (lines []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		if err != nil || name == "." || name == "db" {
			if name == "db" {
				return fs.SkipDir
			}
			return err
		}
		info, err := d.Info()
		must(t, err)
		line := fmt.Sprintf("%s %s", name, info.Mode())
		switch {
		case info.Mode().IsRegular():
			text, err := os.ReadFile(path)
			must(t, err)
			line += fmt.Sprintf(" %d bytes %.10q", len(text), text)
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			must(t, err)
			line += " -> " + to
		}
		lines = append(lines, line)
		return nil
	}))
	return lines
}

// kept is what a backup has of a directory: not what is of no use elsewhere, nor what is no file.
func kept(t *testing.T, dir string, volumes bool) []string {
	t.Helper()
	return slices.DeleteFunc(listing(t, dir), func(line string) bool {
		return strings.HasPrefix(line, "audit") || strings.HasPrefix(line, "settings") || strings.Contains(line, "pipe") || !volumes && strings.HasPrefix(line, "volumes")
	})
}

func TestRoundTrip(t *testing.T) {
	for _, volumes := range []bool{true, false} {
		s := node(t, volumes)
		dir := filepath.Join(t.TempDir(), "restored")
		restored, err := Restore(bytes.NewReader(written(t, s)), dir, Options{}, quiet)
		must(t, err)
		want := s.Manifest
		want.Format, want.DatabaseFormat = Format, kv.Format
		if restored.Manifest != want || len(restored.Incomplete) > 0 {
			t.Errorf("made of %+v, want %+v", restored, want)
		}
		expected := kept(t, s.DataDir, volumes)
		if got := listing(t, dir); !slices.Equal(got, expected) {
			t.Errorf("restored is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(expected, "\n"))
		}
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("the directory is %v, %v", info, err)
		}
		if info, err := os.Stat(filepath.Join(dir, "token")); err != nil || info.ModTime().Unix() != 1_700_000_000 {
			t.Errorf("the token is %v, %v", info, err)
		}
		db, err := kv.Open(filepath.Join(dir, "db"), kv.Options{})
		must(t, err)
		must(t, db.View(func(tx *kv.Tx) error {
			value, err := tx.Get([]byte("k49"))
			if err != nil || len(value) != 4900 || db.Instance() != s.Instance {
				t.Errorf("%d bytes, %v, of %s", len(value), err, db.Instance())
			}
			return nil
		}))
		must(t, db.Close())
		_ = os.Chmod(filepath.Join(dir, "volumes/v1/world"), 0o700)
	}
}

// nothing fails the test unless a directory, and what is beside it, is as it was.
func nothing(t *testing.T, dir string, err error, what string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s was restored", what)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: there is %s", what, dir)
	}
	if beside, _ := os.ReadDir(filepath.Dir(dir)); len(beside) > 0 {
		t.Errorf("%s: %s was left", what, beside[0].Name())
	}
}

// TestTorn: no part of a backup makes a data directory, and none with another byte makes another one. Some bits
// of a zstd stream mean nothing.
func TestTorn(t *testing.T) {
	s := node(t, true)
	whole := written(t, s)
	for _, part := range []int{0, 1, len(whole) / 4, len(whole) / 2, len(whole) - 5, len(whole) - 1} {
		dir := filepath.Join(t.TempDir(), "restored")
		_, err := Restore(bytes.NewReader(whole[:part]), dir, Options{}, quiet)
		nothing(t, dir, err, fmt.Sprintf("%d of %d bytes", part, len(whole)))
		if want := fmt.Sprintf("it is cut short at byte %d; take another one", part); err != nil && (!errors.Is(err, ErrNotWhole) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d of %d bytes: %v", part, len(whole), err)
		}
	}
	for at := 40; at < len(whole); at += len(whole)/9 + 1 {
		other := bytes.Clone(whole)
		other[at] ^= 0x10
		dir := filepath.Join(t.TempDir(), "restored")
		_, err := Restore(bytes.NewReader(other), dir, Options{}, quiet)
		if err != nil {
			if text := err.Error(); !errors.Is(err, ErrNotWhole) || !strings.Contains(text, "take another one") || strings.Count(text, ErrNotWhole.Error()) != 1 {
				t.Errorf("with another byte at %d: %v", at, err)
			}
			nothing(t, dir, err, fmt.Sprintf("one with another byte at %d", at))
			continue
		}
		if got := listing(t, dir); !slices.Equal(got, kept(t, s.DataDir, true)) {
			t.Errorf("with another byte at %d it makes\n%s", at, strings.Join(got, "\n"))
		}
		_ = os.Chmod(filepath.Join(dir, "volumes/v1/world"), 0o700)
	}
}

// TestNoBackup: what is no backup at all is refused as that, and a disk that fails is not blamed on the file.
func TestNoBackup(t *testing.T) {
	whole := written(t, node(t, false))
	failing := errors.New("input/output error")
	for want, from := range map[string]io.Reader{
		"it is not a whole backup: it is none": strings.NewReader(strings.Repeat("node-1.example.com\n", 1000)),
		"read the backup: input/output error":  io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), iotest.ErrReader(failing)),
	} {
		dir := filepath.Join(t.TempDir(), "restored")
		_, err := Restore(from, dir, Options{}, quiet)
		nothing(t, dir, err, want)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// forged is a backup whose entries a function changes.
func forged(t *testing.T, whole []byte, change func(h *tar.Header, text []byte) (more []tar.Header)) []byte {
	t.Helper()
	from, err := zstd.NewReader(bytes.NewReader(whole))
	must(t, err)
	defer from.Close()
	var b bytes.Buffer
	to, err := zstd.NewWriter(&b)
	must(t, err)
	r, w := tar.NewReader(from), tar.NewWriter(to)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		text, err := io.ReadAll(r)
		must(t, err)
		for _, more := range change(h, text) {
			must(t, w.WriteHeader(&more))
		}
		h.Size = int64(len(text))
		must(t, w.WriteHeader(h))
		_, err = w.Write(text)
		must(t, err)
	}
	must(t, errors.Join(w.Close(), to.Close()))
	return b.Bytes()
}

// TestHostile: what no backup has is refused, wherever it leads.
func TestHostile(t *testing.T) {
	whole := written(t, node(t, true))
	first := func(more ...tar.Header) func(*tar.Header, []byte) []tar.Header {
		return func(h *tar.Header, text []byte) []tar.Header {
			if h.Name == endName {
				return more
			}
			return nil
		}
	}
	for what, change := range map[string]func(*tar.Header, []byte) []tar.Header{
		"a path above":       first(tar.Header{Name: "data/../../evil", Typeflag: tar.TypeReg}),
		"an absolute path":   first(tar.Header{Name: "data//etc/evil", Typeflag: tar.TypeReg}),
		"another top":        first(tar.Header{Name: "evil", Typeflag: tar.TypeReg}),
		"a hard link":        first(tar.Header{Name: "data/evil", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}),
		"a device":           first(tar.Header{Name: "data/evil", Typeflag: tar.TypeChar}),
		"a file twice":       first(tar.Header{Name: "data/token", Typeflag: tar.TypeReg}),
		"a file as well":     first(tar.Header{Name: "data/more", Typeflag: tar.TypeReg}),
		"a part of database": first(tar.Header{Name: databaseName, Typeflag: tar.TypeReg}),
	} {
		dir := filepath.Join(t.TempDir(), "restored")
		_, err := Restore(bytes.NewReader(forged(t, whole, change)), dir, Options{}, quiet)
		nothing(t, dir, err, what)
	}
	// Unchanged, it is a backup.
	dir := filepath.Join(t.TempDir(), "restored")
	_, err := Restore(bytes.NewReader(forged(t, whole, func(*tar.Header, []byte) []tar.Header { return nil })), dir, Options{}, quiet)
	must(t, err)
	_ = os.Chmod(filepath.Join(dir, "volumes/v1/world"), 0o700)
	if _, err := Restore(bytes.NewReader(whole), dir, Options{}, quiet); err == nil {
		t.Error("a data directory was restored over another one")
	}
}

// TestNewerBackup: a backup of a newer version, or of a database of one, is refused in the words of a database, before
// anything is made.
func TestNewerBackup(t *testing.T) {
	whole := written(t, node(t, true))
	for field, what := range map[string]string{`"format":`: "the backup", `"database_format":`: "the database in the backup"} {
		newer := forged(t, whole, func(h *tar.Header, text []byte) []tar.Header {
			if h.Name == manifestName {
				copy(text, bytes.Replace(text, []byte(field+"1"), []byte(field+"2"), 1))
			}
			return nil
		})
		above := t.TempDir()
		dir := filepath.Join(above, "restored")
		long := time.Unix(1_700_000_000, 0)
		must(t, os.Chtimes(above, long, long))
		_, err := Restore(bytes.NewReader(newer), dir, Options{}, quiet)
		nothing(t, dir, err, what)
		var format *kv.FormatError
		if !errors.As(err, &format) || !strings.Contains(err.Error(), what+` (of lightd "v1") has format 2, and this version of lightd reads formats up to 1`) {
			t.Errorf("%s: %v", what, err)
		}
		if info, err := os.Stat(above); err != nil || !info.ModTime().Equal(long) {
			t.Errorf("%s: something was made", what)
		}
	}
}

// TestLinksAreMadeLast: a file is never made through a link that has come before it.
func TestLinksAreMadeLast(t *testing.T) {
	outside := t.TempDir()
	count := 0
	b := forged(t, written(t, node(t, true)), func(h *tar.Header, text []byte) []tar.Header {
		if h.Name != endName {
			count++
			return nil
		}
		var last end
		must(t, json.Unmarshal(text, &last))
		copy(text, bytes.Replace(text, fmt.Appendf(nil, `:%d,`, last.Entries), fmt.Appendf(nil, `:%d,`, last.Entries+2), 1))
		return []tar.Header{{Name: "data/volumes/v1/x", Typeflag: tar.TypeSymlink, Linkname: outside}, {Name: "data/volumes/v1/x/evil", Typeflag: tar.TypeReg}}
	})
	dir := filepath.Join(t.TempDir(), "restored")
	_, err := Restore(bytes.NewReader(b), dir, Options{}, quiet)
	nothing(t, dir, err, "a file below a link")
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("%s was made outside", left[0].Name())
	}
}

// TestDeepVolume: a tree that is too deep to be walked through keeps nothing else from being backed up.
func TestDeepVolume(t *testing.T) {
	s := node(t, true)
	must(t, os.MkdirAll(filepath.Join(s.DataDir, "volumes/deep", strings.Repeat("d/", 300)), 0o755))
	dir := filepath.Join(t.TempDir(), "restored")
	restored, err := Restore(bytes.NewReader(written(t, s)), dir, Options{}, quiet)
	must(t, err)
	if len(restored.Incomplete) != 1 || !strings.HasPrefix(restored.Incomplete[0], "volumes/deep: ") {
		t.Errorf("incomplete is %q", restored.Incomplete)
	}
	if _, err := os.Stat(filepath.Join(dir, "volumes/v2/empty")); err != nil {
		t.Error(err)
	}
	_ = os.Chmod(filepath.Join(dir, "volumes/v1/world"), 0o700)
}

// TestFailingDatabase: a backup that fails is none.
func TestFailingDatabase(t *testing.T) {
	s := node(t, false)
	s.Database = func(w io.Writer) error {
		_, err := w.Write([]byte("some"))
		return errors.Join(err, io.ErrClosedPipe)
	}
	var b bytes.Buffer
	if err := Write(t.Context(), &b, s); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error %v", err)
	}
	dir := filepath.Join(t.TempDir(), "restored")
	_, err := Restore(&b, dir, Options{}, quiet)
	nothing(t, dir, err, "a backup that failed")
}
