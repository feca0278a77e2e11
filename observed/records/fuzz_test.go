package records

import (
	"encoding/json"
	"testing"
)

// FuzzJournalRecord: an event that can be read can be written again.
func FuzzJournalRecord(f *testing.F) {
	f.Add([]byte(`{"internal_id":"a","type":"Exited","message":"exit code 1","generation":3}`))
	f.Add([]byte(`{"seq":18446744073709551615}`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"time":"x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decode(1, data)
		if err != nil {
			return
		}
		if _, err := json.Marshal(e); err != nil {
			t.Errorf("%q cannot be written: %v", data, err)
		}
	})
}
