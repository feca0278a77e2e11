package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
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
