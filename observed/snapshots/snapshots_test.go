package snapshots

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ref = "lightd/11111111-2222-3333-4444-555555555555:a.1"

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{FreeSpace: func(string) (uint64, error) { return 1 << 40, nil }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sum(data string) string {
	h := sha256.Sum256([]byte(data))
	return digestOf(h[:])
}

// part is an entry of an archive; a link when it has a target.
type part struct{ name, data, target string }

func pack(t *testing.T, parts ...part) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, p := range parts {
		head := &tar.Header{Typeflag: tar.TypeReg, Name: p.name, Mode: 0o644, Size: int64(len(p.data))}
		if p.target != "" {
			head.Typeflag, head.Linkname = tar.TypeSymlink, p.target
		}
		if err := w.WriteHeader(head); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, p.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func config(layers ...string) string {
	var ids []string
	for _, l := range layers {
		ids = append(ids, `"`+sum(l)+`"`)
	}
	return `{"os":"linux","rootfs":{"type":"layers","diff_ids":[` + strings.Join(ids, ",") + `]}}`
}

// legacy is an archive as Docker makes it before version 25: the first two layers are equal.
func legacy(t *testing.T, top string) []byte {
	return pack(t,
		part{"l1/VERSION", "1.0", ""}, part{"l1/json", "{}", ""}, part{"l1/layer.tar", "base", ""},
		part{"l2/layer.tar", "", "../l1/layer.tar"},
		part{"l3-" + top + "/layer.tar", top, ""},
		part{"c.json", config("base", "base", top), ""},
		part{"manifest.json", `[{"Config":"c.json","RepoTags":["x:1"],"Layers":["l1/layer.tar","l2/layer.tar","l3-` + top + `/layer.tar"]}]`, ""},
		part{"repositories", `{}`, ""})
}

// oci is one as it makes it from version 25 on, with a layer that is compressed.
func oci(t *testing.T, top string) []byte {
	name := func(data string) string { return "blobs/sha256/" + strings.TrimPrefix(sum(data), "sha256:") }
	packed := "gzip of " + top
	c := config("base", top)
	return pack(t,
		part{name("base"), "base", ""}, part{name(packed), packed, ""}, part{name(c), c, ""},
		part{"index.json", "{}", ""}, part{"oci-layout", "{}", ""},
		part{"manifest.json", fmt.Sprintf(`[{"Config":%q,"RepoTags":null,"Layers":[%q,%q]}]`, name(c), name("base"), name(packed)), ""})
}

// unpack returns what an archive of ours holds: its configuration and its layers, in order.
func unpack(t *testing.T, archive io.Reader) (config string, layers []string) {
	t.Helper()
	files := map[string]string{}
	for r := tar.NewReader(archive); ; {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[head.Name] = string(data)
	}
	var list []struct {
		Config           string
		RepoTags, Layers []string
	}
	if err := json.Unmarshal([]byte(files["manifest.json"]), &list); err != nil || len(list) != 1 || !slices.Equal(list[0].RepoTags, []string{ref}) {
		t.Fatalf("manifest %s, %v", files["manifest.json"], err)
	}
	for _, name := range list[0].Layers {
		layers = append(layers, files[name])
	}
	return files[list[0].Config], layers
}

// blobs returns the names of what is kept.
func blobs(t *testing.T, s *Store) []string {
	t.Helper()
	found, err := os.ReadDir(s.blobDir())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Name())
	}
	return names
}

// assertClean: nothing half written is left.
func assertClean(t *testing.T, s *Store) {
	t.Helper()
	if left, err := os.ReadDir(s.temporary()); err != nil || len(left) > 0 {
		t.Errorf("temporary files: %v, %v", left, err)
	}
}

func TestACopyIsLoadedAsItWasSaved(t *testing.T) {
	for name, c := range map[string]struct {
		archive []byte
		layers  []string
		blobs   int
	}{
		"the layout of before Docker 25": {legacy(t, "top"), []string{"base", "base", "top"}, 3},
		"an OCI layout":                  {oci(t, "top"), []string{"base", "gzip of top"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			if s.Has(ref) {
				t.Error("there is a copy already")
			}
			if err := s.Save(ref, bytes.NewReader(c.archive)); err != nil {
				t.Fatal(err)
			}
			for range 2 { // and after a restart
				if !s.Has(ref) {
					t.Fatal("there is no copy")
				}
				archive, err := s.Load(ref)
				if err != nil {
					t.Fatal(err)
				}
				config, layers := unpack(t, archive)
				if !slices.Equal(layers, c.layers) || !strings.Contains(config, "diff_ids") {
					t.Errorf("layers %q, configuration %s", layers, config)
				}
				_ = archive.Close()
				s = open(t, dir)
			}
			if got := blobs(t, s); len(got) != c.blobs {
				t.Errorf("%d blobs are kept, want %d", len(got), c.blobs)
			}
			assertClean(t, s)
		})
	}
}

// TestLayersAreKeptOnce over all copies, for as long as one of them needs them.
func TestLayersAreKeptOnce(t *testing.T) {
	s := open(t, t.TempDir())
	other := strings.Replace(ref, "a.1", "b.1", 1)
	for r, archive := range map[string][]byte{ref: legacy(t, "top"), other: legacy(t, "different")} {
		if err := s.Save(r, bytes.NewReader(archive)); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(blobs(t, s)); got != 5 { // the base, and two of each
		t.Errorf("%d blobs are kept, want 5", got)
	}
	if err := s.Retain(func(r string) bool { return r == other }); err != nil {
		t.Fatal(err)
	}
	if got := len(blobs(t, s)); got != 3 || s.Has(ref) || !s.Has(other) {
		t.Errorf("%d blobs are left, want 3; copies %v", got, s.Refs())
	}
}

// TestADamagedCopyIsNotLoaded: what is altered is found before Docker has the whole archive,
// and the copy is saved again.
func TestADamagedCopyIsNotLoaded(t *testing.T) {
	for name, alter := range map[string]func(path string) error{
		"altered": func(p string) error { return os.WriteFile(p, []byte("bAse"), 0o600) },
		"cut":     func(p string) error { return os.Truncate(p, 2) },
		"removed": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			if err := s.Save(ref, bytes.NewReader(legacy(t, "top"))); err != nil {
				t.Fatal(err)
			}
			if err := alter(s.blobPath(blob{Digest: sum("base")})); err != nil {
				t.Fatal(err)
			}
			archive, err := s.Load(ref)
			if err != nil {
				t.Fatal(err)
			}
			read, err := io.ReadAll(archive)
			_ = archive.Close()
			if !errors.Is(err, ErrDamaged) || bytes.Contains(read, []byte("RepoTags")) {
				t.Errorf("the archive ended with %v after %d bytes", err, len(read))
			}
			if s.Has(ref) {
				t.Error("there still is a copy")
			}
			if err := s.Save(ref, bytes.NewReader(legacy(t, "top"))); err != nil || !s.Has(ref) {
				t.Errorf("saved again: %v", err)
			}
		})
	}
}

// TestNothingIsKeptOfACopyThatFailed: it is whole or not there.
func TestNothingIsKeptOfACopyThatFailed(t *testing.T) {
	whole := legacy(t, "top")
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		archive io.Reader
		free    uint64
		want    error
	}{
		"no room":       {bytes.NewReader(whole), reserve - 1, ErrNoRoom},
		"cut off":       {io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), failing{broken}), 1 << 40, broken},
		"cut short":     {bytes.NewReader(whole[:2500]), 1 << 40, io.ErrUnexpectedEOF},
		"fails at last": {io.MultiReader(bytes.NewReader(whole), failing{broken}), 1 << 40, broken},
		"empty":         {strings.NewReader(""), 1 << 40, nil},
		"lacks a layer": {bytes.NewReader(pack(t, part{"c.json", config("x"), ""},
			part{"manifest.json", `[{"Config":"c.json","Layers":["x"]}]`, ""})), 1 << 40, nil},
		"another layer": {bytes.NewReader(pack(t, part{"x", "y", ""}, part{"c.json", config("x"), ""},
			part{"manifest.json", `[{"Config":"c.json","Layers":["x"]}]`, ""})), 1 << 40, nil},
		"links in a circle": {bytes.NewReader(pack(t, part{"x", "", "y"}, part{"y", "", "x"}, part{"c.json", config("x"), ""},
			part{"manifest.json", `[{"Config":"c.json","Layers":["x"]}]`, ""})), 1 << 40, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.TempDir(), Options{FreeSpace: func(string) (uint64, error) { return c.free, nil }})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Save(ref, c.archive); err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("it ended with %v, want %v", err, c.want)
			}
			if s.Has(ref) || len(blobs(t, s)) > 0 {
				t.Errorf("there is a copy, of %v", blobs(t, s))
			}
			assertClean(t, s)
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestANameWithTwoContents is found, and all is written then.
func TestANameWithTwoContents(t *testing.T) {
	s := open(t, t.TempDir())
	archive := func(layer string) io.Reader {
		return bytes.NewReader(pack(t, part{"x", layer, ""}, part{"c.json", config(layer), ""},
			part{"manifest.json", `[{"Config":"c.json","Layers":["x"]}]`, ""}))
	}
	if err := s.Save("lightd/i:a.1", archive("one")); err != nil {
		t.Fatal(err)
	}
	if err := s.Save("lightd/i:b.1", archive("two")); err == nil {
		t.Error("a layer was used as another one")
	}
	if err := s.Save("lightd/i:b.1", archive("two")); err != nil || !s.Has("lightd/i:a.1") || !s.Has("lightd/i:b.1") {
		t.Errorf("the second time: %v, copies %v", err, s.Refs())
	}
}

// TestWhatACrashLeft of a copy is removed: temporary files at once, blobs without a manifest
// with the next sweep. A manifest that cannot be read is no copy, and stops nothing.
func TestWhatACrashLeft(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := s.Save(ref, bytes.NewReader(legacy(t, "top"))); err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string]string{
		filepath.Join(s.temporary(), "blob-1"): "half",
		s.blobPath(blob{Digest: sum("x")}):     "x",
		s.manifestPath("lightd/i:b.1"):         `{"version":1,"ref":"lightd/i:b.1","config":{"digest":"sha256:../../x"}}`,
		s.manifestPath("lightd/i:c.1"):         `{`,
	} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, dir)
	assertClean(t, s)
	if err := s.Retain(func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if got := blobs(t, s); len(got) != 3 || !s.Has(ref) || !slices.Equal(s.Refs(), []string{ref}) {
		t.Errorf("blobs %v, copies %v", got, s.Refs())
	}
}

// TestOnlyTheOwnerReadsCopies, whatever the umask: layers may hold secrets.
func TestOnlyTheOwnerReadsCopies(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	s := open(t, filepath.Join(t.TempDir(), "snapshots"))
	if err := s.Save(ref, bytes.NewReader(legacy(t, "top"))); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCopiesTakeBoundedMemory, however large a layer is.
func TestCopiesTakeBoundedMemory(t *testing.T) {
	const size, most = 48 << 20, 4 << 20
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(zeros{}, size)); err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	go func() {
		out := tar.NewWriter(w)
		text := fmt.Sprintf(`{"rootfs":{"diff_ids":[%q]}}`, digestOf(h.Sum(nil)))
		index := `[{"Config":"c","Layers":["l"]}]`
		err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "l", Size: size})
		_, copied := io.CopyN(out, zeros{}, size)
		for name, data := range map[string]string{"c": text, indexName: index} {
			head := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(data))})
			_, written := io.WriteString(out, data)
			err = errors.Join(err, head, written)
		}
		_ = w.CloseWithError(errors.Join(err, copied, out.Close()))
	}()
	s := open(t, t.TempDir())
	before := allocated()
	if err := s.Save(ref, r); err != nil {
		t.Fatal(err)
	}
	archive, err := s.Load(ref)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	n, err := io.Copy(io.Discard, archive)
	if err != nil || n < size {
		t.Errorf("%d bytes, %v", n, err)
	}
	if got := allocated() - before; got > most {
		t.Errorf("%d bytes were allocated for a layer of %d, want at most %d", got, int64(size), most)
	}
}

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestManifestNamesAreOneToOne: no reference is read under the name of another.
func TestManifestNamesAreOneToOne(t *testing.T) {
	s, seen := open(t, t.TempDir()), map[string]string{}
	for _, r := range []string{ref, "lightd/i:a.1", "lightd%2Fi:a.1", "lightd/i:../a.1", "a", "A"} {
		path := s.manifestPath(r)
		if other, taken := seen[path]; taken || filepath.Dir(path) != s.manifestDir() {
			t.Errorf("%q is at %s, as is %q", r, path, other)
		}
		seen[path] = r
	}
	if len(slices.Collect(maps.Keys(seen))) != 6 {
		t.Error("names were lost")
	}
}
