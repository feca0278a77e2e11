package store

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"lightd/desired"
	"lightd/desired/kv"
	"lightd/hack/smalldisk"
)

// TestReserveOnAFullDisk fills a real disk to the last byte under an open database: what frees
// space, powers off or is recorded of that is written all the same, all else is refused with
// what somebody needs to know, and another start on the full disk succeeds.
func TestReserveOnAFullDisk(t *testing.T) {
	for name, mount := range map[string]func(testing.TB, int) string{"tmpfs": smalldisk.Tmpfs, "ext4": smalldisk.Ext4} {
		t.Run(name, func(t *testing.T) {
			disk := mount(t, 200)
			dir := filepath.Join(disk, "db")
			s := open(t, dir, Options{Database: kv.Options{Reserve: true}})
			v, err := s.Volumes(t.Context(), filepath.Join(disk, "volumes"))
			must(t, err)
			defer v.Close()
			volume, err := v.Create(t.Context(), Creator{})
			must(t, err)
			running := spec("a")
			running.VolumeID, running.Power = volume.ID, desired.PowerRunning
			c := create(t, s, running)
			spare, err := v.Create(t.Context(), Creator{})
			must(t, err)
			release := smalldisk.Fill(t, disk, 0)
			if free := smalldisk.Free(t, disk); free > 64<<10 {
				t.Fatalf("%d bytes are free", free)
			}

			_, err = v.Create(t.Context(), Creator{})
			var full *desired.DiskFullError
			if !errors.As(err, &full) || full.Mount != disk || full.Needed != 64<<20 || !strings.Contains(err.Error(), disk) {
				t.Errorf("a volume on a full disk: %v", err)
			}
			power := func(p desired.Power) error {
				_, err := s.Change(t.Context(), c.InternalID, func(c *desired.Container) error { c.Power = p; return nil })
				return err
			}
			suspend := func(on bool) error {
				_, err := s.Change(t.Context(), c.InternalID, func(c *desired.Container) error { c.Suspended = on; return nil })
				return err
			}
			must(t, suspend(true))
			wantErr(t, suspend(false), desired.ErrDiskFull)
			must(t, power(desired.PowerStopped))
			must(t, suspend(false))
			wantErr(t, power(desired.PowerRunning), desired.ErrDiskFull)
			for i := range 1000 {
				must(t, s.Update(t.Context(), func(tx *Tx) error {
					return tx.SetEssential(fmt.Appendf(nil, "s/%d", i), bytes.Repeat([]byte{byte(i)}, 2000))
				}))
			}
			must(t, v.Delete(t.Context(), spare.ID))
			if s.Space().Level != kv.SpaceFull || s.Space().Exhausted {
				t.Errorf("space %+v", s.Space())
			}

			must(t, s.Close())
			s, err = Open(dir, Options{Database: kv.Options{Reserve: true}})
			must(t, err)
			defer s.Close()
			_, err = s.Change(t.Context(), c.InternalID, func(c *desired.Container) error { c.Deleting = true; return nil })
			must(t, err)
			must(t, s.Update(t.Context(), func(tx *Tx) error { return tx.RemoveContainer(c.InternalID) }))
			release()
			must(t, s.Update(t.Context(), set("x", "y")))
			if s.Space().Level == kv.SpaceFull {
				t.Errorf("space %+v", s.Space())
			}
		})
	}
}
