package projectquota

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// First and Last are the least and the greatest project that Choose returns.
const (
	First = 1 << 30
	Last  = 1<<31 - 1
)

// Commands of quotactl(2), from linux/quota.h and linux/dqblk_xfs.h: a command and a type in one number.
const (
	projectType  = 2 // PRJQUOTA
	getQuota     = 0x800007<<8 | projectType
	setQuota     = 0x800008<<8 | projectType
	getState     = ('X'<<8+8)<<8 | projectType // Q_XGETQSTATV
	enforced     = 1 << 5                      // FS_QUOTA_PDQ_ENFD
	blockLimits  = 1                           // QIF_BLIMITS
	limitUnit    = 1 << 10                     // QIF_DQBLKSIZE
	stateVersion = 1                           // FS_QSTATV_VERSION1
)

// Requests of ioctl(2), from linux/fs.h: _IOR('X', 31, struct fsxattr) and _IOW('X', 32, struct fsxattr).
const (
	getAttributes = 0x801c581f
	setAttributes = 0x401c5820
	inherit       = 0x200 // FS_XFLAG_PROJINHERIT
)

// Magic numbers of statfs(2).
const (
	ext4Magic = 0xef53
	xfsMagic  = 0x58465342
)

// quota is struct if_dqblk.
type quota struct {
	hardBlocks, softBlocks, space, hardInodes, softInodes, inodes, blockTime, inodeTime uint64
	valid                                                                               uint32
	_                                                                                   uint32
}

// state is struct fs_quota_statv.
type state struct {
	version int8
	_       uint8
	flags   uint16
	_       uint32
	rest    [24]uint64 // struct fs_qfilestatv thrice, times and warnings, and room for later
}

// attributes is struct fsxattr.
type attributes struct {
	flags, extentSize, extents, project, copyExtentSize uint32
	_                                                   [8]byte
}

// Unavailable is why a file system has no project quotas, as a clause.
type Unavailable struct{ Reason string }

// Error implements error.
func (e *Unavailable) Error() string { return "no project quotas: " + e.Reason }

// FileSystem is one that enforces project quotas. Its methods may be used by any number of goroutines.
type FileSystem struct {
	dir  *os.File
	name string
}

// Open returns the file system of a directory, for the caller to Close. It changes nothing. Where project
// quotas are not enforced, the error is an *Unavailable.
func Open(path string) (*FileSystem, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("inspect the file system of a directory: %w", err)
	}
	f, err := of(dir)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return f, nil
}

// Close ends the use of f, which may be nil.
func (f *FileSystem) Close() error {
	if f == nil {
		return nil
	}
	return f.dir.Close()
}

func of(dir *os.File) (*FileSystem, error) {
	var about unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &about); err != nil {
		return nil, fmt.Errorf("inspect the file system of %s: %w", dir.Name(), err)
	}
	f := &FileSystem{dir: dir}
	switch uint32(about.Type) {
	case ext4Magic:
		f.name = "ext4"
	case xfsMagic:
		f.name = "xfs"
	default:
		return nil, &Unavailable{"the file system is neither ext4 nor xfs"}
	}
	is := state{version: stateVersion}
	switch err := f.call(getState, 0, unsafe.Pointer(&is)); {
	case errors.Is(err, unix.ENOSYS) && !kernelHasCall():
		return nil, &Unavailable{"the kernel has no quotactl_fd (Linux 5.14)"}
	case err != nil || is.flags&enforced == 0:
		return nil, &Unavailable{f.name + " is not mounted with prjquota, or this kernel has no quotas for it"}
	}
	var root quota
	if err := f.call(getQuota, 0, unsafe.Pointer(&root)); errors.Is(err, unix.EPERM) {
		return nil, &Unavailable{"this process lacks the capability CAP_SYS_ADMIN"}
	}
	return f, nil
}

// kernelHasCall reports whether quotactl_fd is known: with no such descriptor it fails for another reason.
func kernelHasCall() bool {
	_, _, errno := unix.Syscall6(unix.SYS_QUOTACTL_FD, ^uintptr(0), getState, 0, 0, 0, 0)
	return errno != unix.ENOSYS
}

// Name is the kind of f: ext4 or xfs.
func (f *FileSystem) Name() string { return f.name }

func (f *FileSystem) call(command uintptr, id uint32, at unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall6(unix.SYS_QUOTACTL_FD, f.dir.Fd(), command, uintptr(id), uintptr(at), 0, 0)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

// Use returns what the files of a project take of the disk, in bytes, and its limit, 0 for none.
func (f *FileSystem) Use(project uint32) (used, limit int64, err error) {
	var q quota
	err = f.call(getQuota, project, unsafe.Pointer(&q))
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) && f.name == "xfs" {
		return 0, 0, nil // xfs has no record of it
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read the quota of project %d: %w", project, err)
	}
	return int64(q.space), int64(q.hardBlocks) * limitUnit, nil
}

// Limit sets the most bytes of the disk that the files of a project take; 0 ends the limit. It is rounded up to
// 1 KiB.
func (f *FileSystem) Limit(project uint32, bytes int64) error {
	q := quota{valid: blockLimits, hardBlocks: (uint64(bytes) + limitUnit - 1) / limitUnit}
	if err := f.call(setQuota, project, unsafe.Pointer(&q)); err != nil {
		return fmt.Errorf("set the quota of project %d: %w", project, err)
	}
	return nil
}

// Choose returns a project that nobody uses, and for which taken is false.
func (f *FileSystem) Choose(taken func(project uint32) bool) (uint32, error) {
	const tries = 100
	for range tries {
		project := uint32(First + rand.N(uint32(Last-First+1)))
		if taken(project) {
			continue
		}
		used, limit, err := f.Use(project)
		if err != nil {
			return 0, err
		}
		if used == 0 && limit == 0 {
			return project, nil
		}
	}
	return 0, errors.New("no project id is free")
}

// ProjectOf returns the project of an open file.
func ProjectOf(fd int) (uint32, error) {
	a, err := attributesOf(fd)
	return a.project, err
}

func attributesOf(fd int) (a attributes, err error) {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), getAttributes, uintptr(unsafe.Pointer(&a))); errno != 0 {
		return a, fmt.Errorf("read the project of a file: %w", errno)
	}
	return a, nil
}

// Mark puts an open file or directory into a project; what is made in a directory later on is in it too. changed is
// false where it was so. Root may mark what exceeds a limit.
func Mark(fd int, directory bool, project uint32) (changed bool, err error) {
	a, err := attributesOf(fd)
	if err != nil {
		return false, err
	}
	if a.project == project && (!directory || a.flags&inherit != 0) {
		return false, nil
	}
	if a.project = project; directory {
		a.flags |= inherit
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), setAttributes, uintptr(unsafe.Pointer(&a))); errno != 0 {
		return false, fmt.Errorf("set the project of a file: %w", errno)
	}
	return true, nil
}

// MarkAt is Mark of a regular file or directory by its name in a directory, if it is still the one that st is of. No
// link is followed, and nothing else opened. What went away meanwhile, or is neither, is left alone.
func MarkAt(dir int, name string, st *unix.Stat_t, project uint32) (changed bool, err error) {
	kind := st.Mode & unix.S_IFMT
	if kind != unix.S_IFREG && kind != unix.S_IFDIR {
		return false, nil
	}
	path, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, nil // it is gone
	}
	defer unix.Close(path)
	var now unix.Stat_t
	if err := unix.Fstat(path, &now); err != nil || now.Dev != st.Dev || now.Ino != st.Ino || now.Mode&unix.S_IFMT != kind {
		return false, nil
	}
	// By the descriptor it is the very file, whatever has its name now. A lease of another process is not waited for.
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", path), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOATIME, 0)
	if err != nil {
		return false, fmt.Errorf("open %s to set its project: %w", name, err)
	}
	defer unix.Close(fd)
	return Mark(fd, kind == unix.S_IFDIR, project)
}
