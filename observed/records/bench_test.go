package records

import (
	"fmt"
	"testing"

	"lightd/desired/kv"
	"lightd/observed/journal"
)

// BenchmarkAppend appends an event in a transaction of its own, on disk when it returns.
func BenchmarkAppend(b *testing.B) {
	j, s := openJournal(b, b.TempDir())
	for b.Loop() {
		add(b, j, s, "a", 1)
	}
}

// BenchmarkAppend100 appends an event of each of 100 containers in one transaction.
func BenchmarkAppend100(b *testing.B) {
	j, s := openJournal(b, b.TempDir())
	ids := make([]string, 100)
	for i := range ids {
		ids[i] = fmt.Sprint("server-", i)
	}
	b.ReportAllocs()
	for b.Loop() {
		must(b, s.Update(b.Context(), func(tx *kv.Tx) error {
			for _, id := range ids {
				if _, err := j.Append(tx, journal.Event{InternalID: id, Type: journal.Ready}); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}
