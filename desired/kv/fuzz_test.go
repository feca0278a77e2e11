package kv

import "testing"

// FuzzCounters: what can be read is written as it was, but for the sum that older ones lack.
func FuzzCounters(f *testing.F) {
	f.Add(counters{1, 2, 3, 4}.encode())
	f.Add(make([]byte, 24))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := decodeCounters(data)
		if err == nil && len(data) == 32 && string(c.encode()) != string(data) {
			t.Errorf("%x is written as %x", data, c.encode())
		}
	})
}
