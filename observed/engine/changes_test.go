package engine

import (
	"fmt"
	"io"
	"runtime/metrics"
	"strings"
	"testing"
)

func TestChangesAreDecodedEntryByEntry(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		want   []Change
		failed bool
	}{
		"none":      {"null\n", nil, false},
		"empty":     {"[]", nil, false},
		"two":       {`[{"Path":"/a","Kind":1},{"Path":"/b","Kind":2}]`, []Change{{"/a", Added}, {"/b", Deleted}}, false},
		"cut short": {`[{"Path":"/a","Kind":1}`, []Change{{"/a", Added}}, true},
		"cut off":   {``, nil, true},
		"no list":   {`{"message":"x"}`, nil, true},
	} {
		var got []Change
		err := decodeChanges(strings.NewReader(c.body), func(c Change) bool {
			got = append(got, c)
			return true
		})
		if fmt.Sprint(got) != fmt.Sprint(c.want) || (err != nil) != c.failed {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

// TestChangesAreReadInBoundedMemory: a script may write millions of files. One that decides
// ends the reading.
func TestChangesAreReadInBoundedMemory(t *testing.T) {
	const entries, most = 1 << 20, 1 << 20
	r, w := io.Pipe()
	go func() {
		_, err := io.WriteString(w, "[")
		for i := 0; i < entries && err == nil; i++ {
			_, err = fmt.Fprintf(w, `{"Path":"/opt/some/directory/file-%d","Kind":1},`, i)
		}
		_ = w.Close()
	}()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	seen, peak := 0, uint64(0)
	metrics.Read(sample)
	before := sample[0].Value.Uint64()
	err := decodeChanges(r, func(Change) bool {
		if seen++; seen%4096 == 0 {
			metrics.Read(sample)
			peak = max(peak, sample[0].Value.Uint64()-min(before, sample[0].Value.Uint64()))
		}
		return seen < entries/2
	})
	_ = r.Close()
	if err != nil || seen != entries/2 {
		t.Fatalf("%d entries were read, %v", seen, err)
	}
	if limit := uint64(16 * most); peak > limit {
		t.Errorf("%d bytes were in use for %d entries, want at most %d", peak, seen, limit)
	}
}

// TestMappedRoot: the engine's directory tells whom it maps root to.
func TestMappedRoot(t *testing.T) {
	for dir, want := range map[string][2]int{
		"/var/lib/docker/100000.100001":  {100000, 100001},
		"/var/lib/docker/100000.100001/": {100000, 100001},
		"/var/lib/docker":                {0, 0},
		"/srv/docker.d":                  {0, 0},
		"/srv/1.x":                       {0, 0},
		"/srv/-1.-2":                     {0, 0},
		"":                               {0, 0},
	} {
		if uid, gid := mappedRoot(dir); uid != want[0] || gid != want[1] {
			t.Errorf("%q: %d:%d", dir, uid, gid)
		}
	}
}
