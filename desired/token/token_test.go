package token

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lightd/desired"
	"lightd/desired/kv"
	"lightd/hack/eventually"
)

func TestMain(m *testing.M) { eventually.Main(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, m *Master) (*Keeper, *kv.DB) {
	t.Helper()
	s, err := kv.Open(t.TempDir(), kv.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	k, err := Open(s, m)
	must(t, err)
	return k, s
}

const given = "lightd_0123456789abcdef"

func keeper(t testing.TB) (*Keeper, *kv.DB) {
	t.Helper()
	m, err := Given(given)
	must(t, err)
	return open(t, m)
}

func TestFiftyUsesOfASingleUseToken(t *testing.T) {
	k, s := keeper(t)
	text, _, err := k.Create(t.Context(), time.Hour, true)
	must(t, err)
	var accepted atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			g, err := k.Authenticate(t.Context(), text)
			switch {
			case err == nil:
				accepted.Add(1)
				if g.Master || !k.Valid(g) {
					t.Errorf("grant %+v", g)
				}
			case !errors.Is(err, ErrUnknown):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if accepted.Load() != 1 {
		t.Errorf("accepted %d times", accepted.Load())
	}
	k, err = Open(s, k.master)
	must(t, err)
	if _, err := k.Authenticate(t.Context(), text); !errors.Is(err, ErrUnknown) {
		t.Errorf("after reading the database again: %v", err)
	}
}

func TestTemporaryTokens(t *testing.T) {
	k, s := keeper(t)
	lasting, expires, err := k.Create(t.Context(), time.Hour, false)
	must(t, err)
	if until := time.Until(expires); until > time.Hour || until < 59*time.Minute || !WellFormed(lasting) {
		t.Errorf("token expires in %v", until)
	}
	brief, _, err := k.Create(t.Context(), time.Nanosecond, false)
	must(t, err)
	k, err = Open(s, k.master)
	must(t, err)
	g, err := k.Authenticate(t.Context(), lasting)
	if err != nil || g.Master || !g.ExpiresAt.Equal(expires) || !k.Valid(g) {
		t.Errorf("%+v, %v", g, err)
	}
	if g.ExpiresAt = time.Now(); k.Valid(g) {
		t.Error("a grant is good after its end")
	}
	for _, text := range []string{brief, lasting + "x", lasting[1:], "", given + "0"} {
		if _, err := k.Authenticate(t.Context(), text); !errors.Is(err, ErrUnknown) {
			t.Errorf("a token that is none: %v", err)
		}
	}
	must(t, k.Sweep(t.Context()))
	if n := stored(t, s); n != 1 || len(k.tokens) != 1 {
		t.Errorf("%d stored and %d in memory after a sweep, want 1", n, len(k.tokens))
	}
	var invalid *desired.ValidationError
	for _, ttl := range []time.Duration{0, -1, MaxTTL + 1} {
		if _, _, err := k.Create(t.Context(), ttl, false); !errors.As(err, &invalid) {
			t.Errorf("lifetime of %v: %v", ttl, err)
		}
	}
}

func stored(t testing.TB, s *kv.DB) (n int) {
	t.Helper()
	must(t, s.View(func(tx *kv.Tx) error {
		return tx.ScanKeys([]byte(prefix), nil, func([]byte) bool { n++; return true })
	}))
	return n
}

func TestMasterFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	m, err := FromFile(path)
	must(t, err)
	first, err := Read(path)
	must(t, err)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	k, _ := open(t, m)
	g, err := k.Authenticate(t.Context(), first)
	if err != nil || !g.Master || !k.Valid(g) {
		t.Fatalf("%+v, %v", g, err)
	}
	second, err := Reset(path)
	must(t, err)
	if _, err := k.Authenticate(t.Context(), first); !errors.Is(err, ErrUnknown) || k.Valid(g) {
		t.Errorf("the old token after a reset: %v", err)
	}
	if g, err := k.Authenticate(t.Context(), second); err != nil || !g.Master {
		t.Errorf("the new token: %+v, %v", g, err)
	}
	must(t, os.WriteFile(path, []byte("\n"), 0o600))
	if _, err := k.Authenticate(t.Context(), ""); !errors.Is(err, ErrUnknown) {
		t.Errorf("no token, when the file holds none: %v", err)
	}
	if _, err := FromFile(path); !errors.Is(err, ErrMalformed) {
		t.Errorf("open a file without a token: %v", err)
	}
	if _, err := Given("lightd_short"); !errors.Is(err, ErrMalformed) {
		t.Errorf("short token: %v", err)
	}
}

func TestParseTTL(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1s": time.Second, "90m": 90 * time.Minute, "720h": MaxTTL, "30d": MaxTTL,
		"": 0, "1": 0, "0s": 0, "-1h": 0, "31d": 0, "1.5h": 0, "1w": 0, "99999999d": 0, "1h30m": 0, "1h\n": 0,
	} {
		got, err := ParseTTL(text)
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}
