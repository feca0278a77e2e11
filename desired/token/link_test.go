package token

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lightd/desired/kv"
)

// TestLinks: one holds for its method, its time, and as long as the token and the master token that made it.
func TestLinks(t *testing.T) {
	db, err := kv.Open(filepath.Join(t.TempDir(), "db"), kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	file := filepath.Join(t.TempDir(), "token")
	master, err := FromFile(file)
	if err != nil {
		t.Fatal(err)
	}
	k, err := Open(db, master)
	if err != nil {
		t.Fatal(err)
	}
	grant := func(text string) Grant {
		t.Helper()
		g, err := k.Lookup(text)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	text, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	operator := grant(text)
	made, info, err := k.Create(t.Context(), operator, Spec{TTL: time.Hour, Scopes: Scopes{ScopeFiles}})
	if err != nil {
		t.Fatal(err)
	}
	want := Link{Method: "PUT", Volume: "v", Path: "a/b", MaxBytes: 7, ExpiresAt: time.Now().Add(time.Minute).Unix()}
	signed := func(g Grant, l Link) string {
		t.Helper()
		link, err := k.SignLink(t.Context(), g, l)
		if err != nil {
			t.Fatal(err)
		}
		return link
	}
	byMaster, byToken := signed(operator, want), signed(grant(made), want)
	if got, g, err := k.OpenLink(byToken, "PUT"); err != nil || got != want || g.ID != info.ID || !g.Scopes.Allow(ScopeFiles) || g.Scopes.Allow(ScopeRead) {
		t.Errorf("%+v, %+v, %v", got, g, err)
	}
	if _, g, err := k.OpenLink(byMaster, "PUT"); err != nil || !g.Master() {
		t.Errorf("%+v, %v", g, err)
	}
	ended := want
	ended.ExpiresAt = time.Now().Unix()
	refused := func(link, method string) {
		t.Helper()
		if _, _, err := k.OpenLink(link, method); !errors.Is(err, ErrUnknown) {
			t.Errorf("%.20s of %s: %v", link, method, err)
		}
	}
	refused(byMaster, "GET")
	refused(signed(operator, ended), "PUT")
	body, signature, _ := strings.Cut(byMaster, ".")
	other, _, _ := strings.Cut(signed(operator, Link{Method: "PUT", Volume: "v", Path: "a/c", ExpiresAt: want.ExpiresAt}), ".")
	for _, bad := range []string{"", ".", body, body + ".", "." + signature, other + "." + signature, body + "." + signature + "A", body + "." + strings.ToLower(signature), byMaster + ".x", strings.Repeat("A", 1<<20)} {
		refused(bad, "PUT")
	}
	if err := k.Revoke(t.Context(), operator, info.ID); err != nil {
		t.Fatal(err)
	}
	refused(byToken, "PUT")
	if _, err := Reset(file, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.OpenLink(byMaster, "PUT"); err != nil {
		t.Errorf("while the former master token holds: %v", err)
	}
	if _, err := Reset(file, 0); err != nil {
		t.Fatal(err)
	}
	refused(byMaster, "PUT")
}
