package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"lightd/desired"
	"lightd/hack/smalldisk"
)

// TestOthersFillTheDisk fills a real disk under a process that writes: first so far that it
// stops by itself, and goes on when there is room; then to the last byte, which kills it.
func TestOthersFillTheDisk(t *testing.T) {
	disk := smalldisk.Tmpfs(t, 160)
	dir := filepath.Join(disk, "db")
	w := startWriter(t, dir)
	w.until("written", 20)
	release := smalldisk.Fill(t, disk, 40<<20)
	w.until("refused", 1)
	release()
	w.until("written", w.written+20)
	w.kill()
	w.end() // before that the database is not free

	w = startWriter(t, dir, blindly+"=1") // as if others had taken the room since it looked
	w.until("written", 20)
	release = smalldisk.Fill(t, disk, 0)
	w.end()
	if w.written < 40 {
		t.Errorf("%d records", w.written)
	}
	t.Logf("%d records; it ended with %v", w.written, w.cmd.ProcessState)
	_, err := Open(dir, Options{})
	if !errors.Is(err, desired.ErrDiskFull) || !strings.Contains(err.Error(), "64 MiB") {
		t.Errorf("opened on a full disk: %v", err)
	}
	release()
	s := open(t, dir, Options{tune: small})
	if n := countRecords(s); n < w.written || n > w.written+1 {
		t.Errorf("%d records, and %d were acknowledged", n, w.written)
	}
	must(t, holds(s, countRecords(s)))
}

// TestReserveIsBounded: what does not fit into it is refused before it reaches the database.
func TestReserveIsBounded(t *testing.T) {
	disk := smalldisk.Tmpfs(t, 200)
	s := open(t, filepath.Join(disk, "db"), Options{Reserve: true})
	release := smalldisk.Fill(t, disk, 0)
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

// TestReserveAtEveryFill: however full the memtable is when the disk becomes full, thousands of records of the
// size of a status are written, and the table of that memtable has its room.
func TestReserveAtEveryFill(t *testing.T) {
	const size = 2000
	for _, before := range []int{18 << 20, 31 << 20} {
		t.Run(fmt.Sprintf("%d MiB", before>>20), func(t *testing.T) {
			disk := smalldisk.Tmpfs(t, 400)
			s := open(t, filepath.Join(disk, "db"), Options{Reserve: true})
			written := 0
			write := func(set func(tx *Tx, key, value []byte) error) error {
				return s.Update(t.Context(), func(tx *Tx) error {
					for range 20 {
						written++
						if err := set(tx, fmt.Appendf(nil, "s/%d", written%1000), bytes.Repeat([]byte{byte(written)}, size)); err != nil {
							return err
						}
					}
					return nil
				})
			}
			for written*(size+entrySize) < before {
				must(t, write((*Tx).Set))
			}
			release := smalldisk.Fill(t, disk, 0)
			written = 0
			var err error
			for err == nil {
				err = write((*Tx).SetEssential)
			}
			if !errors.Is(err, desired.ErrDiskFull) || written < 10_000 {
				t.Errorf("%d records, then %v", written, err)
			}
			release()
			must(t, s.Update(t.Context(), set("x", "y")))
			closeDB(t, s)
		})
	}
}
