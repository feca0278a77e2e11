package token

import (
	"testing"
	"time"
)

// FuzzParseTTL: what passes is a time that lies ahead.
func FuzzParseTTL(f *testing.F) {
	for _, s := range []string{"1h", "30m", "7d", "0", "-1s", "99999999999d", "1e9h", "", "d", "1.5h", "9223372036854775807ns"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if ttl, err := ParseTTL(text); err == nil && ttl <= 0 {
			t.Errorf("%q is %s", text, ttl)
		}
	})
}

// FuzzParseScopes: each scope that passes is known, and none is added.
func FuzzParseScopes(f *testing.F) {
	f.Add("read", "write")
	f.Add("admin", "")
	f.Add("READ", "read ")
	f.Fuzz(func(t *testing.T, one, other string) {
		if scopes, err := ParseScopes([]string{one, other}); err == nil && len(scopes) > 2 {
			t.Errorf("%q and %q are %v", one, other, scopes)
		}
	})
}

// FuzzTokenText: what is taken for a token in a request or a file has the form of one.
func FuzzTokenText(f *testing.F) {
	for _, s := range []string{"", "lightd_", "a b", "a\n", "\x00", "äöü"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, text string) { _ = WellFormed(text) })
}

// FuzzTokenRecord: a record that can be read is one that can be written, and a damaged one gives no scope
// that it does not name.
func FuzzTokenRecord(f *testing.F) {
	f.Add([]byte(`{"scopes":["read"],"expires_at":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"scopes":null,"containers":["a"]}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decode(data)
		if err != nil {
			return
		}
		_, _ = r.expired(time.Now()), r.holds(time.Now(), nil)
		if _, err := r.encode(); err != nil {
			t.Errorf("%q cannot be written: %v", data, err)
		}
	})
}
