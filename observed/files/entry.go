package files

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sys/unix"
)

// Type is what an entry is.
type Type string

// The types.
const (
	File      Type = "file"
	Directory Type = "directory"
	Symlink   Type = "symlink"
	// Special is a device, a pipe or a socket. It can be listed, renamed and deleted, and nothing else.
	Special Type = "special"
)

// Entry is a file as it was when it was looked at.
type Entry struct {
	Name string
	Type Type
	// Size is in bytes; that of a directory is the file system's own.
	Size int64
	// Mode are the permissions.
	Mode     uint32
	UID, GID uint32
	Modified time.Time
	// MIME is what the first bytes of a file are like, as of the WHATWG's rules; empty where they were not read.
	MIME string
	// Target is where a link leads, as it is written in the link.
	Target string
	// ETag distinguishes the contents of a file, with quotes. It changes with mode and owner too.
	ETag string

	inode uint64
}

func typeOf(mode uint32) Type {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return File
	case unix.S_IFDIR:
		return Directory
	case unix.S_IFLNK:
		return Symlink
	}
	return Special
}

func entryOf(name string, st *unix.Stat_t) Entry {
	e := Entry{
		Name: name, Type: typeOf(st.Mode), Size: st.Size, Mode: st.Mode & 0o777, UID: st.Uid, GID: st.Gid, Modified: time.Unix(st.Mtim.Unix()), inode: st.Ino,
	}
	if e.Type == File {
		e.ETag = tagOf(st)
	}
	return e
}

// tagOf is an entity tag of a file. A program can set the time of its contents, but not that of the last
// change of the inode.
func tagOf(st *unix.Stat_t) string {
	var data []byte
	for _, n := range []int64{int64(st.Ino), st.Size, st.Mtim.Nano(), st.Ctim.Nano()} {
		data = binary.LittleEndian.AppendUint64(data, uint64(n))
	}
	return fmt.Sprintf(`"%016x"`, xxhash.Sum64(data))
}

// describe completes the entry at a place by what only reading it shows.
func (p place) describe(e Entry, sniff bool) Entry {
	switch {
	case e.Type == Symlink:
		target := make([]byte, maxPath+1)
		if n, err := unix.Readlinkat(int(p.dir.Fd()), p.name, target); err == nil {
			e.Target = string(target[:n])
		}
	case e.Type == File && sniff:
		if f, _, err := openFile(p.dir, p.name); err == nil {
			e.MIME = sniffed(f)
			_ = f.Close() // it was only read
		}
	}
	return e
}

// openFile opens a regular file by its name in a directory, to read it. Neither links nor pipes are waited
// for: what is no regular file is ErrNotFile.
func openFile(in *os.File, name string) (*os.File, unix.Stat_t, error) {
	var st unix.Stat_t
	fd, err := unix.Openat(int(in.Fd()), name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, st, err
	}
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, st, errors.Join(err, unix.Close(fd))
	}
	switch typeOf(st.Mode) {
	case File:
		return os.NewFile(uintptr(fd), name), st, nil
	case Directory:
		return nil, st, errors.Join(ErrIsDirectory, unix.Close(fd))
	}
	return nil, st, errors.Join(ErrNotFile, unix.Close(fd))
}

// zstandard begins a file in that format (RFC 8878), which net/http does not know.
var zstandard = []byte{0x28, 0xb5, 0x2f, 0xfd}

func sniffed(f io.ReaderAt) string {
	head := make([]byte, 512)
	n, _ := f.ReadAt(head, 0) // what cannot be read is like an empty file
	if bytes.HasPrefix(head[:n], zstandard) {
		return "application/zstd"
	}
	return http.DetectContentType(head[:n])
}
