package snapshots

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// archiveOf is an archive of one file, and a link to it.
func archiveOf(name, data, link string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(data))})
	_, _ = w.Write([]byte(data))
	_ = w.WriteHeader(&tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: link})
	_ = w.Close()
	return b.Bytes()
}

// FuzzArchive: whatever an archive of an engine has, nothing is written outside of the store.
func FuzzArchive(f *testing.F) {
	f.Add(archiveOf("manifest.json", "[]", "/etc/passwd"))
	f.Add(archiveOf("../../escape", "x", "../x"))
	f.Add(archiveOf("/abs", "x", "l"))
	f.Add([]byte("no archive"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parent := t.TempDir()
		s, err := Open(filepath.Join(parent, "s"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		in := &incoming{store: s, known: map[string]blob{}, files: map[string]arrived{}, links: map[string]string{}}
		_ = in.read(bytes.NewReader(data))
		if list, err := os.ReadDir(parent); err != nil || len(list) != 1 {
			t.Errorf("beside the store: %v %v", list, err)
		}
	})
}
