package records

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"testing"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/hack/releases"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// TestKeysOfReleases: every key of every record of each release is read and written under its old name. A rename of a
// field in the code is none in the data.
func TestKeysOfReleases(t *testing.T) {
	for _, name := range releases.Names(t) {
		s, err := store.Open(filepath.Join(releases.Unpack(t, name), "db"), store.Options{})
		must(t, err)
		for prefix, record := range map[string]struct {
			value func() any
			least int
		}{
			"c/":   {func() any { return new(desired.Container) }, 2},
			"s/":   {func() any { return new(status.Status) }, 2},
			"e/s/": {func() any { return new(journal.Event) }, 20},
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
				t.Errorf("%s: %d records %s..., want at least %d", name, read, prefix, record.least)
			}
		}
		must(t, s.Close())
	}
}

// TestStatusesOfTheFirstRelease, which was written on a real engine: containers that run, crash, wait and have failed.
func TestStatusesOfTheFirstRelease(t *testing.T) {
	s, err := store.Open(filepath.Join(releases.Unpack(t, releases.Names(t)[0]), "db"), store.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
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
