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
	// Bytes is what its files had, Used what they took of the disk, which a quota bounds, and At when they had been
	// added up. Where the kernel counts, both are its figure.
	Bytes, Used int64
	At          time.Time
}

// maxMeasurements bounds how many volumes are measured at once.
const maxMeasurements = 4

// Measure adds up the files of a volume, or reads the kernel's count where it enforces a quota of them. It follows
// no links, opens no file, enters no other file system, and ends with ctx. However deep the volume is, it takes few
// descriptors; one that has more files than are walked through is an error. Each volume is measured once at a
// time, for all who wait for it, and maxMeasurements of all are.
func (v *Volumes) Measure(ctx context.Context, id string) (VolumeSize, error) {
	if _, err := v.Get(id); err != nil {
		return VolumeSize{}, err
	}
	if size, counted := v.counted(id); counted {
		return size, nil
	}
	began := time.Now()
	leave, err := v.measurements.enter(ctx, id)
	if err != nil {
		return VolumeSize{}, fmt.Errorf("measure volume %s: %w", id, err)
	}
	defer leave()
	if last, measured := v.LastSize(id); measured && last.At.After(began) {
		return last, nil
	}
	size, err := v.addUp(ctx, id)
	if err != nil {
		return size, fmt.Errorf("measure volume %s: %w", id, err)
	}
	v.keepSize(id, size)
	return size, nil
}

func (v *Volumes) keepSize(id string, size VolumeSize) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sizes[id] = size
}

// maxLinked bounds how many files of several names a measurement knows again; more of them count once a name.
const maxLinked = 1 << 20

// addUp walks through a volume. With an error it returns what it has added up so far.
func (v *Volumes) addUp(ctx context.Context, id string) (size VolumeSize, err error) {
	top, err := v.open(id)
	if err != nil {
		return size, err
	}
	defer top.Close()
	linked := map[fileID]bool{}
	err = walk(ctx, top, func(_ int, _ string, st *unix.Stat_t) {
		regular := st.Mode&unix.S_IFMT == unix.S_IFREG
		if regular {
			size.Bytes += st.Size
		}
		if file := fileIDOf(st); regular && st.Nlink > 1 {
			if linked[file] {
				return
			}
			if len(linked) < maxLinked {
				linked[file] = true
			}
		}
		size.Used += st.Blocks * statBlock
	})
	size.At = time.Now()
	return size, err
}

// statBlock is the unit of st_blocks; see stat(2).
const statBlock = 512

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
