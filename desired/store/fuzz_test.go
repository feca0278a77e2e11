package store

import "testing"

// FuzzStoredRecords: a damaged record is an error, and never a panic.
func FuzzStoredRecords(f *testing.F) {
	f.Add([]byte(`{"internal_id":"a","generation":1}`))
	f.Add([]byte(`{"created_at":"2026-01-01T00:00:00Z","deleting":true}`))
	f.Add([]byte(`[{"ip":"0.0.0.0","owner":"a"}]`))
	f.Add([]byte(`{"ports":[{"port":-1}],"stop":null,"limits":{"cpu":1e309}}`))
	f.Add([]byte("\x00"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = decodeContainer("a", data)
		_, _ = decodeVolume("a", data)
		_, _ = decodeSlot(data)
	})
}
