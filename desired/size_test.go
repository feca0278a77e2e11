package desired

import "testing"

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0", -1: "-1", 1023: "1023", 1 << 10: "1 KiB", 68157440: "65 MiB", 1 << 30: "1 GiB", 1536 << 20: "1536 MiB", maxMemory: "64 TiB", 6<<20 + 1: "6291457"} {
		if got := FormatSize(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}
