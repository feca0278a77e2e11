package records

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lightd/desired/kv"
	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/observed/journal"
)

func TestMain(m *testing.M) { eventually.Main(m) }

var must = harness.Must

func openJournal(t testing.TB, dir string) (*Journal, *kv.DB) {
	t.Helper()
	s, err := kv.Open(dir, kv.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	j, err := OpenJournal(s)
	must(t, err)
	return j, s
}

func add(t testing.TB, j *Journal, s *kv.DB, id string, n int) {
	t.Helper()
	must(t, s.Update(t.Context(), func(tx *kv.Tx) error {
		for range n {
			if _, err := j.Append(tx, journal.Event{InternalID: id, Type: journal.Ready}); err != nil {
				return err
			}
		}
		return nil
	}))
}

// page returns the numbers of a page, and where to go on.
func page(t testing.TB, j *Journal, id string, after uint64, limit int) ([]uint64, uint64) {
	t.Helper()
	events, last, err := j.Page(id, after, limit)
	must(t, err)
	seqs := []uint64{}
	for _, e := range events {
		if id != "" && e.InternalID != id {
			t.Errorf("an event of %q in a page of %q", e.InternalID, id)
		}
		seqs = append(seqs, e.Seq)
	}
	return seqs, last
}

func TestPages(t *testing.T) {
	j, s := openJournal(t, t.TempDir())
	add(t, j, s, "a", 2)   // 1 2
	add(t, j, s, "a.b", 2) // 3 4
	add(t, j, s, "a", 2)   // 5 6
	tests := []struct {
		id    string
		after uint64
		limit int
		want  []uint64
		last  uint64
	}{
		{"", 0, 10, []uint64{1, 2, 3, 4, 5, 6}, 6},
		{"", 2, 2, []uint64{3, 4}, 4},
		{"a", 0, 10, []uint64{1, 2, 5, 6}, 6},
		{"a", 1, 2, []uint64{2, 5}, 5},
		{"a.b", 0, 10, []uint64{3, 4}, 6},
		{"a.b", 4, 10, []uint64{}, 6},
		{"none", 0, 10, []uint64{}, 6},
		{"", 6, 10, []uint64{}, 6},
		{"", 1 << 63, 10, []uint64{}, 6},
		{"", ^uint64(0), 10, []uint64{}, 6},
	}
	for _, test := range tests {
		if got, last := page(t, j, test.id, test.after, test.limit); !slices.Equal(got, test.want) || last != test.last {
			t.Errorf("page of %q after %d, at most %d: %v, %d, want %v, %d", test.id, test.after, test.limit, got, last, test.want, test.last)
		}
	}
}

func TestSubscribersAreNotifiedInOrder(t *testing.T) {
	j, s := openJournal(t, t.TempDir())
	var got []uint64
	cancel := j.Subscribe(func(e journal.Event) { got = append(got, e.Seq) })
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() { add(t, j, s, fmt.Sprintf("c%d", i), 2) })
	}
	all.Wait()
	cancel()
	add(t, j, s, "a", 1)
	want := make([]uint64, 100)
	for i := range want {
		want[i] = uint64(i + 1)
	}
	if !slices.Equal(got, want) || j.LastSeq() != 101 {
		t.Errorf("got %v, last %d", got, j.LastSeq())
	}
}

func TestPrune(t *testing.T) {
	dir := t.TempDir()
	_, s := openJournal(t, dir)
	// Events of last week, as they lie in the database.
	must(t, s.Update(t.Context(), func(tx *kv.Tx) error {
		for range pruneChunk + 10 {
			seq := tx.NextSeq()
			data, err := json.Marshal(journal.Event{Seq: seq, InternalID: "old", Time: tx.Now().Add(-keepTime - time.Minute)})
			must(t, err)
			must(t, tx.Set(eventKey(seq), data))
			must(t, tx.Set(indexKey("old", seq), nil))
		}
		return nil
	}))
	j, err := OpenJournal(s)
	must(t, err)
	add(t, j, s, "many", keepCount+pruneChunk+10)
	add(t, j, s, "few", 3)
	last := j.LastSeq()
	must(t, j.Prune(t.Context(), func(string) bool { return true }))
	for id, want := range map[string]int{"old": 0, "many": keepCount, "few": 3} {
		seqs, next := page(t, j, id, 0, 10000)
		if len(seqs) != want || next != last || j.count(id) != want {
			t.Errorf("%s: %d events, count %d, want %d", id, len(seqs), j.count(id), want)
		}
	}
	if seqs, _ := page(t, j, "many", 0, 1); seqs[0] != uint64(2*pruneChunk+21) {
		t.Errorf("the oldest that is kept is %d", seqs[0])
	}
}

// TestPruneOfDeletedContainers: those that are gone keep so many events together, the newest.
func TestPruneOfDeletedContainers(t *testing.T) {
	j, s := openJournal(t, t.TempDir())
	const gone = 40
	add(t, j, s, "alive", 500)
	add(t, j, s, "", 5)
	for i := range gone {
		add(t, j, s, fmt.Sprintf("gone-%02d", i), keepGone/gone+10)
	}
	must(t, j.Prune(t.Context(), func(id string) bool { return id == "alive" }))
	all := 0
	for i := range gone {
		all += j.count(fmt.Sprintf("gone-%02d", i))
	}
	if all != keepGone || j.count("alive") != 500 || j.count("") != 5 || j.count("gone-00") != 10+keepGone/gone-400 || j.count("gone-39") != keepGone/gone+10 {
		t.Errorf("%d of those that are gone, %d of the first, %d of the last; %d alive", all, j.count("gone-00"), j.count("gone-39"), j.count("alive"))
	}
}

func TestNumbersOutliveTheirEvents(t *testing.T) {
	dir := t.TempDir()
	j, s := openJournal(t, dir)
	add(t, j, s, "a", 5)
	must(t, s.Update(t.Context(), func(tx *kv.Tx) error {
		for seq := range uint64(5) {
			must(t, j.remove(tx, "a", seq+1))
		}
		return nil
	}))
	must(t, s.Close())
	j, s = openJournal(t, dir)
	if j.LastSeq() != 5 || len(j.counts) != 0 {
		t.Fatalf("last %d, counts %v", j.LastSeq(), j.counts)
	}
	add(t, j, s, "a", 1)
	if seqs, last := page(t, j, "", 0, 10); !slices.Equal(seqs, []uint64{6}) || last != 6 {
		t.Errorf("%v, %d", seqs, last)
	}
}

func TestFailedTransactionLeavesNoEvent(t *testing.T) {
	j, s := openJournal(t, t.TempDir())
	err := s.Update(t.Context(), func(tx *kv.Tx) error {
		_, err := j.Append(tx, journal.Event{InternalID: "a"})
		must(t, err)
		return fmt.Errorf("no")
	})
	if seqs, last := page(t, j, "", 0, 10); err == nil || len(seqs) != 0 || last != 0 || j.count("a") != 0 {
		t.Errorf("%v: %v, %d", err, seqs, last)
	}
}

func TestLongMessageIsCut(t *testing.T) {
	if got := clip(strings.Repeat("é", maxMessage)); len(got) > maxMessage+3 || !strings.HasSuffix(got, "é…") {
		t.Errorf("%d bytes, ends in %q", len(got), got[len(got)-6:])
	}
}
