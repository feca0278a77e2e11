package snapshots

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrDamaged is in the chain of the error of a copy that is not what was saved.
var ErrDamaged = errors.New("the copy is damaged")

// Load returns the copy of ref as an archive that Docker loads, the reference as its name.
// A blob that is missing or altered ends it with ErrDamaged before the archive is whole, and
// from then on there is no such copy.
func (s *Store) Load(ref string) (io.ReadCloser, error) {
	m, found := s.manifest(ref)
	if !found {
		return nil, fmt.Errorf("load snapshot %s: %w", ref, fs.ErrNotExist)
	}
	r, w := io.Pipe()
	go func() {
		err := s.write(w, m)
		if err != nil {
			err = fmt.Errorf("load snapshot %s: %w", ref, err)
		}
		_ = w.CloseWithError(err)
	}()
	return r, nil
}

// write writes the archive: the blobs, and last of all the manifest that names them.
func (s *Store) write(w io.Writer, m manifest) error {
	out := tar.NewWriter(w)
	entry := struct {
		Config           string
		RepoTags, Layers []string
	}{Config: m.Config.hex() + ".json", RepoTags: []string{m.Ref}}
	if err := s.copyBlob(out, entry.Config, m.Config); err != nil {
		return err
	}
	written := map[string]bool{}
	for _, l := range m.Layers {
		name := l.hex() + "/layer.tar"
		entry.Layers = append(entry.Layers, name)
		if written[name] {
			continue
		}
		written[name] = true
		if err := s.copyBlob(out, name, l); err != nil {
			return err
		}
	}
	index, err := json.Marshal([]any{entry})
	if err != nil {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: indexName, Mode: 0o600, Size: int64(len(index))}); err != nil {
		return err
	}
	_, err = out.Write(index)
	return errors.Join(err, out.Close())
}

// copyBlob writes a blob into the archive, and verifies it.
func (s *Store) copyBlob(out *tar.Writer, name string, b blob) error {
	f, err := os.Open(s.blobPath(b))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is missing", ErrDamaged, b.Digest)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != b.Size {
		return s.setAside(b)
	}
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: b.Size}); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(out, sum), f); err != nil {
		return err
	}
	if digestOf(sum.Sum(nil)) != b.Digest {
		return s.setAside(b)
	}
	return nil
}

// setAside takes a blob that was altered out of its place: all copies with it count as missing,
// and are saved again from an engine that has their images.
func (s *Store) setAside(b blob) error {
	at := s.blobPath(b)
	err := errors.Join(os.Rename(at, at+damaged), syncDir(filepath.Dir(at)))
	return errors.Join(fmt.Errorf("%w: %s was altered", ErrDamaged, b.Digest), err)
}
