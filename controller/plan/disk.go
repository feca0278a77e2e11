package plan

import (
	"fmt"
	"time"

	"lightd/observed"
	"lightd/observed/status"
)

// Disk is the one that holds what install scripts write outside of their mounts. The zero value is one that
// is not known.
type Disk struct {
	// Path is a directory on it.
	Path        string
	Total, Free uint64
	// Scripts are the other installations whose container is there, by id. They need only be there below
	// the floor.
	Scripts map[string]status.Install
}

const (
	// mostFloor and floorShare make the floor: 256 MiB, and less on a disk below 4 GiB.
	mostFloor, floorShare = 256 << 20, 16
	// writtenShare is the part of the floor that a script has written before it is ended for it: of a disk
	// that others have filled, ending it would free nothing.
	writtenShare = 16
	// freeing is how long the room of a script that was ended is waited for before another one is.
	freeing = 30 * time.Second
)

func (d Disk) known() bool   { return d.Total > 0 }
func (d Disk) floor() uint64 { return min(mostFloor, d.Total/floorShare) }

// BelowFloor reports whether so little is free that an install script has to end.
func (d Disk) BelowFloor() bool { return d.known() && d.Free < d.floor() }

// pace is how often scripts are measured, and how often the disk is inspected: the more often, the less
// is free, as a script can write a floor in a second.
func (d Disk) pace() (measure, look time.Duration) {
	switch floor := d.floor(); {
	case !d.known() || d.Free >= 64*floor:
		return measureEvery, measureEvery
	case d.Free >= 16*floor:
		return 5 * time.Second, time.Second
	}
	return 2 * time.Second, time.Second
}

// observeDisk records that the script is to be ended for the room on the disk: of all that run the one that
// has written the most, one at a time. Of two that have written as much it is the first by id.
func (r *planner) observeDisk(c *observed.Container) {
	in, d, id := &r.st.Install, r.in.Disk, r.in.Spec.InternalID
	if !d.BelowFloor() || in.WroteTooMuch() || !c.Running() || in.LayerBytes < int64(d.floor()/writtenShare) {
		return
	}
	for other, its := range d.Scripts {
		ending := its.WroteTooMuch() && r.in.Now.Sub(its.MeasuredAt) < freeing
		more := its.LayerBytes > in.LayerBytes || its.LayerBytes == in.LayerBytes && other < id
		if ending || more && its.Phase == status.InstallScript && !its.WroteTooMuch() {
			return
		}
	}
	in.DiskLow = fmt.Sprintf("%d MiB are free on the engine's disk at %s, below %d MiB, and of the installations that run this one wrote the most outside the volume: %d MiB",
		d.Free>>20, d.Path, d.floor()>>20, in.LayerBytes>>20)
}
