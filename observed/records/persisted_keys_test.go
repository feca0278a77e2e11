package records

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// unpackDatabase unpacks testdata/database.tar.gz, a data directory's database as an earlier
// revision wrote it on a real engine: containers that run, crash, wait and have failed.
func unpackDatabase(t *testing.T) (dir string) {
	t.Helper()
	f, err := os.Open("testdata/database.tar.gz")
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	dir = t.TempDir()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return filepath.Join(dir, "db")
		}
		must(t, err)
		at := filepath.Join(dir, filepath.Clean(h.Name))
		if h.FileInfo().IsDir() {
			must(t, os.MkdirAll(at, 0o700))
			continue
		}
		data, err := io.ReadAll(r)
		must(t, err)
		must(t, os.WriteFile(at, data, 0o600))
	}
}

// TestDatabaseOfAnEarlierRevision opens, and every key of every record is read and written under
// its old name: a rename of a field in the code is none in the data.
func TestDatabaseOfAnEarlierRevision(t *testing.T) {
	s, err := store.Open(unpackDatabase(t), store.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	for prefix, record := range map[string]struct {
		value func() any
		least int
	}{
		"c/":   {func() any { return new(desired.Container) }, 7},
		"s/":   {func() any { return new(status.Status) }, 7},
		"e/s/": {func() any { return new(journal.Event) }, 30},
	} {
		read := 0
		must(t, s.View(func(tx *store.Tx) error {
			return tx.Scan([]byte(prefix), nil, func(k, v []byte) bool {
				checkKeysKept(t, string(k), v, record.value())
				read++
				return true
			})
		}))
		if read < record.least {
			t.Errorf("%d records %s..., want at least %d", read, prefix, record.least)
		}
	}
	statuses, err := OpenStatuses(s.DB)
	must(t, err)
	for id, want := range map[string]status.State{"running": status.StateRunning, "crashing": status.StateBackOff, "stopped": status.StateOffline} {
		st, _ := statuses.Get(id)
		if c, ok := s.Container(id); !ok || st.State != want || c.Image == "" {
			t.Errorf("%s: %t, %s, want %s", id, ok, st.State, want)
		}
	}
	if st, _ := statuses.Get("running"); st.Restarts == 0 || st.Install.Snapshot == "" || st.Get(status.Synced).Status != status.True {
		t.Errorf("running: %+v", st)
	}
}

// checkKeysKept decodes a record and encodes it again: what was there must be there still.
func checkKeysKept(t *testing.T, key string, data []byte, value any) {
	t.Helper()
	var before, after any
	must(t, json.Unmarshal(data, &before))
	if fields, ok := before.(map[string]any); ok {
		delete(fields, "seen") // the last observation, which every start makes anew now
	}
	must(t, json.Unmarshal(data, value))
	encoded, err := json.Marshal(value)
	must(t, err)
	must(t, json.Unmarshal(encoded, &after))
	if path, ok := lost("", before, after); ok {
		t.Errorf("%q: %s is lost; it was %s and is %s", key, path, data, encoded)
	}
}

// lost returns the path of the first value of before that after lacks or has otherwise.
func lost(path string, before, after any) (at string, found bool) {
	fields, ok := before.(map[string]any)
	if !ok {
		return path, !reflect.DeepEqual(before, after)
	}
	now, ok := after.(map[string]any)
	if !ok {
		return path, true
	}
	for name, value := range fields {
		if at, found := lost(path+"/"+name, value, now[name]); found {
			return at, true
		}
	}
	return "", false
}
