package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/desired"
)

// mounting is a spec with one mount.
func mounting(id, source string) desired.Spec {
	s := spec(id)
	s.Mount = map[string]desired.Mount{"/data": {Source: source}}
	return s
}

// TestMountSourcesOfTwoContainers: no write leaves two containers whose sources lie inside one
// another, whichever comes first and whatever the write is; equal ones and neighbours are fine.
func TestMountSourcesOfTwoContainers(t *testing.T) {
	dir := t.TempDir()
	at := func(elements ...string) string { return filepath.Join(append([]string{dir}, elements...)...) }
	must(t, os.MkdirAll(at("shared", "sub"), 0o755))
	must(t, os.Mkdir(at("shared-too"), 0o755))
	must(t, os.Symlink(at("shared", "sub"), at("link")))
	s := open(t, t.TempDir(), Options{Rules: desired.Rules{AllowedMounts: []string{dir}}})
	addVolume(t, s)
	create(t, s, mounting("a", at("shared")))
	create(t, s, mounting("same", at("shared")))
	create(t, s, mounting("beside", at("shared-too")))
	create(t, s, spec("b"))
	apply := func(specs ...desired.Spec) error {
		return s.DryRun(func(tx *Tx) error { _, err := tx.Apply(List{Specs: specs}); return err })
	}
	refused := func(err error, field, other string) {
		t.Helper()
		var located *desired.FieldPathError
		if !errors.Is(err, desired.ErrMountOverlap) || !errors.As(err, &located) || located.Field != field || !strings.Contains(err.Error(), "container "+other) {
			t.Errorf("got %v, want a refusal of %s that names %s", err, field, other)
		}
	}
	for name, source := range map[string]string{"below": at("shared", "sub"), "above": dir, "below by a link": at("link")} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Create(t.Context(), mounting("c", source))
			refused(err, "mount./data", "a")
			_, err = s.Change(t.Context(), "b", func(c *desired.Container) error {
				c.Mount = map[string]desired.Mount{"/data": {Source: source}}
				return nil
			})
			refused(err, "mount./data", "a")
			err = s.Update(t.Context(), func(tx *Tx) error { _, err := tx.Put(mounting("b", source)); return err })
			refused(err, "mount./data", "a")
			refused(apply(mounting("b", source)), "containers[0].mount./data", "a")
		})
	}
	if _, exists := s.Container("c"); exists || len(s.Containers()) != 4 {
		t.Errorf("a refused write left %d containers", len(s.Containers()))
	}
	refused(apply(spec("x"), mounting("n", at("new")), mounting("m", at("new", "sub"))), "containers[1].mount./data", "m")
	// A list takes the place of what its containers had.
	must(t, apply(mounting("a", at("elsewhere")), mounting("same", at("elsewhere")), mounting("b", at("shared", "sub"))))
}

// TestReadOnlySourcesOfTwoContainers: sources may lie inside one another where neither container can write
// to its own, and no longer once a third one can write to the outer one.
func TestReadOnlySourcesOfTwoContainers(t *testing.T) {
	s := open(t, t.TempDir(), Options{Rules: desired.Rules{AllowedMounts: []string{"/srv"}}})
	addVolume(t, s)
	readOnly := func(id, source string) desired.Spec {
		spec := mounting(id, source)
		spec.Mount["/data"] = desired.Mount{Source: source, ReadOnly: true}
		return spec
	}
	create(t, s, readOnly("outer", "/srv/x"))
	create(t, s, readOnly("inner", "/srv/x/y"))
	for _, refused := range []desired.Spec{mounting("c", "/srv/x"), mounting("c", "/srv/x/y"), mounting("c", "/srv/x/y/z"), mounting("c", "/srv")} {
		if _, err := s.Create(t.Context(), refused); !errors.Is(err, desired.ErrMountOverlap) {
			t.Errorf("%+v: %v", refused.Mount, err)
		}
	}
	create(t, s, mounting("apart", "/srv/z"))
	_, err := s.Create(t.Context(), readOnly("c", "/srv/z/y"))
	wantErr(t, err, desired.ErrMountOverlap)
	_, err = s.Change(t.Context(), "inner", func(c *desired.Container) error { c.Mount = mounting("", "/srv/x/y").Mount; return nil })
	wantErr(t, err, desired.ErrMountOverlap)
}

// TestStoredOverlapsStay: what an earlier revision let through is not refused again before its
// mounts change.
func TestStoredOverlapsStay(t *testing.T) {
	s := open(t, t.TempDir(), Options{Rules: desired.Rules{AllowedMounts: []string{"/srv"}}})
	addVolume(t, s)
	must(t, s.Update(t.Context(), func(tx *Tx) error {
		_, err := tx.create(mounting("a", "/srv/x"))
		if err == nil {
			_, err = tx.create(mounting("b", "/srv/x/y"))
		}
		return err
	}))
	change(t, s, "b", func(c *desired.Container) { c.StartupCommand = "sleep 2" })
	change(t, s, "a", func(c *desired.Container) { c.Power = desired.PowerRunning })
	change(t, s, "b", func(c *desired.Container) { c.Mount = map[string]desired.Mount{"/data": {Source: "/srv/z"}} })
}
