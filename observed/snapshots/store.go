package snapshots

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// ErrNoRoom is in the chain of the error of a copy that would not leave the disk enough room.
var ErrNoRoom = errors.New("the disk of the data directory has no room for it: 512 MiB must stay free")

// reserve is what a copy leaves free, in bytes.
const reserve = 512 << 20

// maxManifest bounds a manifest, ours or Docker's, and maxConfig an image's configuration.
const (
	maxManifest = 1 << 20
	maxConfig   = 8 << 20
)

// manifestVersion is the format of a manifest.
const manifestVersion = 1

// manifest describes a copy.
type manifest struct {
	Version int    `json:"version"`
	Ref     string `json:"ref"`
	Config  blob   `json:"config"`
	Layers  []blob `json:"layers"`
}

// blobs are all that a copy consists of.
func (m manifest) blobs() []blob { return append([]blob{m.Config}, m.Layers...) }

// blob is a file by its content.
type blob struct {
	// Digest is "sha256:" and the sum in hexadecimal.
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	// Name is that of the file in Docker's archive. Docker derives it from the content, so that
	// what is there already need not be written again.
	Name string `json:"name"`
}

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// hex is the sum of the digest.
func (b blob) hex() string { return strings.TrimPrefix(b.Digest, "sha256:") }

// Options tune a Store.
type Options struct {
	// FreeSpace returns the free bytes of the file system that holds a directory; nil queries the system.
	FreeSpace func(dir string) (uint64, error)
	// Log is the logger; nil stands for slog.Default().
	Log *slog.Logger
}

// Store is the copies on disk. It is safe for concurrent use.
type Store struct {
	dir  string
	free func(dir string) (uint64, error)
	log  *slog.Logger

	// adding is held while blobs are added or removed.
	adding sync.Mutex
	// rewrite has blobs written whose names are known: one name had two contents.
	rewrite bool

	mu        sync.Mutex
	manifests map[string]manifest // by reference
}

// Open opens the copies in dir, which it makes where it is missing. What a crash left half
// written is removed.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{dir: dir, free: o.FreeSpace, log: cmp.Or(o.Log, slog.Default()), manifests: map[string]manifest{}}
	if s.free == nil {
		s.free = freeSpace
	}
	if err := os.RemoveAll(s.temporary()); err != nil {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	for _, d := range []string{dir, s.temporary(), s.blobDir(), s.manifestDir()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("open snapshots: %w", err)
		}
	}
	// Whatever made the directory, and under whatever umask.
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	return s, s.readManifests()
}

func (s *Store) temporary() string   { return filepath.Join(s.dir, "tmp") }
func (s *Store) manifestDir() string { return filepath.Join(s.dir, "manifests") }

func (s *Store) blobDir() string { return filepath.Join(s.dir, "blobs", "sha256") }

func (s *Store) blobPath(b blob) string { return filepath.Join(s.blobDir(), b.hex()) }

func (s *Store) manifestPath(ref string) string {
	return filepath.Join(s.manifestDir(), url.PathEscape(ref)+".json")
}

// readManifests reads what is there. A manifest that cannot be read is no copy.
func (s *Store) readManifests() error {
	found, err := os.ReadDir(s.manifestDir())
	if err != nil {
		return fmt.Errorf("open snapshots: %w", err)
	}
	for _, entry := range found {
		path := filepath.Join(s.manifestDir(), entry.Name())
		m, err := readManifest(path)
		if err != nil || s.manifestPath(m.Ref) != path {
			s.log.Warn("manifest of a snapshot cannot be read; it counts as missing", "path", path, "error", err)
			continue
		}
		s.manifests[m.Ref] = m
	}
	return nil
}

func readManifest(path string) (manifest, error) {
	f, err := os.Open(path)
	if err != nil {
		return manifest{}, err
	}
	defer f.Close()
	var m manifest
	if err := json.NewDecoder(io.LimitReader(f, maxManifest)).Decode(&m); err != nil {
		return manifest{}, err
	}
	if m.Version != manifestVersion {
		return manifest{}, fmt.Errorf("format %d is not known", m.Version)
	}
	for _, b := range m.blobs() {
		if !digestForm.MatchString(b.Digest) {
			return manifest{}, fmt.Errorf("%q is no digest", b.Digest)
		}
	}
	return m, nil
}

func (s *Store) manifest(ref string) (manifest, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, found := s.manifests[ref]
	return m, found
}

// Has reports whether a copy is there, with all of its blobs. Their content is verified when
// it is read.
func (s *Store) Has(ref string) bool {
	m, found := s.manifest(ref)
	if !found {
		return false
	}
	if _, err := os.Lstat(s.manifestPath(ref)); err != nil {
		return false
	}
	for _, b := range m.blobs() {
		if !s.stored(b) {
			return false
		}
	}
	return true
}

// stored reports whether a blob is in its place, by its size.
func (s *Store) stored(b blob) bool {
	info, err := os.Lstat(s.blobPath(b))
	return err == nil && info.Mode().IsRegular() && info.Size() == b.Size
}

// Refs returns the references of which there are manifests, sorted.
func (s *Store) Refs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.manifests))
}

// HasRoom returns ErrNoRoom where there is no room to begin a copy.
func (s *Store) HasRoom() error {
	switch free, err := s.free(s.dir); {
	case err != nil:
		return fmt.Errorf("free space of snapshots: %w", err)
	case free < reserve:
		return ErrNoRoom
	}
	return nil
}

// put writes a manifest whose blobs are all in place.
func (s *Store) put(m manifest) error {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("manifest of snapshot %s: %w", m.Ref, err)
	}
	f, err := os.CreateTemp(s.temporary(), "manifest-")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := errors.Join(os.Rename(f.Name(), s.manifestPath(m.Ref)), syncDir(s.manifestDir())); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.manifests[m.Ref] = m
	return nil
}

// Retain removes the copies that are not needed, and the blobs that no copy names any more.
// While a copy is being saved it removes no blobs.
func (s *Store) Retain(needed func(ref string) bool) error {
	var errs []error
	for _, ref := range s.Refs() {
		if needed(ref) {
			continue
		}
		if err := s.Remove(ref); err != nil {
			errs = append(errs, err)
			continue
		}
		s.log.Info("copy of an installation removed", "image", ref)
	}
	if s.adding.TryLock() {
		errs = append(errs, s.sweep())
		s.adding.Unlock()
	}
	return errors.Join(errs...)
}

// Remove removes a copy; its blobs go with the next Retain. One that is not there is no error.
func (s *Store) Remove(ref string) error {
	if err := os.Remove(s.manifestPath(ref)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove snapshot %s: %w", ref, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.manifests, ref)
	return nil
}

// sweep removes the blobs that no manifest names, and those put aside as damaged with them.
func (s *Store) sweep() error {
	named := map[string]bool{}
	s.mu.Lock()
	for _, m := range s.manifests {
		for _, b := range m.blobs() {
			named[b.hex()] = true
		}
	}
	s.mu.Unlock()
	dir := s.blobDir()
	found, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list blobs of snapshots: %w", err)
	}
	var errs []error
	for _, entry := range found {
		if !named[strings.TrimSuffix(entry.Name(), damaged)] {
			errs = append(errs, os.Remove(filepath.Join(dir, entry.Name())))
		}
	}
	return errors.Join(errs...)
}

// damaged is what the name of a blob ends with that was altered: it is kept for whoever may
// want to rescue something of it, for as long as a copy names it.
const damaged = ".damaged"

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func freeSpace(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}
