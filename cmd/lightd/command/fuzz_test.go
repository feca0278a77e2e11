package command

import (
	"testing"
	"time"
)

// FuzzCommandPorts: what is typed as a port or a range is one.
func FuzzCommandPorts(f *testing.F) {
	for _, s := range []string{"25565", "127.0.0.1:8080/udp", "[::1]:1-2/tcp", "80:8080", "-", ":", "1-0", "1/2/3", "[", "0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := parseRange(text); err == nil && (r.first < 1 || r.last < r.first || r.last > 65535) {
			t.Errorf("%q is %+v", text, r)
		}
		if p, err := parsePort(text); err == nil && (p.Port < 0 || p.Port > 65535 || p.ContainerPort < 0 || p.ContainerPort > 65535) {
			t.Errorf("%q is %+v", text, p)
		}
	})
}

// FuzzSince: a time is written so that the daemon reads it.
func FuzzSince(f *testing.F) {
	for _, s := range []string{"10m", "0", "2026-01-01T00:00:00Z", "-1h", "18446744073709551616", "9223372036s"} {
		f.Add(s)
	}
	now := time.Unix(1e9, 0)
	f.Fuzz(func(t *testing.T, text string) {
		since, err := parseSince(text, now)
		if err != nil {
			return
		}
		if again, err := parseSince(since, now); err != nil || again != since {
			t.Errorf("%q is %q, and then %q %v", text, since, again, err)
		}
	})
}
