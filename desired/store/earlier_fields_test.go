package store

import (
	"testing"
	"time"

	"lightd/desired"
)

// TestRecordsFromBeforeAField have the default in it, the specs of the history too: a spec without one is
// refused when it is written again.
func TestRecordsFromBeforeAField(t *testing.T) {
	const earlier = `{"internal_id":"a","image":"img","image_policy":"pinned"}`
	c, err := decodeContainer("a", []byte(earlier))
	if err != nil || c.ImagePull != desired.ImagePullMissing || c.QuotaExceeded != desired.QuotaTell || c.Image != "img" {
		t.Errorf("container: %+v, %v", c, err)
	}
	record := historyRecord{At: time.Now(), Spec: c.Spec}
	record.Spec.ImagePull, record.Spec.QuotaExceeded = desired.ImagePullNever, desired.QuotaStop
	data, err := encodeHistory(record)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := decodeHistory(data); err != nil || !kept.Spec.Equal(record.Spec) {
		t.Errorf("what is there: %+v, %v", kept.Spec, err)
	}
	packed, err := pack([]byte(`{"spec":` + earlier + `}`))
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := decodeHistory(packed); err != nil || kept.Spec.ImagePull != desired.ImagePullMissing || kept.Spec.QuotaExceeded != desired.QuotaTell {
		t.Errorf("history: %+v, %v", kept.Spec, err)
	}
}
