package hostmount

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"lightd/observed"
)

// ErrUnverifiable answers for a process that cannot be inspected from here: it has ended, or
// the engine runs on another machine or in another container.
var ErrUnverifiable = errors.New("the mounts of the process cannot be inspected")

// EscapeError is a mount that does not lead to its source.
type EscapeError struct {
	observed.Mount
	// Found is what is mounted instead.
	Found string
}

// Error names the target, the source and what is there instead.
func (e *EscapeError) Error() string {
	return fmt.Sprintf("%s is not mounted from %s but from %s", e.Target, e.Source, e.Found)
}

// Verify compares what is mounted in a process, 0 for one that has ended, with what was
// pinned. It returns nil when each source is mounted as it was, an *EscapeError when one is
// not, and ErrUnverifiable.
func (p *Pins) Verify(pid int) error {
	mounts, err := mountsOf(pid)
	if err != nil {
		if changed := p.unchanged(); changed != nil {
			return changed
		}
		return fmt.Errorf("%w: %v", ErrUnverifiable, err)
	}
	var escaped error
	ours := 0
	for _, s := range p.sources {
		at := find(mounts, s)
		switch {
		case at >= 0:
			mounts[at].claimed = true
			if p.pinner.own(s.Mount) {
				ours++
			}
		case escaped == nil:
			escaped = &EscapeError{Mount: s.Mount, Found: foundAt(mounts, s.Mount)}
		}
	}
	if ours == 0 {
		return fmt.Errorf("%w: process %d has none of our directories", ErrUnverifiable, pid)
	}
	return escaped
}

// find returns the index of the mount of a source, -1 for none. It is at the target, or where
// a link of the image leads to; each counts for one source.
func find(mounts []mounted, s pinned) int {
	matches := func(m mounted) bool { return m.id == s.id && !m.claimed }
	if at := slices.IndexFunc(mounts, func(m mounted) bool { return matches(m) && m.point == s.Target }); at >= 0 {
		return at
	}
	if slices.ContainsFunc(mounts, func(m mounted) bool { return m.point == s.Target }) {
		return -1
	}
	return slices.IndexFunc(mounts, matches)
}

// foundAt describes what a process has mounted at the target of a source. The path alone says nothing where a rename
// has put something else there: it is that of the source.
func foundAt(mounts []mounted, source observed.Mount) string {
	for _, m := range mounts {
		switch {
		case m.point != source.Target:
		case strings.HasSuffix(m.root, "//deleted"):
			return "what was at that path and is deleted"
		case Replaced(source.Source, m.id) == "":
			return "what was put at that path while the process was being started"
		case m.root == source.Source:
			return "what was at that path before, of device " + m.device
		default:
			return fmt.Sprintf("%s of device %s", m.root, m.device)
		}
	}
	return "nowhere that it was to be mounted from"
}

// mounted is one line of a mount table, with the file that is mounted there.
type mounted struct {
	id                  observed.FileID
	mountID             uint64
	device, root, point string
	claimed             bool
}

// mountsOf returns what is mounted in a process and can be reached there. It is read through
// the root directory of the process, with nothing followed that the process could have put in.
func mountsOf(pid int) ([]mounted, error) {
	if pid <= 0 {
		return nil, errors.New("it has ended")
	}
	proc := "/proc/" + strconv.Itoa(pid)
	root, err := unix.Open(proc+"/root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(root)
	table, err := os.Open(proc + "/mountinfo")
	if err != nil {
		return nil, err
	}
	defer table.Close()
	lines, err := mountinfo.GetMountsFromReader(table, nil)
	if err != nil {
		return nil, err
	}
	var reached []mounted
	for _, line := range lines {
		m := mounted{mountID: uint64(line.ID), device: fmt.Sprintf("%d:%d", line.Major, line.Minor), root: line.Root, point: line.Mountpoint}
		if id, ok := identifyMount(root, m); ok {
			m.id = id
			reached = append(reached, m)
		}
	}
	if len(reached) == 0 {
		return nil, errors.New("nothing is mounted in it")
	}
	return reached, nil
}

// identifyMount returns the file at a mount point, unless another mount hides it.
func identifyMount(root int, m mounted) (observed.FileID, bool) {
	path := strings.TrimPrefix(m.point, "/")
	if path == "" {
		path = "."
	}
	fd, err := unix.Openat2(root, path, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return observed.FileID{}, false
	}
	defer unix.Close(fd)
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_INO|unix.STATX_MNT_ID, &st); err != nil {
		return observed.FileID{}, false
	}
	if st.Mask&unix.STATX_MNT_ID != 0 && st.Mnt_id != m.mountID {
		return observed.FileID{}, false
	}
	id, err := identify(fd)
	return id, err == nil
}
