package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"lightd/desired"
	"lightd/desired/kv"
)

// testVolumeContents fills a volume as a hostile container would, and measures it.
func testVolumeContents(t *testing.T, v *Volumes, made Volume) {
	t.Helper()
	info, err := os.Stat(made.Path)
	must(t, err)
	parent, err := os.Stat(filepath.Dir(made.Path))
	must(t, err)
	if info.Mode().Perm() != 0o777 || parent.Mode().Perm() != 0o711 {
		t.Errorf("modes %v in %v", info.Mode(), parent.Mode())
	}
	outside := filepath.Join(t.TempDir(), "outside")
	must(t, os.WriteFile(outside, make([]byte, 1000), 0o600))
	must(t, os.Mkdir(filepath.Join(made.Path, "d"), 0o700))
	must(t, os.WriteFile(filepath.Join(made.Path, "d", "f"), make([]byte, 10), 0o600))
	must(t, os.Symlink(outside, filepath.Join(made.Path, "link")))
	must(t, os.Symlink(filepath.Dir(outside), filepath.Join(made.Path, "dirlink")))
	must(t, syscall.Mkfifo(filepath.Join(made.Path, "fifo"), 0o600))
	if size, err := sizeOf(t.Context(), v, made.ID); err != nil || size != 10 {
		t.Errorf("size %d, %v, want 10", size, err)
	}
	t.Cleanup(func() {
		if _, err := os.Stat(outside); err != nil {
			t.Errorf("removing the volume followed a link: %v", err)
		}
		if _, err := os.Lstat(made.Path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the directory is still there: %v", err)
		}
	})
}

// TestQuotaOfAVolume: it is recorded, is changed by the operator alone, and is unknown to a record of before.
func TestQuotaOfAVolume(t *testing.T) {
	dir, volumes := t.TempDir(), t.TempDir()
	s := open(t, dir, Options{})
	v, err := s.Volumes(t.Context(), volumes)
	must(t, err)
	var told []string
	defer v.SubscribeQuotas(func(id string) { told = append(told, id) })()
	const id = "d6764075-c5f1-4045-9fb3-85315b85cb0f"
	tenant := Creator{Token: "a", Bound: true}
	some, none, other := int64(10<<30), int64(0), int64(20<<30)
	for _, c := range []struct {
		quota *int64
		by    Creator
		want  int64
		err   error
	}{
		{&some, tenant, 0, desired.ErrVolumeQuotaDenied}, {&none, tenant, 0, nil}, {nil, tenant, 0, nil}, {&some, Creator{}, some, nil},
		{nil, Creator{}, some, nil}, {&some, tenant, some, nil}, {&none, tenant, some, desired.ErrVolumeQuotaDenied},
		{&other, Creator{Token: "b"}, other, nil}, {&none, Creator{}, 0, nil}, {&some, Creator{}, some, nil},
	} {
		dry := v.TryEnsure(VolumeRequest{ID: id, Quota: c.quota}, c.by, true)
		got, _, err := v.Ensure(t.Context(), VolumeRequest{ID: id, Quota: c.quota}, c.by, true)
		if !errors.Is(err, c.err) || err == nil && got.Quota != c.want || (err == nil) != (dry == nil) {
			t.Errorf("%+v: %+v, %v; tried %v", c, got, err, dry)
		}
		if all, err := v.Quotas(); err != nil || all[id] != c.want {
			t.Errorf("%+v: %v, %v", c, all, err)
		}
	}
	if len(told) != 6 {
		t.Errorf("told of %d", len(told))
	}
	must(t, s.Update(t.Context(), func(tx *Tx) error { return tx.Set(volumeKey(id), []byte(`{"created_at":"2024-01-02T03:04:05Z"}`)) }))
	if got, err := v.Get(id); err != nil || got.Quota != 0 {
		t.Errorf("of before: %+v, %v", got, err)
	}
	must(t, v.Enforce(t.Context(), id))
	if use, err := v.Use(t.Context(), id); err != nil || use.Enforced {
		t.Errorf("use %+v, %v", use, err)
	}
	must(t, v.Enforce(t.Context(), "11111111-c5f1-4045-9fb3-85315b85cb0f"))
	if quota, err := v.Quota("11111111-c5f1-4045-9fb3-85315b85cb0f"); quota != 0 || err != nil {
		t.Errorf("of none: %d, %v", quota, err)
	}
	must(t, v.Close())
}

func TestVolumeRemovalIsFinishedLater(t *testing.T) {
	dir := t.TempDir()
	s := open(t, t.TempDir(), Options{})
	v, err := s.Volumes(t.Context(), dir)
	must(t, err)
	made, err := v.Create(t.Context(), Creator{})
	must(t, err)
	// As after a crash between the mark and the removal.
	must(t, s.Update(t.Context(), func(tx *Tx) error { return tx.putVolume(made.ID, volumeRecord{Deleting: true}) }))
	if list, err := v.List(); err != nil || len(list) != 0 {
		t.Errorf("volumes %v, %v", list, err)
	}
	must(t, v.Close())
	v, err = s.Volumes(t.Context(), dir)
	must(t, err)
	must(t, v.Close())
	if _, err := os.Lstat(made.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
	if _, err := get(t, s, volumePrefix+made.ID); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("the record is still there: %v", err)
	}
}

// TestCreatorOfAVolume: the token that has made a volume stays on record. A record of an earlier version
// has none, and no token has made that volume.
func TestCreatorOfAVolume(t *testing.T) {
	dir, volumesDir := t.TempDir(), t.TempDir()
	s := open(t, dir, Options{})
	v, err := s.Volumes(t.Context(), volumesDir)
	must(t, err)
	made, err := v.Create(t.Context(), Creator{Token: "a"})
	must(t, err)
	old, err := v.Create(t.Context(), Creator{})
	must(t, err)
	must(t, s.Update(t.Context(), func(tx *Tx) error {
		return tx.Set(volumeKey(old.ID), []byte(`{"created_at":"2026-01-02T03:04:05Z"}`))
	}))
	must(t, v.Close())
	closeStore(t, s)

	s = open(t, dir, Options{})
	defer closeStore(t, s)
	v, err = s.Volumes(t.Context(), volumesDir)
	must(t, err)
	defer func() { must(t, v.Close()) }()
	for id, creator := range map[string]string{made.ID: "a", old.ID: ""} {
		if got, err := v.Get(id); err != nil || got.Creator != creator {
			t.Errorf("creator %q, %v, want %q", got.Creator, err, creator)
		}
	}
	must(t, s.View(func(tx *Tx) error {
		for _, c := range []struct {
			token, id string
			want      bool
		}{{"a", made.ID, true}, {"b", made.ID, false}, {"a", old.ID, false}, {"", old.ID, false}, {"a", "none", false}} {
			if got, err := tx.HasMadeVolume(c.token, c.id); err != nil || got != c.want {
				t.Errorf("%q has made %q: %v, %v", c.token, c.id, got, err)
			}
		}
		return nil
	}))
	must(t, v.Delete(t.Context(), made.ID))
	must(t, s.View(func(tx *Tx) error {
		got, err := tx.HasMadeVolume("a", made.ID)
		if got {
			t.Error("a volume that is gone was made by somebody")
		}
		return err
	}))
}
