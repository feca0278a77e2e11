package files

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Owner is a user and a group of the host; -1 is not known.
type Owner struct{ UID, GID int }

// Unknown is the owner of what is made where no container says who uses the volume.
var Unknown = Owner{-1, -1}

// Room is what a volume may still take.
type Room interface {
	// Left returns the bytes that are left of the quota of a volume for a write of so many; limited is false where
	// it has none.
	Left(volume string, wanted int64) (bytes int64, limited bool)
	// Wrote takes off what was written, where that is not measured at once.
	Wrote(volume string, bytes int64)
}

// Volumes are the directories that trees are in.
type Volumes interface {
	// OpenRoot opens the directory of a volume.
	OpenRoot(volume string) (*os.Root, error)
	// Discard moves an entry of a directory away, to be removed in the background. Its error is EXDEV where
	// the directory is on another file system.
	Discard(dir *os.File, name string) error
}

// Trees opens the trees of volumes. Its methods may be used by any number of goroutines.
type Trees struct {
	Volumes Volumes
	// Owner returns whose the files of a volume are; nil for nobody's.
	Owner func(ctx context.Context, volume string) Owner
	// Room bounds volumes; nil for no bound but the disk.
	Room Room
	// Reserve is how many bytes of the disk stay free of files.
	Reserve uint64

	mu    sync.Mutex
	using map[string]int // guarded by mu: how many use the directory Hidden of a volume

	seed    sync.Once
	hash    maphash.Seed
	commits [64]sync.Mutex // by the hash of a volume
}

// Tree is the files of a volume. Its methods may be used by any number of goroutines until Close.
type Tree struct {
	trees  *Trees
	volume string
	root   *os.Root
	top    *os.File // the directory of root
	owner  Owner
}

// Open opens the tree of a volume, which the caller must Close.
func (t *Trees) Open(ctx context.Context, volume string) (*Tree, error) {
	root, err := t.Volumes.OpenRoot(volume)
	if err != nil {
		return nil, err
	}
	top, err := root.Open(".")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open volume %s: %w", volume, err), root.Close())
	}
	tree := &Tree{trees: t, volume: volume, root: root, top: top, owner: Unknown}
	if t.Owner != nil {
		tree.owner = t.Owner(ctx, volume)
	}
	return tree, nil
}

// Close releases the tree.
func (t *Tree) Close() { _ = errors.Join(t.top.Close(), t.root.Close()) } // both were only read

// commit returns the lock under which a volume's entries are compared with a condition and replaced.
func (t *Tree) commit() *sync.Mutex {
	t.trees.seed.Do(func() { t.trees.hash = maphash.MakeSeed() })
	return &t.trees.commits[maphash.String(t.trees.hash, t.volume)%uint64(len(t.trees.commits))]
}

// place is an entry by its name in a directory that is open.
type place struct {
	dir  *os.File
	name string
}

func (p place) close() { _ = p.dir.Close() } // it was only read

// openDirectory are the flags to open one by name: no link is followed, and no pipe waited for.
const openDirectory = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK

// directory opens a directory; links that stay in the volume are followed.
func (t *Tree) directory(p Path) (*os.File, error) {
	dir, err := t.root.OpenFile(string(p), os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, wrap("open directory", p, err)
	}
	return dir, nil
}

// place opens the directory that p is in.
func (t *Tree) place(p Path) (place, error) {
	if p == Top {
		return place{}, ErrTop
	}
	dir, err := t.directory(p.Dir())
	return place{dir, p.Base()}, err
}

// openDir opens a directory by its name in another one.
func openDir(in *os.File, name string) (*os.File, error) {
	fd, err := unix.Openat(int(in.Fd()), name, openDirectory, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// lstat describes an entry; a link is not followed.
func (p place) lstat() (unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Fstatat(int(p.dir.Fd()), p.name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return st, err
}

// ownerIn returns whose an entry in a directory is to be: what is not known is as it is in the directory.
func (t *Tree) ownerIn(dir *os.File) (Owner, error) {
	owner := t.owner
	if owner.UID >= 0 && owner.GID >= 0 {
		return owner, nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return owner, err
	}
	if owner.UID < 0 {
		owner.UID = int(st.Uid)
	}
	if owner.GID < 0 {
		owner.GID = int(st.Gid)
	}
	return owner, nil
}

// give sets owner and mode of what is open. A daemon that is not root can give nothing away.
func give(f *os.File, to Owner, mode uint32) error {
	if os.Geteuid() == 0 {
		if err := f.Chown(to.UID, to.GID); err != nil {
			return err
		}
	}
	return unix.Fchmod(int(f.Fd()), mode&0o777)
}

// rename gives an entry the place of another one, which must not be there unless replace is true.
func rename(from, to place, replace bool) error {
	a, b := int(from.dir.Fd()), int(to.dir.Fd())
	if replace {
		return unix.Renameat(a, from.name, b, to.name)
	}
	err := unix.Renameat2(a, from.name, b, to.name, unix.RENAME_NOREPLACE)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	// EINVAL is also the answer for a directory that is moved into itself, which the plain rename has too.
	if _, err := to.lstat(); err == nil {
		return unix.EEXIST
	}
	return unix.Renameat(a, from.name, b, to.name)
}
