package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestChownOfAHostileVolume: all that is in it is given away, however deep, with few descriptors; what its
// links lead to is not, set-uid files lose that, and a second time is none. One that was cut off goes on.
func TestChownOfAHostileVolume(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	s := open(t, t.TempDir(), Options{})
	v, err := s.Volumes(t.Context(), t.TempDir())
	must(t, err)
	defer func() { must(t, v.Close()) }()
	volume, err := v.Create(t.Context(), Creator{})
	must(t, err)
	other, err := v.Create(t.Context(), Creator{})
	must(t, err)
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "secret"), nil, 0o600))
	at := func(name string) string { return filepath.Join(volume.Path, name) }
	descend(t, volume.Path, 2_000, func(*os.Root) {})
	must(t, errors.Join(
		os.Symlink(outside, at("dir")), os.Symlink(filepath.Join(outside, "secret"), at("file")), os.Symlink("../"+other.ID, at("other")),
		os.Symlink("loop", at("loop")), os.Link(at("f"), at("hard")), syscall.Mkfifo(at("fifo"), 0o600),
		os.WriteFile(at("suid"), nil, 0o755), os.Chmod(at("suid"), 0o755|os.ModeSetuid|os.ModeSetgid)))
	owner := func(path string) (is Owner) {
		info, err := os.Lstat(path)
		must(t, err)
		st := info.Sys().(*syscall.Stat_t)
		return Owner{int(st.Uid), int(st.Gid)}
	}
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	if given, err := v.Chown(cut, volume.ID, Owner{4321, -1}); given || !errors.Is(err, context.Canceled) || owner(volume.Path).UID != 0 {
		t.Errorf("cut off: %t %v, of %v", given, err, owner(volume.Path))
	}
	fewDescriptors(t, 48)
	for _, again := range []bool{true, false} {
		if given, err := v.Chown(t.Context(), volume.ID, Owner{4321, -1}); given != again || err != nil {
			t.Errorf("given %t, want %t: %v", given, again, err)
		}
	}
	for _, name := range []string{"", "f", "d", "d/d/d/f", "dir", "file", "other", "loop", "hard", "fifo", "suid"} {
		if got := owner(at(name)); got.UID != 4321 {
			t.Errorf("%q belongs to %v", name, got)
		}
	}
	for _, path := range []string{outside, filepath.Join(outside, "secret"), other.Path} {
		if got := owner(path); got.UID != 0 {
			t.Errorf("%s belongs to %v", path, got)
		}
	}
	if info, err := os.Lstat(at("suid")); err != nil || info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if given, err := v.Chown(t.Context(), volume.ID, Owner{4321, 77}); !given || err != nil || owner(at("d/f")) != (Owner{4321, 77}) {
		t.Errorf("another group: %t %v, %v", given, err, owner(at("d/f")))
	}
}

// TestHandOver gives what was made since a time, and nothing older, of nobody else, and through no link; the volume's own
// directory too, unless something older is in it.
func TestHandOver(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	s := open(t, t.TempDir(), Options{})
	v, err := s.Volumes(t.Context(), t.TempDir())
	must(t, err)
	defer func() { must(t, v.Close()) }()
	outside := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(outside, nil, 0o600))
	for name, shared := range map[string]bool{"alone": false, "beside what is older": true} {
		volume, err := v.Create(t.Context(), Creator{})
		must(t, err)
		at := func(name string) string { return filepath.Join(volume.Path, name) }
		changed := func(path string) time.Time {
			var st syscall.Stat_t
			must(t, syscall.Lstat(path, &st))
			return time.Unix(st.Ctim.Unix())
		}
		if shared {
			must(t, os.WriteFile(at("old"), nil, 0o600))
		}
		mark := filepath.Join(t.TempDir(), "mark")
		must(t, os.WriteFile(mark, nil, 0o600))
		for since := changed(mark); !changed(mark).After(since); { // the clock of a file system goes in steps
			must(t, os.Chmod(mark, 0o600))
		}
		began := changed(mark).Add(-1)
		must(t, errors.Join(os.Mkdir(at("new"), 0o700), os.WriteFile(at("new/file"), nil, 0o600), os.Symlink(outside, at("link")),
			os.WriteFile(at("theirs"), nil, 0o600), os.Chown(at("theirs"), 77, 77), os.Chtimes(at("new/file"), time.Unix(1, 0), time.Unix(1, 0))))
		for range 2 { // it may be repeated
			must(t, v.HandOver(t.Context(), volume.ID, Handover{From: Owner{0, -1}, To: Owner{4321, 4322}, Since: began}))
		}
		want := map[string]uint32{"new": 4321, "new/file": 4321, "link": 4321, "theirs": 77, "": 4321}
		if shared {
			want["old"], want[""] = 0, 0
		}
		for file, uid := range want {
			var st syscall.Stat_t
			if must(t, syscall.Lstat(at(file), &st)); st.Uid != uid || uid == 4321 && st.Gid != 4322 {
				t.Errorf("%s: %q belongs to %d:%d, want %d", name, file, st.Uid, st.Gid, uid)
			}
		}
	}
	var st syscall.Stat_t
	if must(t, syscall.Lstat(outside, &st)); st.Uid != 0 {
		t.Errorf("what a link leads to belongs to %d", st.Uid)
	}
}
