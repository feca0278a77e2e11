package token

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lightd/desired"
	"lightd/desired/kv"
	"lightd/hack/eventually"
	"lightd/hack/harness"
)

func TestMain(m *testing.M) { eventually.Main(m) }

var must = harness.Must

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

// master is the grant of the master token that holds first.
func master(t testing.TB, k *Keeper) Grant {
	t.Helper()
	all, err := k.master.keys()
	must(t, err)
	return masterGrant(all[0].hash, all)
}

// create makes a token as the master does.
func create(t testing.TB, k *Keeper, s Spec) (string, Info) {
	t.Helper()
	return createBy(t, k, master(t, k), s)
}

func createBy(t testing.TB, k *Keeper, g Grant, s Spec) (string, Info) {
	t.Helper()
	if s.TTL == 0 {
		s.TTL = time.Hour
	}
	text, info, err := k.Create(t.Context(), g, s)
	must(t, err)
	return text, info
}

// grant looks a token up that holds.
func grant(t testing.TB, k *Keeper, text string) Grant {
	t.Helper()
	g, err := k.Lookup(text)
	must(t, err)
	return g
}

// use is what a request does with a token that is not refused.
func (k *Keeper) use(t testing.TB, text string) error {
	g, err := k.Lookup(text)
	if err != nil {
		return err
	}
	return k.Use(t.Context(), g, "192.0.2.1")
}

func TestFiftyUsesOfASingleUseToken(t *testing.T) {
	k, s := keeper(t)
	text, info := create(t, k, Spec{SingleUse: true})
	var accepted atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			switch err := k.use(t, text); {
			case err == nil:
				accepted.Add(1)
			case !errors.Is(err, ErrUnknown):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if accepted.Load() != 1 {
		t.Errorf("accepted %d times", accepted.Load())
	}
	var err error
	k, err = Open(s, k.master)
	must(t, err)
	if err := k.use(t, text); !errors.Is(err, ErrUnknown) {
		t.Errorf("after the database was read again: %v", err)
	}
	if got, err := k.Get(master(t, k), info.ID); err != nil || !got.Used || got.LastUsedFrom != "192.0.2.1" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestRefusedUseIsReleased: what a refused request has used can be used again, once; a token that was
// revoked meanwhile stays so.
func TestRefusedUseIsReleased(t *testing.T) {
	k, _ := keeper(t)
	text, info := create(t, k, Spec{SingleUse: true})
	g := grant(t, k, text)
	must(t, k.Use(t.Context(), g, ""))
	if err := k.use(t, text); !errors.Is(err, ErrUnknown) {
		t.Errorf("in use: %v", err)
	}
	must(t, k.Release(t.Context(), g))
	must(t, k.use(t, text))
	if !k.Valid(g) {
		t.Error("a connection that the token opened is refused before it expires")
	}
	must(t, k.Revoke(t.Context(), master(t, k), info.ID))
	if err := k.Release(t.Context(), g); !errors.Is(err, ErrUnknown) || k.Valid(g) {
		t.Errorf("released after its end: %v", err)
	}
}

func TestTemporaryTokens(t *testing.T) {
	k, s := keeper(t)
	lasting, info := create(t, k, Spec{})
	if until := time.Until(info.ExpiresAt); until > time.Hour || until < 59*time.Minute || !WellFormed(lasting) {
		t.Errorf("token expires in %v", until)
	}
	brief, _ := create(t, k, Spec{TTL: time.Nanosecond})
	k, err := Open(s, k.master)
	must(t, err)
	g, err := k.Lookup(lasting)
	if err != nil || g.Master() || !g.ExpiresAt.Equal(info.ExpiresAt) || !k.Valid(g) || g.Scopes.Allow(ScopeAdmin) || g.ID != info.ID {
		t.Errorf("%+v, %v", g, err)
	}
	for _, text := range []string{brief, lasting + "x", lasting[1:], "", given + "0"} {
		if _, err := k.Lookup(text); !errors.Is(err, ErrUnknown) {
			t.Errorf("a token that is none: %v", err)
		}
	}
	must(t, k.Sweep(t.Context()))
	if n := len(dump(t, s)); n != 1 || len(k.tokens) != 1 {
		t.Errorf("%d stored and %d in memory after a sweep, want 1", n, len(k.tokens))
	}
	for _, value := range dump(t, s) {
		if strings.Contains(value, lasting) || strings.Contains(value, "lightd_") {
			t.Errorf("the database has a token: %s", value)
		}
	}
}

// TestNoTokenGivesMoreThanItHas: neither scopes, nor containers, nor life.
func TestNoTokenGivesMoreThanItHas(t *testing.T) {
	k, _ := keeper(t)
	admin := func(c Containers, ttl time.Duration) Grant {
		text, _ := create(t, k, Spec{Scopes: Scopes{ScopeAdmin}, Containers: c, TTL: ttl})
		return grant(t, k, text)
	}
	two, tenant := admin(Containers{IDs: []string{"b", "a"}}, time.Hour), admin(Containers{Selector: "tenant=a"}, time.Hour)
	reader, _ := create(t, k, Spec{Scopes: Scopes{ScopeRead}})
	for name, c := range map[string]struct {
		by    Grant
		spec  Spec
		field string
	}{
		"no life":            {two, Spec{}, "ttl"},
		"a negative life":    {two, Spec{TTL: -1}, "ttl"},
		"a long life":        {master(t, k), Spec{TTL: MaxTTL + 1}, "ttl"},
		"a longer life":      {two, Spec{TTL: 2 * time.Hour}, "ttl"},
		"another container":  {two, Spec{TTL: time.Minute, Containers: Containers{IDs: []string{"a", "c"}}}, "containers"},
		"another scope":      {grant(t, k, reader), Spec{TTL: time.Minute, Scopes: Scopes{ScopeWrite}}, "scopes"},
		"scopes by default":  {grant(t, k, reader), Spec{TTL: time.Minute}, "scopes"},
		"a name of two rows": {two, Spec{TTL: time.Minute, Name: "a\nb"}, "name"},
	} {
		var invalid *desired.ValidationError
		if _, _, err := k.Create(t.Context(), c.by, c.spec); !errors.As(err, &invalid) || invalid.Fields[0].Field != c.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]struct {
		by          Grant
		given, want Containers
	}{
		"nothing said":      {two, Containers{}, Containers{IDs: []string{"a", "b"}}},
		"fewer":             {two, Containers{IDs: []string{"b", "b"}}, Containers{IDs: []string{"b"}}},
		"a selector of ids": {two, Containers{Selector: "x"}, Containers{IDs: []string{"a", "b"}, Selector: "x"}},
		"ids of a selector": {tenant, Containers{IDs: []string{"z"}}, Containers{IDs: []string{"z"}, Selector: "tenant=a"}},
		"a selector more":   {tenant, Containers{Selector: "!x"}, Containers{Selector: "tenant=a,!x"}},
		"the same selector": {tenant, Containers{Selector: "tenant=a"}, Containers{Selector: "tenant=a"}},
	} {
		_, info := createBy(t, k, c.by, Spec{TTL: time.Minute, Containers: c.given})
		if !reflect.DeepEqual(info.Containers, c.want) || info.Creator != c.by.ID {
			t.Errorf("%s: %+v", name, info)
		}
	}
}

// TestRevokedWithAllThatItMade: who is revoked leaves no token behind, and makes none after it.
func TestRevokedWithAllThatItMade(t *testing.T) {
	k, s := keeper(t)
	other, _ := create(t, k, Spec{Scopes: Scopes{ScopeAdmin}})
	parent, info := create(t, k, Spec{Scopes: Scopes{ScopeAdmin}, Containers: Containers{IDs: []string{"a"}}})
	child, childInfo := createBy(t, k, grant(t, k, parent), Spec{TTL: time.Minute, Scopes: Scopes{ScopeAdmin}})
	grandchild, _ := createBy(t, k, grant(t, k, child), Spec{TTL: time.Second})
	if err := k.Revoke(t.Context(), grant(t, k, child), info.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("a child revokes its parent: %v", err)
	}
	if got := k.List(grant(t, k, child)); len(got) != 2 {
		t.Errorf("a token for one container lists %+v", got)
	}
	if got := k.List(grant(t, k, other)); len(got) != 4 {
		t.Errorf("a token for all lists %+v", got)
	}
	if _, err := k.Get(grant(t, k, child), childInfo.ID); err != nil {
		t.Error(err)
	}
	gone := []Grant{grant(t, k, parent), grant(t, k, child), grant(t, k, grandchild)}
	must(t, k.Revoke(t.Context(), grant(t, k, other), info.ID))
	for i, text := range []string{parent, child, grandchild} {
		if _, err := k.Lookup(text); !errors.Is(err, ErrUnknown) || k.Valid(gone[i]) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if _, _, err := k.Create(t.Context(), gone[1], Spec{TTL: time.Second}); !errors.Is(err, ErrUnknown) {
		t.Errorf("made by who was revoked: %v", err)
	}
	must(t, k.use(t, other))
	if n := len(dump(t, s)); n != 1 {
		t.Errorf("%d are stored", n)
	}
}

// TestResetEndsAll: every token ends with the master token that it goes back to.
func TestResetEndsAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	m, err := FromFile(path)
	must(t, err)
	k, _ := open(t, m)
	text, _ := create(t, k, Spec{})
	first, g := grant(t, k, text), master(t, k)
	_, err = Reset(path, time.Hour)
	must(t, err)
	if !k.Valid(first) || !k.Valid(g) {
		t.Error("what is to be kept for an hour has ended")
	}
	second, _ := create(t, k, Spec{}) // by the new one
	if n := [2]int{k.MadeBy(k.Masters()[0]), k.MadeBy(k.Masters()[1])}; n != [2]int{1, 1} {
		t.Errorf("the masters have made %d", n)
	}
	_, err = Reset(path, time.Millisecond)
	must(t, err)
	time.Sleep(2 * time.Millisecond)
	for _, old := range []string{text, second} {
		if _, err := k.Lookup(old); !errors.Is(err, ErrUnknown) {
			t.Errorf("after its master token has ended: %v", err)
		}
	}
	if k.Valid(first) || k.Valid(g) || len(k.List(master(t, k))) > 0 {
		t.Error("connections or lists outlast it")
	}
}

// TestEndIsTheEarlierOne: what is known of a token has the end of the master token that it goes back to,
// where that is before its own.
func TestEndIsTheEarlierOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	m, err := FromFile(path)
	must(t, err)
	k, _ := open(t, m)
	old := master(t, k)
	_, short := create(t, k, Spec{TTL: time.Minute})
	_, long := create(t, k, Spec{TTL: 24 * time.Hour})
	reset := time.Now()
	_, err = Reset(path, time.Hour)
	must(t, err)
	_, lateShort := createBy(t, k, old, Spec{TTL: time.Minute})
	_, lateLong := createBy(t, k, old, Spec{TTL: 24 * time.Hour})
	_, fresh := create(t, k, Spec{TTL: 24 * time.Hour})
	got := map[string]time.Time{}
	for _, i := range k.List(master(t, k)) {
		got[i.ID] = i.ExpiresAt
		if one, err := k.Get(old, i.ID); err != nil || !one.ExpiresAt.Equal(i.ExpiresAt) {
			t.Errorf("%+v, %v", one, err)
		}
	}
	for name, c := range map[string]struct {
		info  Info
		lives time.Duration // since the reset, at most
	}{"short": {short, time.Minute}, "long": {long, time.Hour + time.Minute}, "short by the old one": {lateShort, 2 * time.Minute}, "long by the old one": {lateLong, time.Hour + time.Minute}} {
		if got[c.info.ID].IsZero() || got[c.info.ID].After(reset.Add(c.lives)) {
			t.Errorf("%s: ends at %s", name, got[c.info.ID])
		}
	}
	if !lateLong.ExpiresAt.Equal(got[lateLong.ID]) {
		t.Errorf("its creation says %s", lateLong.ExpiresAt)
	}
	if !got[fresh.ID].Equal(fresh.ExpiresAt) || fresh.ExpiresAt.Before(reset.Add(23*time.Hour)) {
		t.Errorf("one of the new master token ends at %s", got[fresh.ID])
	}
}

// TestEarlierVersion: tokens of a database that knew of no scopes go on to work, all but for making
// tokens, and end with the master token of the day.
func TestEarlierVersion(t *testing.T) {
	s, err := kv.Open(t.TempDir(), kv.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	lasting, once := generate(), generate()
	must(t, s.Update(t.Context(), func(tx *kv.Tx) error {
		until := time.Now().Add(time.Hour).Format(time.RFC3339Nano)
		return errors.Join(
			tx.Set(key(hashOf(lasting)), []byte(`{"expires_at":"`+until+`"}`)),
			tx.Set(key(hashOf(once)), []byte(`{"expires_at":"`+until+`","single_use":true}`)))
	}))
	m, err := Given(given)
	must(t, err)
	k, err := Open(s, m)
	must(t, err)
	if g := grant(t, k, lasting); !reflect.DeepEqual(g.Scopes, Unprivileged) || !g.Containers.All() || !k.Valid(g) {
		t.Errorf("%+v", g)
	}
	must(t, k.use(t, once))
	if err := k.use(t, once); !errors.Is(err, ErrUnknown) {
		t.Errorf("used twice: %v", err)
	}
	must(t, k.Flush(t.Context()))
	for _, c := range []struct {
		master string
		want   error
	}{{given, nil}, {given + "-another", ErrUnknown}} {
		m, err := Given(c.master)
		must(t, err)
		later, err := Open(s, m)
		must(t, err)
		if err := later.use(t, lasting); !errors.Is(err, c.want) {
			t.Errorf("with the master token %s: %v", c.master, err)
		}
	}
}

// TestQuota: it is kept with the token, and is refused where it could be evaded.
func TestQuota(t *testing.T) {
	k, s := keeper(t)
	zero, high := 0, maxQuota+1
	bound, quota := Containers{Selector: "tenant=a"}, Quota{Volumes: &zero}
	text, info := create(t, k, Spec{Containers: bound, Quota: quota})
	k, err := Open(s, k.master)
	must(t, err)
	if got := grant(t, k, text).Quota; got.Volumes == nil || *got.Volumes != 0 || got.Containers != nil || !reflect.DeepEqual(info.Quota, got) {
		t.Errorf("the quota is %+v, was %+v", got, info.Quota)
	}
	for field, spec := range map[string]Spec{
		"quota: needs containers":                          {Quota: quota},
		"quota: cannot be of a token with the scope admin": {Containers: bound, Quota: quota, Scopes: Scopes{ScopeAdmin}},
		"quota.ports: must be from 0 to":                   {Containers: bound, Quota: Quota{Ports: &high}},
	} {
		spec.TTL = time.Hour
		if _, _, err := k.Create(t.Context(), master(t, k), spec); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%+v: %v, want %s", spec, err, field)
		}
	}
}

// TestLastUse: it shows at once, and is written with those of other tokens.
func TestLastUse(t *testing.T) {
	k, s := keeper(t)
	text, info := create(t, k, Spec{Name: "panel"})
	before := dump(t, s)
	for range 3 {
		must(t, k.use(t, text))
	}
	if got, err := k.Get(master(t, k), info.ID); err != nil || got.LastUsedFrom != "192.0.2.1" || time.Since(got.LastUsedAt) > time.Minute || got.Name != "panel" {
		t.Errorf("%+v, %v", got, err)
	}
	if !reflect.DeepEqual(dump(t, s), before) {
		t.Error("a use was written at once")
	}
	must(t, k.Flush(t.Context()))
	k, err := Open(s, k.master)
	must(t, err)
	if got := k.List(master(t, k)); len(got) != 1 || got[0].LastUsedFrom != "192.0.2.1" || got[0].Used {
		t.Errorf("%+v", got)
	}
}

// TestScopes: which scope brings which along.
func TestScopes(t *testing.T) {
	for have, want := range map[Scope]string{
		ScopeRead: "read", ScopeConsole: "console", ScopePower: "power", ScopeFiles: "files",
		ScopeWrite: "read,power,write", ScopeAdmin: AllScopes.Text(),
	} {
		var allowed Scopes
		for _, need := range AllScopes {
			if (Scopes{have}).Allow(need) {
				allowed = append(allowed, need)
			}
		}
		if allowed.Text() != want {
			t.Errorf("%s allows %s", have, allowed.Text())
		}
	}
	if s, err := ParseScopes([]string{"power", "console", "power"}); err != nil || s.Text() != "console,power" {
		t.Errorf("%v, %v", s, err)
	}
	for _, names := range [][]string{{}, {""}, {"read", "root"}, {"READ"}} {
		if s, err := ParseScopes(names); err == nil {
			t.Errorf("%q: %v", names, s)
		}
	}
}

func dump(t testing.TB, s *kv.DB) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, s.View(func(tx *kv.Tx) error {
		return tx.Scan([]byte(prefix), nil, func(k, v []byte) bool { all[string(k)] = string(v); return true })
	}))
	return all
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
	g, err := k.Lookup(first)
	if err != nil || !g.Master() || !k.Valid(g) {
		t.Fatalf("%+v, %v", g, err)
	}
	second, err := Reset(path, 0)
	must(t, err)
	if _, err := k.Lookup(first); !errors.Is(err, ErrUnknown) || k.Valid(g) {
		t.Errorf("the old token after a reset: %v", err)
	}
	if g, err := k.Lookup(second); err != nil || !g.Master() {
		t.Errorf("the new token: %+v, %v", g, err)
	}
	third, err := Reset(path, time.Hour)
	must(t, err)
	for _, holds := range []string{second, third} {
		if g, err := k.Lookup(holds); err != nil || !g.Master() || !k.Valid(g) {
			t.Errorf("of two that hold: %+v, %v", g, err)
		}
	}
	if data, err := os.ReadFile(keptPath(path)); err != nil || strings.Contains(string(data), second) {
		t.Errorf("what is kept of the former one is %s, %v", data, err)
	}
	if _, err = Reset(path, 0); err != nil {
		t.Fatal(err)
	}
	for _, over := range []string{first, second, third} {
		if _, err := k.Lookup(over); !errors.Is(err, ErrUnknown) {
			t.Errorf("after a reset: %v", err)
		}
	}
	must(t, os.WriteFile(path, []byte("\n"), 0o600))
	if _, err := k.Lookup(""); !errors.Is(err, ErrUnknown) {
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
