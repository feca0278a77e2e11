package rest

import (
	"net/url"
	"testing"
)

// FuzzPage: no token of a page makes it one of another list, or one without a beginning; a token that is given leads
// to where it was given.
func FuzzPage(f *testing.F) {
	for _, seed := range []string{"", "files\n", "files\na", "volumes\na", "files\n\xff\n", "a"} {
		f.Add(seed, seed, "10")
	}
	f.Fuzz(func(t *testing.T, token, key, limit string) {
		p, err := LargePageOf(url.Values{QueryContinue: {token}, QueryLimit: {limit}}, "files", 100)
		if err == nil && (p.After() == "" || p.Limit() < 1 || p.Limit() > 100) {
			t.Errorf("%q: %+v", token, p)
		}
		if key == "" {
			return
		}
		next := Page{list: "files"}.Next(key)
		if p, err = LargePageOf(url.Values{QueryContinue: {next}}, "files", 100); err != nil || p.After() != key || p.Limit() != 100 {
			t.Errorf("%q: %+v, %v", key, p, err)
		}
		if _, err = LargePageOf(url.Values{QueryContinue: {next}}, "volumes", 100); err == nil {
			t.Errorf("%q is a page of another list", key)
		}
	})
}
