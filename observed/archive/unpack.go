package archive

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"lightd/observed/files"
)

const (
	// maxEntries bounds the entries of an archive.
	maxEntries = 1_000_000
	// maxWindow bounds the memory of a zstd stream: all levels need less, but for --ultra and --long.
	maxWindow = 32 << 20
)

// Unpack unpacks an archive into a staging. The names of what is passed over go to skip. What is wrong with the
// archive is ErrFormat, ErrDamaged, ErrUnsafe or ErrTooLarge.
func Unpack(ctx context.Context, f *os.File, size int64, to *files.Staging, skip func(string)) error {
	format, err := detect(f)
	if err != nil {
		return err
	}
	u := unpacker{ctx: ctx, to: to, skip: skip}
	if err := to.MakeDirectory("", 0o755); err != nil {
		return err
	}
	if format == Zip {
		return u.zip(f, size)
	}
	// A file that grows meanwhile has no end.
	var packed io.Reader = io.NewSectionReader(f, 0, size)
	switch format {
	case TarGzip:
		if packed, err = gzip.NewReader(packed); err != nil {
			return damaged(err)
		}
	case TarZstd:
		decoder, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return damaged(err)
		}
		defer decoder.Close()
		packed = decoder
	}
	return u.tar(tar.NewReader(packed))
}

// damaged returns ErrDamaged with what is wrong.
func damaged(err error) error { return fmt.Errorf("%w: %w", ErrDamaged, err) }

// unpacker unpacks one archive.
type unpacker struct {
	ctx     context.Context
	to      *files.Staging
	skip    func(string)
	entries int
}

// entry is one of an archive.
type entry struct {
	name string
	// kind is a type flag of tar.
	kind     byte
	mode     fs.FileMode
	modified time.Time
	size     int64
	target   string
}

func (u *unpacker) tar(r *tar.Reader) error {
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return damaged(err)
		}
		e := entry{name: h.Name, kind: h.Typeflag, mode: h.FileInfo().Mode(), modified: h.ModTime, size: h.Size, target: h.Linkname}
		if err := u.add(e, r); err != nil {
			return err
		}
	}
}

// add unpacks an entry, whose bytes from has.
func (u *unpacker) add(e entry, from io.Reader) error {
	if u.ctx.Err() != nil {
		return context.Cause(u.ctx)
	}
	if u.entries++; u.entries > maxEntries {
		return ErrTooLarge
	}
	name, err := cleanName(e.name)
	if err != nil {
		return err
	}
	if name == "" {
		if e.kind != tar.TypeDir && e.kind != tar.TypeXGlobalHeader {
			return fmt.Errorf("%w: an entry has no name", ErrDamaged)
		}
		return nil
	}
	if err := u.to.MakeDirectories(name); err != nil {
		return entryError(name, err)
	}
	switch e.kind {
	case tar.TypeDir:
		err = u.to.MakeDirectory(name, uint32(e.mode.Perm()))
	case tar.TypeReg, tar.TypeGNUSparse:
		err = u.file(name, e, from)
	case tar.TypeSymlink:
		if !staysInside(name, e.target) {
			u.skip(name)
			return nil
		}
		err = u.to.Symlink(e.target, name)
	case tar.TypeLink:
		var target string
		if target, err = cleanName(e.target); err == nil {
			err = u.to.Link(target, name)
		}
	case tar.TypeXGlobalHeader:
	default: // a device, a pipe, or what nobody knows
		u.skip(name)
	}
	return entryError(name, err)
}

// file unpacks a regular file, no more of it than the archive says.
func (u *unpacker) file(name string, e entry, from io.Reader) error {
	if e.size < 0 {
		return ErrDamaged
	}
	if err := u.to.CheckRoom(e.size); err != nil {
		return err
	}
	modified := e.modified
	if modified.Unix() < 0 {
		modified = time.Unix(0, 0)
	}
	source := &archived{from: io.LimitReader(from, e.size)}
	n, err := u.to.WriteFile(u.ctx, name, source, uint32(e.mode.Perm()|0o400), modified)
	switch {
	case source.err != nil:
		return damaged(source.err)
	case err != nil:
		return err
	case n != e.size:
		return ErrDamaged
	}
	return nil
}

// archived keeps the error that an archive was read with, to tell it from one of writing.
type archived struct {
	from io.Reader
	err  error
}

func (a *archived) Read(p []byte) (int, error) {
	n, err := a.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		a.err = err
	}
	return n, err
}

// entryError says of which entry an error is, and that an archive in which a file has the place of a directory, or
// a link leads nowhere, makes no tree.
func entryError(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOSPC):
		err = &files.NoRoomError{}
	case errors.Is(err, unix.EDQUOT):
		err = &files.NoRoomError{Quota: true}
	default:
		for _, one := range []error{fs.ErrNotExist, fs.ErrExist, unix.ENOTDIR, unix.ELOOP, unix.EISDIR, unix.ENAMETOOLONG, files.ErrNotDirectory, files.ErrIsDirectory, files.ErrNotFile} {
			if errors.Is(err, one) {
				err = damaged(err)
				break
			}
		}
	}
	return fmt.Errorf("unpack %.100q: %w", name, err)
}
