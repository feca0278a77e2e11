package datadir

import (
	"errors"
	"io"
	"os"
)

// saveTail puts the last size bytes of from into the file name. Err says that they could not
// be written, cut why from ended early: what came before that is kept.
func saveTail(root *os.Root, name string, from io.Reader, size int64) (cut, err error) {
	file, path, err := temporary(root, name+".ring", 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close(), root.Remove(path)) }()
	r := &ring{file: file, size: size}
	_, cut = io.Copy(r, from)
	if r.err != nil {
		return nil, r.err
	}
	return cut, replaceFrom(root, name, 0o600, r.tail())
}

// ring is a writer that keeps the last size bytes in a file of that size.
type ring struct {
	file    *os.File
	size    int64
	written int64
	err     error // of the file
}

// Write implements io.Writer.
func (r *ring) Write(p []byte) (n int, err error) {
	for n < len(p) && r.err == nil {
		at := r.written % r.size
		part := p[n:min(int64(len(p)), int64(n)+r.size-at)]
		var m int
		m, r.err = r.file.WriteAt(part, at)
		n += m
		r.written += int64(m)
	}
	return n, r.err
}

// tail reads what is kept, the oldest first.
func (r *ring) tail() io.Reader {
	if r.written <= r.size {
		return io.NewSectionReader(r.file, 0, r.written)
	}
	begin := r.written % r.size
	return io.MultiReader(io.NewSectionReader(r.file, begin, r.size-begin), io.NewSectionReader(r.file, 0, begin))
}
