package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// VolumeSize is a measurement of a volume.
type VolumeSize struct {
	// Bytes is what its files had, and At when they had been added up.
	Bytes int64
	At    time.Time
}

// maxMeasurements bounds how many volumes are measured at once.
const maxMeasurements = 4

// Size adds up the files of a volume, in bytes. It follows no links, opens no file, enters no other file
// system, and ends with ctx. However deep the volume is, it takes few descriptors; one that has more files than
// are walked through is an error. Each volume is measured once at a time, for all who wait for it, and
// maxMeasurements of all are.
func (v *Volumes) Size(ctx context.Context, id string) (int64, error) {
	if _, err := v.Get(id); err != nil {
		return 0, err
	}
	began := time.Now()
	leave, err := v.measurements.enter(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("measure volume %s: %w", id, err)
	}
	defer leave()
	if last, measured := v.LastSize(id); measured && last.At.After(began) {
		return last.Bytes, nil
	}
	top, err := v.open(id)
	if err != nil {
		return 0, err
	}
	defer top.Close()
	var size int64
	err = walk(ctx, top, func(_ int, _ string, st *unix.Stat_t) {
		if st.Mode&unix.S_IFMT == unix.S_IFREG {
			size += st.Size
		}
	})
	if err != nil {
		return 0, fmt.Errorf("measure volume %s: %w", id, err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sizes[id] = VolumeSize{Bytes: size, At: time.Now()}
	return size, nil
}

// open opens the directory of a volume; a link in its place is not followed.
func (v *Volumes) open(id string) (*os.File, error) {
	was, err := v.root.Lstat(id)
	if err != nil {
		return nil, fmt.Errorf("open volume %s: %w", id, err)
	}
	if !was.IsDir() {
		return nil, fmt.Errorf("open volume %s: its directory was replaced", id)
	}
	top, err := v.root.Open(id)
	if err != nil {
		return nil, fmt.Errorf("open volume %s: %w", id, err)
	}
	is, err := top.Stat()
	if err == nil && !os.SameFile(was, is) {
		err = errors.New("its directory was replaced")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open volume %s: %w", id, err), top.Close())
	}
	return top, nil
}

// LastSize returns the last measurement of a volume since the daemon began; measured is false before it.
func (v *Volumes) LastSize(id string) (size VolumeSize, measured bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	size, measured = v.sizes[id]
	return size, measured
}

func (v *Volumes) forgetSize(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.sizes, id)
}
