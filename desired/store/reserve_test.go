package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lightd/desired"
)

// ext4Disk mounts an ext4 file system of so many MiB from a file, and returns its directory.
func ext4Disk(t *testing.T, megabytes int) string {
	t.Helper()
	image, dir := filepath.Join(t.TempDir(), "image"), t.TempDir()
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, int64(megabytes)<<20))
	for _, args := range [][]string{{"mkfs.ext4", "-q", "-m", "0", image}, {"mount", "-o", "loop", image, dir}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			if os.Getenv("CI") == "" {
				t.Skipf("left out: no loop device here: %s: %v: %s", args[0], err, out)
			}
			t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// TestReserveOnAFullDisk fills a real disk to the last byte under an open database: what frees
// space, powers off or is recorded of that is written all the same, all else is refused with
// what somebody needs to know, and another start on the full disk succeeds.
func TestReserveOnAFullDisk(t *testing.T) {
	for name, mount := range map[string]func(*testing.T) string{
		"tmpfs": func(t *testing.T) string { return smallDisk(t, "200") },
		"ext4":  func(t *testing.T) string { return ext4Disk(t, 200) },
	} {
		t.Run(name, func(t *testing.T) {
			disk := mount(t)
			dir := filepath.Join(disk, "db")
			s := open(t, dir, Options{Reserve: true})
			v, err := s.Volumes(t.Context(), filepath.Join(disk, "volumes"))
			must(t, err)
			defer v.Close()
			volume, err := v.Create(t.Context())
			must(t, err)
			running := spec("a")
			running.VolumeID, running.Power = volume.ID, desired.PowerRunning
			c := create(t, s, running)
			spare, err := v.Create(t.Context())
			must(t, err)
			release := occupy(t, disk, 0)
			if free, err := freeSpace(disk); err != nil || free > 64<<10 {
				t.Fatalf("%d bytes are free, %v", free, err)
			}

			_, err = v.Create(t.Context())
			var full *desired.DiskFullError
			if !errors.As(err, &full) || full.Mount != disk || full.Needed != 64<<20 || !strings.Contains(err.Error(), disk) {
				t.Errorf("a volume on a full disk: %v", err)
			}
			power := func(p desired.Power) error {
				_, err := s.Change(t.Context(), c.InternalID, func(c *desired.Container) error { c.Power = p; return nil })
				return err
			}
			must(t, power(desired.PowerStopped))
			wantErr(t, power(desired.PowerRunning), desired.ErrDiskFull)
			for i := range 1000 {
				must(t, s.Update(t.Context(), func(tx *Tx) error {
					return tx.SetEssential(fmt.Appendf(nil, "s/%d", i), bytes.Repeat([]byte{byte(i)}, 2000))
				}))
			}
			must(t, v.Delete(t.Context(), spare.ID))
			if s.Space().Level != SpaceFull || s.Space().Exhausted {
				t.Errorf("space %+v", s.Space())
			}

			must(t, s.Close())
			s, err = Open(dir, Options{Reserve: true})
			must(t, err)
			defer s.Close()
			_, err = s.Change(t.Context(), c.InternalID, func(c *desired.Container) error { c.Deleting = true; return nil })
			must(t, err)
			must(t, s.Update(t.Context(), func(tx *Tx) error { return tx.RemoveContainer(c.InternalID) }))
			release()
			must(t, s.Update(t.Context(), set("x", "y")))
			if s.Space().Level == SpaceFull {
				t.Errorf("space %+v", s.Space())
			}
		})
	}
}

// TestReserveIsBounded: what does not fit into it is refused before it reaches the database.
func TestReserveIsBounded(t *testing.T) {
	disk := smallDisk(t, "200")
	s := open(t, filepath.Join(disk, "db"), Options{Reserve: true})
	release := occupy(t, disk, 0)
	var err error
	written := 0
	for ; err == nil && written < 20000; written++ {
		err = s.Update(context.Background(), func(tx *Tx) error {
			return tx.SetEssential([]byte("s/x"), bytes.Repeat([]byte{byte(written)}, 64<<10))
		})
	}
	if !errors.Is(err, desired.ErrDiskFull) || written < 100 || !s.Space().Exhausted {
		t.Fatalf("%d writes of 64 KiB, then %v; %+v", written, err, s.Space())
	}
	changed := make(chan Space, 16)
	defer s.SubscribeSpace(func(now Space) { changed <- now })()
	release()
	for now := range changed {
		if now.Level != SpaceFull && !now.Exhausted {
			break
		}
	}
	must(t, s.Update(t.Context(), set("x", "y")))
}
