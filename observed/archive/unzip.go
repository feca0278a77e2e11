package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
)

const (
	// maxDirectory bounds the directory of a ZIP, which is kept in memory as a whole: about 150,000 entries.
	maxDirectory = 16 << 20
	// maxTarget bounds what a link of a ZIP has.
	maxTarget = 4096
)

// zip unpacks a ZIP.
func (u *unpacker) zip(f *os.File, size int64) error {
	if err := checkRecords(f, size); err != nil {
		return err
	}
	source := &bounded{f, maxDirectory}
	r, err := zip.NewReader(source, size)
	if errors.Is(err, ErrTooLarge) {
		return ErrTooLarge
	}
	if err != nil {
		return damaged(err)
	}
	source.left = -1 // what follows is streamed
	for _, file := range r.File {
		if err := u.zipEntry(file); err != nil {
			return err
		}
	}
	return nil
}

// zipEntry unpacks an entry of a ZIP.
func (u *unpacker) zipEntry(file *zip.File) error {
	e := entry{name: file.Name, mode: file.Mode(), modified: file.Modified, size: int64(min(file.UncompressedSize64, 1<<62))}
	switch e.mode.Type() {
	case 0:
		e.kind = tar.TypeReg
	case fs.ModeDir:
		e.kind = tar.TypeDir
	case fs.ModeSymlink:
		e.kind = tar.TypeSymlink
	default:
		e.kind = tar.TypeFifo // or another one that is passed over
	}
	if strings.HasSuffix(e.name, "/") {
		e.kind = tar.TypeDir
	}
	if e.mode.Perm() == 0 { // made where files have no mode
		e.mode |= 0o644
		if e.kind == tar.TypeDir {
			e.mode |= 0o111
		}
	}
	if e.kind != tar.TypeReg && e.kind != tar.TypeSymlink {
		return u.add(e, nil)
	}
	from, err := file.Open()
	if err != nil {
		return damaged(err)
	}
	defer from.Close()
	if e.kind == tar.TypeSymlink {
		target, err := io.ReadAll(io.LimitReader(from, maxTarget))
		if err != nil {
			return damaged(err)
		}
		e.target = string(target)
	}
	if err := u.add(e, from); err != nil || e.kind != tar.TypeReg {
		return err
	}
	// The sum of a file is compared when its end is read; more than its size is none of it.
	if n, err := from.Read(make([]byte, 1)); n > 0 || err != nil && !errors.Is(err, io.EOF) {
		return damaged(errors.Join(zip.ErrChecksum, err))
	}
	return nil
}

// The end of a ZIP (APPNOTE.TXT, section 4.3.16), and what leads to that of a large one (4.3.15 and 4.3.14):
// signatures, and sizes in bytes.
const (
	endSize, maxComment           = 22, 1<<16 - 1
	locatorSignature, locatorSize = "PK\x06\x07", 20
	largeEndSize                  = 56
	// minHeader is what an entry takes of the directory at least.
	minHeader = 46
)

// checkRecords refuses a ZIP that claims more entries than its directory may have: archive/zip makes room for
// them ahead. Only a large one can claim so many. Each locator that could be the archive's is looked at.
func checkRecords(f io.ReaderAt, size int64) error {
	tail := make([]byte, min(size, endSize+maxComment+locatorSize))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	end := make([]byte, largeEndSize)
	for i := range tail {
		if !bytes.HasPrefix(tail[i:], []byte(locatorSignature)) || len(tail)-i < locatorSize {
			continue
		}
		at := binary.LittleEndian.Uint64(tail[i+8:])
		if at >= uint64(size) {
			continue // archive/zip cannot read it either
		}
		if n, _ := f.ReadAt(end, int64(at)); n == largeEndSize && binary.LittleEndian.Uint64(end[32:]) > maxDirectory/minHeader {
			return ErrTooLarge
		}
	}
	return nil
}

// bounded is a file of which so many bytes may be read while left is not negative.
type bounded struct {
	io.ReaderAt
	left int64
}

func (b *bounded) ReadAt(p []byte, at int64) (int, error) {
	if b.left >= 0 {
		if b.left -= int64(len(p)); b.left < 0 {
			b.left = 0
			return 0, ErrTooLarge
		}
	}
	return b.ReaderAt.ReadAt(p, at)
}
