package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lightd/desired/trash"
)

// descend makes n directories, each in the one before and with a file of one byte, and calls beside in each.
func descend(t *testing.T, dir string, n int, beside func(*os.Root)) {
	t.Helper()
	at, err := os.OpenRoot(dir)
	must(t, err)
	for range n {
		must(t, at.Mkdir("d", 0o755))
		must(t, at.WriteFile("f", []byte("x"), 0o600))
		beside(at)
		next, err := at.OpenRoot("d")
		must(t, err)
		must(t, at.Close())
		at = next
	}
	must(t, at.Close())
}

// fewDescriptors leaves the process so many more than it has open.
func fewDescriptors(t *testing.T, spare int) {
	t.Helper()
	used, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	var before syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before))
	few := before
	few.Cur = uint64(len(used) + spare)
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
	t.Cleanup(func() { must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)) })
}

// TestSizeOfDeepVolumes: a chain, and a comb whose each level has two directories, are measured with
// few descriptors.
func TestSizeOfDeepVolumes(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	v, err := s.Volumes(t.Context(), t.TempDir())
	must(t, err)
	defer func() { must(t, v.Close()) }()
	chain, err := v.Create(t.Context(), Creator{})
	must(t, err)
	comb, err := v.Create(t.Context(), Creator{})
	must(t, err)
	const deep, combed = 5_000, 500
	descend(t, chain.Path, deep, func(*os.Root) {})
	descend(t, comb.Path, combed, func(at *os.Root) {
		for _, name := range []string{"a", "z"} {
			must(t, at.Mkdir(name, 0o755))
			must(t, at.WriteFile(name+"/f", []byte("x"), 0o600))
		}
	})
	defer func() { // what the testing package removes would take a descriptor for each level
		for _, id := range []string{chain.ID, comb.ID} {
			must(t, trash.RemoveAll(t.Context(), v.root, id))
		}
	}()
	fewDescriptors(t, 64)
	for id, want := range map[string]int64{chain.ID: deep, comb.ID: 3 * combed} {
		if size, err := sizeOf(t.Context(), v, id); err != nil || size != want {
			t.Errorf("size %d, %v, want %d", size, err, want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := sizeOf(ctx, v, chain.ID); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second {
		t.Errorf("got %v after %s", err, time.Since(began))
	}
}

// TestSizeOfAWideVolume reads directories in batches.
func TestSizeOfAWideVolume(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	v, err := s.Volumes(t.Context(), t.TempDir())
	must(t, err)
	defer func() { must(t, v.Close()) }()
	made, err := v.Create(t.Context(), Creator{})
	must(t, err)
	for d := range 3 {
		dir := filepath.Join(made.Path, fmt.Sprint(d), "x")
		must(t, os.MkdirAll(dir, 0o755))
		for f := range 2*walkBatch + 1 {
			must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(f)), []byte("xy"), 0o600))
		}
	}
	if size, err := sizeOf(t.Context(), v, made.ID); err != nil || size != 3*2*(2*walkBatch+1) {
		t.Errorf("size %d, %v", size, err)
	}
}

// TestMeasurementsAtOnce: of one volume one, for all who wait for it, and of all maxMeasurements.
func TestMeasurementsAtOnce(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	v, err := s.Volumes(t.Context(), t.TempDir())
	must(t, err)
	defer func() { must(t, v.Close()) }()
	made, err := v.Create(t.Context(), Creator{})
	must(t, err)
	waits := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := sizeOf(ctx, v, made.ID)
		return errors.Is(err, context.DeadlineExceeded)
	}
	for n := range maxMeasurements {
		leave, err := v.measurements.enter(t.Context(), fmt.Sprint(n))
		must(t, err)
		defer leave()
	}
	if !waits() {
		t.Errorf("more than %d at once", maxMeasurements)
	}
	v.measurements = newVolumeSlots(maxMeasurements)
	leave, err := v.measurements.enter(t.Context(), made.ID)
	must(t, err)
	if !waits() {
		t.Error("one volume is measured twice at once")
	}
	v.sizes[made.ID] = VolumeSize{Bytes: 42, At: time.Now().Add(time.Hour)} // by the one that is waited for
	leave()
	if size, err := sizeOf(t.Context(), v, made.ID); size != 42 || err != nil {
		t.Errorf("measured again: %d, %v", size, err)
	}
}

// TestUseOfAVolume: what is taken of the disk counts, as blocks: not what a file claims to have, what was reserved
// too, and a file with several names once.
func TestUseOfAVolume(t *testing.T) {
	v, made := newVolume(t)
	at := func(name string) string { return filepath.Join(made.Path, name) }
	sparse, err := os.Create(at("sparse"))
	must(t, err)
	must(t, errors.Join(sparse.Truncate(1<<30), sparse.Close()))
	reserved, err := os.Create(at("reserved"))
	must(t, err)
	must(t, errors.Join(unix.Fallocate(int(reserved.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, 8<<20), reserved.Close()))
	must(t, os.WriteFile(at("file"), make([]byte, 4<<20), 0o600))
	for i := range 5 {
		must(t, os.Link(at("file"), at(fmt.Sprint("name", i))))
	}
	size, err := v.Measure(t.Context(), made.ID)
	if err != nil || size.Used < 12<<20 || size.Used > 13<<20 || size.Bytes != 1<<30+6*4<<20 {
		t.Errorf("size %+v, %v", size, err)
	}
}

// sizeOf returns what the files of a volume have.
func sizeOf(ctx context.Context, v *Volumes, id string) (int64, error) {
	size, err := v.Measure(ctx, id)
	return size.Bytes, err
}
