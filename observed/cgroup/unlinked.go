package cgroup

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// maxOpenFiles bounds how many entries of /proc one count reads.
const maxOpenFiles = 1 << 18

// overlayFS is the type that statfs reports of overlayfs.
const overlayFS = 0x794c7630

// ErrTooManyOpen is returned where a container has more files open, or mapped, than are counted.
var ErrTooManyOpen = errors.New("more open files than can be counted")

// Unlinked returns how many bytes a container's processes hold in files of its own layer that have no
// name any more: those that are open, and those that are mapped. The process is one of this machine; of
// one that is not the container's, or whose files cannot be read, nothing is counted. It counts the files
// of an overlayfs, which a volume and a tmpfs are not.
func Unlinked(pid int, containerID string) (int64, error) {
	c := counter{reader: reader{"/"}, counts: onOverlay, left: maxOpenFiles, counted: map[inode]bool{}}
	return c.unlinked(pid, containerID)
}

type inode struct{ device, number uint64 }

type counter struct {
	reader
	// counts reports whether a path is in a file system that is counted.
	counts  func(path string) bool
	left    int
	counted map[inode]bool
	bytes   int64
}

func (c *counter) unlinked(pid int, containerID string) (int64, error) {
	if pid <= 0 || containerID == "" {
		return 0, nil
	}
	groups, mounts := c.groups(pid, containerID), c.mounts()
	for _, process := range c.fields(groups, mounts, "pids", "cgroup.procs", "cgroup.procs") {
		if err := c.add(filepath.Join(c.root, "proc", process, "map_files")); err != nil {
			return 0, err
		}
	}
	// A thread may have a table of open files of its own.
	for _, thread := range c.fields(groups, mounts, "pids", "tasks", "cgroup.threads") {
		if err := c.add(filepath.Join(c.root, "proc", thread, "fd")); err != nil {
			return 0, err
		}
	}
	return c.bytes, nil
}

// add counts the files that a directory of /proc links to.
func (c *counter) add(dir string) error {
	open, err := os.Open(dir)
	if err != nil {
		return nil // the thread has ended, or may not be read
	}
	defer func() { _ = open.Close() }()
	for {
		names, err := open.Readdirnames(1024)
		for _, name := range names {
			if c.left--; c.left < 0 {
				return ErrTooManyOpen
			}
			c.addFile(path.Join(dir, name))
		}
		if err != nil || len(names) == 0 {
			return nil
		}
	}
}

// addFile counts a file once, however many descriptors it has. One with another name is not counted
// here: the engine counts it by that.
func (c *counter) addFile(link string) {
	target, err := os.Readlink(link)
	if err != nil || !strings.HasSuffix(target, " (deleted)") {
		return
	}
	var st syscall.Stat_t
	if syscall.Stat(link, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFREG || st.Nlink > 0 {
		return
	}
	file := inode{uint64(st.Dev), st.Ino}
	if c.counted[file] || !c.counts(link) {
		return
	}
	c.counted[file] = true
	c.bytes += int64(st.Blocks) * 512
}

// onOverlay reports whether a file is on an overlayfs other than that of this process's root.
func onOverlay(path string) bool {
	var fs syscall.Statfs_t
	var own, file syscall.Stat_t
	return syscall.Statfs(path, &fs) == nil && int64(fs.Type) == overlayFS &&
		syscall.Stat("/", &own) == nil && syscall.Stat(path, &file) == nil && own.Dev != file.Dev
}
