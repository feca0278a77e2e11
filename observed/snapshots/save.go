package snapshots

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// errNames: two contents had one name in Docker's archives. The next Save writes everything.
var errNames = errors.New("a layer does not match its name")

// Save reads the archive of one image as Docker saves it, and keeps it as the copy of ref.
// Both of Docker's layouts are understood: that of before version 25, and that of an OCI
// image. On an error nothing is kept.
func (s *Store) Save(ref string, archive io.Reader) (err error) {
	s.adding.Lock()
	defer s.adding.Unlock()
	in := &incoming{store: s, files: map[string]arrived{}, links: map[string]string{}, known: s.names()}
	defer func() { err = errors.Join(err, in.discard()) }()
	if err := in.read(archive); err != nil {
		if errors.Is(err, errNames) {
			s.rewrite = true
		}
		return fmt.Errorf("save snapshot %s: %w", ref, err)
	}
	m, err := in.manifest(ref)
	if err != nil {
		return fmt.Errorf("save snapshot %s: %w", ref, err)
	}
	if err := errors.Join(in.keep(m), s.put(m)); err != nil {
		return fmt.Errorf("save snapshot %s: %w", ref, err)
	}
	s.rewrite = false
	return nil
}

// names returns the blobs in place by their names in Docker's archives.
func (s *Store) names() map[string]blob {
	known := map[string]blob{}
	if s.rewrite {
		return known
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.manifests {
		for _, b := range m.Layers {
			if b.Name != "" && s.stored(b) {
				known[b.Name] = b
			}
		}
	}
	return known
}

// incoming is an archive that is being read.
type incoming struct {
	store *Store
	known map[string]blob
	files map[string]arrived // by their names in the archive
	links map[string]string
	index []byte // Docker's own manifest
}

// arrived is a file of the archive: in path, or in its place as a blob when that is empty.
type arrived struct {
	blob
	path string
}

// indexName is the file that lists which of the others an image consists of.
const indexName = "manifest.json"

func (in *incoming) read(archive io.Reader) error {
	for r := tar.NewReader(archive); ; {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			// Docker may send more than the end of the archive: the error that it failed with.
			_, err = io.Copy(io.Discard, archive)
			return err
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		name := path.Clean(head.Name)
		switch {
		case head.Typeflag == tar.TypeSymlink:
			in.links[name] = path.Join(path.Dir(name), head.Linkname)
		case head.Typeflag == tar.TypeLink:
			in.links[name] = path.Clean(head.Linkname)
		case head.Typeflag != tar.TypeReg:
		case name == indexName:
			if in.index, err = readAtMost(r, maxManifest); err != nil {
				return fmt.Errorf("read %s: %w", indexName, err)
			}
		default:
			if err := in.take(name, head.Size, r); err != nil {
				return fmt.Errorf("read %s: %w", name, err)
			}
		}
	}
}

// take reads a file: into a temporary one, unless a blob has its name and its content.
func (in *incoming) take(name string, size int64, r io.Reader) error {
	sum := sha256.New()
	if have, known := in.known[name]; known && have.Size == size {
		if _, err := io.Copy(sum, r); err != nil {
			return err
		}
		if digestOf(sum.Sum(nil)) != have.Digest {
			return errNames
		}
		in.files[name] = arrived{blob: have}
		return nil
	}
	f, err := os.CreateTemp(in.store.temporary(), "blob-")
	if err != nil {
		return err
	}
	_, err = io.Copy(io.MultiWriter(sum, &roomy{file: f, store: in.store}), r)
	in.files[name] = arrived{blob{digestOf(sum.Sum(nil)), size, name}, f.Name()}
	return errors.Join(err, f.Close())
}

func digestOf(sum []byte) string { return "sha256:" + hex.EncodeToString(sum) }

// roomy writes a file as long as there is room.
type roomy struct {
	file    *os.File
	store   *Store
	written int64
	asked   int64
}

// roomEvery is after how many bytes the free space is checked again.
const roomEvery = 16 << 20

// Write implements io.Writer.
func (w *roomy) Write(p []byte) (int, error) {
	if w.written >= w.asked {
		if err := w.store.HasRoom(); err != nil {
			return 0, err
		}
		w.asked += roomEvery
	}
	n, err := w.file.Write(p)
	w.written += int64(n)
	return n, err
}

func readAtMost(r io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("it is longer than %d bytes", most)
	}
	return data, err
}

// manifest describes the image of the archive.
func (in *incoming) manifest(ref string) (manifest, error) {
	var list []struct {
		Config string
		Layers []string
	}
	if err := json.Unmarshal(in.index, &list); err != nil {
		return manifest{}, fmt.Errorf("read %s: %w", indexName, err)
	}
	if len(list) != 1 {
		return manifest{}, fmt.Errorf("the archive holds %d images", len(list))
	}
	m := manifest{Version: manifestVersion, Ref: ref}
	config, err := in.find(list[0].Config)
	if err != nil {
		return manifest{}, err
	}
	m.Config = config.blob
	for _, name := range list[0].Layers {
		layer, err := in.find(name)
		if err != nil {
			return manifest{}, err
		}
		m.Layers = append(m.Layers, layer.blob)
	}
	return m, in.verify(config, m.Layers)
}

// find returns a file of the archive, which may be a link to another one.
func (in *incoming) find(name string) (arrived, error) {
	name = path.Clean(name)
	for range len(in.links) + 1 {
		if file, found := in.files[name]; found {
			return file, nil
		}
		name = in.links[name]
	}
	return arrived{}, errors.New("the archive lacks a file that its manifest names")
}

// verify compares the layers with the image's configuration. In an OCI
// layout they may be compressed, and are named by their compressed content.
func (in *incoming) verify(config arrived, layers []blob) error {
	f, err := os.Open(config.path)
	if err != nil {
		return err
	}
	defer f.Close()
	var image struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.NewDecoder(io.LimitReader(f, maxConfig)).Decode(&image); err != nil {
		return fmt.Errorf("read configuration of the image: %w", err)
	}
	if len(image.RootFS.DiffIDs) != len(layers) {
		return fmt.Errorf("the archive holds %d of %d layers", len(layers), len(image.RootFS.DiffIDs))
	}
	for i, l := range layers {
		if l.Digest != image.RootFS.DiffIDs[i] && !strings.HasSuffix(l.Name, "/"+l.hex()) {
			return errors.New("a layer is not what the configuration of the image says")
		}
	}
	return nil
}

// keep puts the blobs of a manifest in their places, flushed to the disk.
func (in *incoming) keep(m manifest) error {
	wanted := map[string]bool{}
	for _, b := range m.blobs() {
		wanted[b.Digest] = true
	}
	for name, file := range in.files {
		if file.path == "" || !wanted[file.Digest] {
			continue
		}
		wanted[file.Digest] = false // once is enough
		if err := flush(file.path); err != nil {
			return err
		}
		if err := os.Rename(file.path, in.store.blobPath(file.blob)); err != nil {
			return err
		}
		file.path = ""
		in.files[name] = file
	}
	return syncDir(in.store.blobDir())
}

func flush(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// discard removes what was not kept.
func (in *incoming) discard() error {
	var errs []error
	for _, file := range in.files {
		if file.path != "" {
			errs = append(errs, os.Remove(file.path))
		}
	}
	return errors.Join(errs...)
}
