package archive

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/klauspost/compress/zstd"

	"lightd/observed/files"
)

// packer writes entries into an archive.
type packer interface {
	// add writes an entry under a name; from has the bytes of a file, as many as its size.
	add(name string, v files.Visited, from io.Reader) error
	// close ends the archive.
	close() error
}

// Pack writes what is at paths of a volume into an archive: each under its last name, the volume itself without
// one. Devices, pipes and sockets, and what goes away meanwhile, are passed over, and skip is called with them.
func Pack(ctx context.Context, tree *files.Tree, paths []files.Path, to io.Writer, format Format, report files.Report, skip func(string)) error {
	seen := map[string]bool{}
	for _, p := range paths {
		if seen[p.Base()] {
			return ErrSameName
		}
		seen[p.Base()] = true
	}
	w, err := newPacker(to, format)
	if err != nil {
		return err
	}
	for _, p := range paths {
		top := ""
		if p != files.Top {
			top = p.Base()
		}
		err = tree.Walk(ctx, p, func(v files.Visited) error {
			name := path.Join(top, v.Path)
			if name == "" {
				return nil // the volume itself
			}
			return packEntry(ctx, w, name, v, report, skip)
		})
		if err != nil {
			return errors.Join(err, w.close())
		}
	}
	return w.close()
}

// packEntry adds an entry to an archive.
func packEntry(ctx context.Context, w packer, name string, v files.Visited, report files.Report, skip func(string)) error {
	switch v.Type {
	case files.Special:
		skip(name)
		return nil
	case files.File:
		f, err := v.Open()
		if files.Gone(err) {
			skip(name)
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %q: %w", name, err)
		}
		defer f.Close()
		err = w.add(name, v, &exactly{ctx: ctx, from: f, left: v.Size, report: report})
		if report != nil && err == nil {
			report(1, 0)
		}
		return err
	}
	if report != nil {
		report(1, 0)
	}
	return w.add(name, v, nil)
}

// exactly reads so many bytes of a file, of which a program may write more, or take some away: then it goes on
// with zeros, as the size is in the archive already.
type exactly struct {
	ctx    context.Context
	from   io.Reader
	left   int64
	report files.Report
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.ctx.Err() != nil {
		return 0, context.Cause(e.ctx)
	}
	if e.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), e.left)]
	n, err := e.from.Read(p)
	if errors.Is(err, io.EOF) && n == 0 {
		clear(p)
		n, err = len(p), nil
	}
	e.left -= int64(n)
	if e.report != nil {
		e.report(0, int64(n))
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

func newPacker(to io.Writer, format Format) (packer, error) {
	switch format {
	case Zip:
		return zipPacker{zip.NewWriter(to)}, nil
	case Tar:
		return tarPacker{tar.NewWriter(to), nil}, nil
	case TarGzip:
		packed, err := gzip.NewWriterLevel(to, gzip.BestSpeed)
		return tarPacker{tar.NewWriter(packed), packed}, err
	case TarZstd:
		packed, err := zstd.NewWriter(to, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, err
		}
		return tarPacker{tar.NewWriter(packed), packed}, nil
	}
	return nil, ErrFormat
}

type tarPacker struct {
	*tar.Writer
	packed io.Closer // nil without a compression
}

func (w tarPacker) add(name string, v files.Visited, from io.Reader) error {
	h := tar.Header{Name: name, Mode: int64(v.Mode), ModTime: v.Modified, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
	switch v.Type {
	case files.Directory:
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
	case files.Symlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, v.Target
	default:
		h.Size = v.Size
	}
	if err := w.WriteHeader(&h); err != nil {
		return fmt.Errorf("pack %q: %w", name, err)
	}
	if from == nil {
		return nil
	}
	_, err := io.Copy(w.Writer, from)
	return err
}

func (w tarPacker) close() error {
	err := w.Writer.Close()
	if w.packed != nil {
		err = errors.Join(err, w.packed.Close())
	}
	return err
}

type zipPacker struct{ *zip.Writer }

func (w zipPacker) add(name string, v files.Visited, from io.Reader) error {
	h := zip.FileHeader{Name: name, Modified: v.Modified}
	h.SetMode(modeOf(v))
	switch v.Type {
	case files.Directory:
		h.Name += "/"
	case files.File:
		h.Method = zip.Deflate
	}
	to, err := w.CreateHeader(&h)
	if err != nil {
		return fmt.Errorf("pack %q: %w", name, err)
	}
	switch v.Type {
	case files.Symlink:
		_, err = io.WriteString(to, v.Target)
	case files.File:
		_, err = io.Copy(to, from)
	}
	return err
}

func (w zipPacker) close() error { return w.Writer.Close() }
