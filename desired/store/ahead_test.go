package store

import (
	"encoding/binary"
	"maps"
	"reflect"
	"testing"
)

// interrupted returns the files of a database at the moment at which the write of a record of
// that number was said to be safe, and those right before the write.
func interrupted(t *testing.T, s *Store, number int) (before, at files) {
	t.Helper()
	before = read(t, s.dir)
	key, value := record(number)
	must(t, s.Update(t.Context(), func(tx *Tx) error {
		tx.WhenSafe(func() {
			if at != nil {
				t.Error("told twice")
			}
			at = read(t, s.dir)
		})
		return tx.Set([]byte(key), value)
	}))
	if at == nil {
		t.Fatal("not told that the write is safe")
	}
	return before, at
}

// TestSafeBeforeTheCommit: what was said to be safe is there, whatever became of the commit
// itself.
func TestSafeBeforeTheCommit(t *testing.T) {
	s := open(t, t.TempDir(), Options{tune: small})
	fill(t, s, 0, 30)
	before, at := interrupted(t, s, 30)
	after := read(t, s.dir)

	alone := maps.Clone(at)
	alone[underWay] = before[underWay]
	kept := open(t, alone.write(t), Options{tune: small})
	if err := holds(kept, 30); err != nil {
		t.Fatalf("the write was in the database before it was said to be safe: %v", err)
	}

	for name, image := range map[string]files{"before it": at, "after it": after} {
		dir := image.write(t)
		for range 2 {
			again := open(t, dir, Options{tune: small})
			if err := holds(again, 31); err != nil {
				t.Errorf("killed %s: %v", name, err)
			}
			if got, want := still(again).Revision, still(s).Revision; got != want {
				t.Errorf("killed %s: revision %d, want %d", name, got, want)
			}
			closeStore(t, again)
		}
		again := open(t, dir, Options{tune: small})
		fill(t, again, 31, 40)
		if err := holds(again, 40); err != nil {
			t.Errorf("killed %s, then written to: %v", name, err)
		}
	}
}

// TestCommitUnderWayIsTornOrOld: a file that is not whole, or not of this database as it is,
// changes nothing.
func TestCommitUnderWayIsTornOrOld(t *testing.T) {
	s := open(t, t.TempDir(), Options{tune: small})
	fill(t, s, 0, 3)
	before, at := interrupted(t, s, 3)
	whole := at[underWay] // and behind it a rest of what was longer
	whole = whole[:aheadHead+binary.BigEndian.Uint64(whole[8:])]
	check := func(what string, image files, want int) {
		t.Helper()
		dir := image.write(t)
		for range 2 { // the second time against what the first one says that it holds
			again := open(t, dir, Options{tune: small})
			if err := holds(again, want); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			closeStore(t, again)
		}
	}
	for _, length := range []int{0, 7, 8, 15, 16, 40, len(whole) / 2, len(whole) - 1} {
		image := maps.Clone(before)
		image[underWay] = whole[:length]
		check("cut", image, 3)
	}
	for _, place := range []int{0, 8, 15, 16, 47, 48, len(whole) - 1} {
		image := maps.Clone(before)
		image[underWay] = append([]byte(nil), whole...)
		image[underWay][place] ^= 1
		check("altered", image, 3)
	}
	image := maps.Clone(before)
	image[underWay] = append(append([]byte(nil), whole...), "of a longer one"...)
	check("with a rest", image, 4)

	fill(t, s, 4, 6)
	image = read(t, s.dir)
	image[underWay] = whole
	check("old", image, 6)
}

// TestCommitTooLongToBeSafe is made, and nobody is told of it beforehand.
func TestCommitTooLongToBeSafe(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Update(t.Context(), func(tx *Tx) error {
		tx.WhenSafe(func() { t.Error("told that it is safe") })
		return tx.Set([]byte("k/long"), make([]byte, maxAhead))
	}))
	if v, err := get(t, s, "k/long"); err != nil || len(v) != maxAhead {
		t.Errorf("%d bytes, %v", len(v), err)
	}
}

// TestNoWriteIsSafeThatIsRefused: neither one that fails nor one for which there is no room.
func TestNoWriteIsSafeThatIsRefused(t *testing.T) {
	room := uint64(1 << 40)
	s := open(t, t.TempDir(), Options{FreeSpace: func(string) (uint64, error) { return room, nil }})
	told := func() { t.Error("told that it is safe") }
	if err := s.Update(t.Context(), func(tx *Tx) error {
		tx.WhenSafe(told)
		_ = tx.Set([]byte("k/a"), nil)
		return ErrNotFound
	}); err == nil {
		t.Error("not refused")
	}
	room = 0
	if err := s.Update(t.Context(), func(tx *Tx) error {
		tx.WhenSafe(told)
		return tx.Set([]byte("k/a"), nil)
	}); err == nil {
		t.Error("not refused")
	}
	room = 1 << 40
	must(t, s.Update(t.Context(), func(tx *Tx) error {
		tx.WhenSafe(func() { panic("boom") })
		return tx.Set([]byte("k/a"), nil)
	}))
	must(t, s.Ping(t.Context()))
}

func FuzzDecodeAhead(f *testing.F) {
	f.Add(encodeAhead(counters{1, 2, 3, 4}, overlay{"a": []byte("b"), "gone": nil, "": {}}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		base, writes, ok := decodeAhead(data)
		if !ok {
			return
		}
		again, same, ok := decodeAhead(encodeAhead(base, writes))
		if !ok || again != base || !reflect.DeepEqual(same, writes) {
			t.Errorf("read %v %v, and %v %v when written again", base, writes, again, same)
		}
	})
}
