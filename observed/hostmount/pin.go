package hostmount

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"lightd/desired/mountsource"
	"lightd/observed"
	"lightd/observed/blueprint"
)

// Pinner pins mount sources. The zero value allows none but our own.
type Pinner struct {
	// Rules are the directories that containers may mount from, and the places that none may reach.
	mountsource.Rules
	// Volumes is the directory of the volumes. One of them is ours wherever it is mounted, as an
	// installer may have it elsewhere.
	Volumes string
}

// Pins hold mount sources as they were when they were pinned. Close them.
type Pins struct {
	pinner  Pinner
	sources []pinned
}

// pinned is one source. The open file keeps its inode from being given to another one.
type pinned struct {
	observed.Mount
	fd int
	id observed.FileID
}

// PinError is a source that cannot be pinned.
type PinError struct {
	observed.Mount
	Err error
}

// Error names the source, and why.
func (e *PinError) Error() string { return fmt.Sprintf("open mount source %s: %v", e.Source, e.Err) }

// Unwrap returns why.
func (e *PinError) Unwrap() error { return e.Err }

// Found describes what the source leads to now.
func (e *PinError) Found() string {
	resolved, err := mountsource.Resolve(e.Source)
	switch {
	case err != nil:
		return resolved + ", which the source leads to now and which cannot be resolved"
	case resolved != filepath.Clean(e.Source):
		return resolved + ", which the source leads to now"
	}
	return "what may not be mounted any more: " + e.Err.Error()
}

// Pin opens the sources of mounts. What Docker itself provides, a named volume, is left out.
func (p Pinner) Pin(mounts []observed.Mount) (*Pins, error) {
	pins := &Pins{pinner: p}
	for _, m := range mounts {
		if !filepath.IsAbs(m.Source) {
			continue
		}
		fd, err := p.open(m)
		if err != nil {
			pins.Close()
			return nil, &PinError{Mount: m, Err: err}
		}
		one := pinned{Mount: m, fd: fd}
		if one.id, err = identify(fd); err != nil {
			_ = unix.Close(fd)
			pins.Close()
			return nil, &PinError{Mount: m, Err: err}
		}
		pins.sources = append(pins.sources, one)
	}
	return pins, nil
}

// Close releases the sources.
func (p *Pins) Close() {
	for _, s := range p.sources {
		_ = unix.Close(s.fd)
	}
	p.sources = nil
}

// unchanged reports an EscapeError when the path of a source leads to another file by now.
func (p *Pins) unchanged() error {
	for _, s := range p.sources {
		fd, err := p.pinner.open(s.Mount)
		if err != nil {
			return &EscapeError{Mount: s.Mount, Found: "what cannot be opened any more"}
		}
		id, err := identify(fd)
		_ = unix.Close(fd)
		if err != nil || id != s.id {
			return &EscapeError{Mount: s.Mount, Found: "what was put at that path meanwhile"}
		}
	}
	return nil
}

// Own returns the identities of our own directories, by their targets.
func (p *Pins) Own() map[string]observed.FileID {
	ids := map[string]observed.FileID{}
	for _, s := range p.sources {
		if p.pinner.own(s.Mount) {
			ids[s.Target] = s.id
		}
	}
	return ids
}

// Replaced describes what is at a path in place of the directory id; empty when that is still
// there. It does not wait for a network file system.
func Replaced(path string, id observed.FileID) string {
	var st unix.Statx_t
	const flags = unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT | unix.AT_STATX_DONT_SYNC
	err := unix.Statx(unix.AT_FDCWD, path, flags, unix.STATX_TYPE|unix.STATX_INO, &st)
	now := observed.FileID{Dev: unix.Mkdev(st.Dev_major, st.Dev_minor), Ino: st.Ino}
	switch {
	case errors.Is(err, unix.ENOENT):
		return "nothing"
	case err != nil:
		return "what cannot be inspected: " + err.Error()
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		return "a link to " + leadsTo(path)
	case now != id:
		return "another file or directory"
	}
	return ""
}

// leadsTo is what a path is resolved to, as far as it can be.
func leadsTo(path string) string {
	resolved, err := mountsource.Resolve(path)
	if err != nil {
		return resolved + ", which cannot be resolved"
	}
	return resolved
}

func (p Pinner) own(m observed.Mount) bool {
	return m.Target == blueprint.Home || m.Target == blueprint.Data || filepath.Dir(m.Source) == p.Volumes
}

// open opens a source as a handle that can only be queried (O_PATH). Those of a spec are opened
// beneath the allowed directory, with no link on the way: links were resolved before, and one
// that appears is not followed. Our own are directories, and no links.
func (p Pinner) open(m observed.Mount) (int, error) {
	if p.own(m) {
		return unix.Open(m.Source, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	}
	resolved, err := mountsource.Resolve(m.Source)
	if err != nil {
		return -1, err
	}
	for _, dir := range p.Allowed {
		root, err := mountsource.Resolve(dir)
		if err != nil {
			continue
		}
		rest, err := filepath.Rel(root, resolved)
		if err != nil || rest == ".." || strings.HasPrefix(rest, "../") {
			continue
		}
		if err := mountsource.CheckSource(m.Source, p.Rules); err != nil {
			return -1, err
		}
		return openBeneath(root, rest)
	}
	return -1, fmt.Errorf("it leads to %s, out of the directories of mounts.allowed", resolved)
}

func openBeneath(root, rest string) (int, error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(dir)
	fd, err := unix.Openat2(dir, rest, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // a kernel before 5.6, or a filter
		return unix.Openat(dir, rest, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	}
	return fd, err
}

func identify(fd int) (observed.FileID, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return observed.FileID{}, err
	}
	return observed.FileID{Dev: uint64(st.Dev), Ino: st.Ino}, nil
}
