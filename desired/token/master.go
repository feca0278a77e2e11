package token

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Master is the operator's token.
type Master struct {
	path string // empty for a token that was given as text

	mu   sync.Mutex
	seen fs.FileInfo // the file that sum was read from; guarded by mu
	sum  hash        // guarded by mu
	err  error       // why the file holds no token; guarded by mu
}

// Given returns a master token that is text until the process ends.
func Given(text string) (*Master, error) {
	if !WellFormed(text) {
		return nil, fmt.Errorf("read master token: %w", ErrMalformed)
	}
	return &Master{sum: hashOf(text)}, nil
}

// FromFile returns the master token that the file at path holds, at any time: a reset by
// another process counts at once. A file that is not there is made, with a new token.
func FromFile(path string) (*Master, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if _, err := Reset(path); err != nil {
			return nil, err
		}
	}
	m := &Master{path: path}
	if _, err := m.current(); err != nil {
		return nil, err
	}
	return m, nil
}

// Read returns the token that the file at path holds.
func Read(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read master token: %w", err)
	}
	text := strings.TrimSpace(string(data))
	if !WellFormed(text) {
		return "", fmt.Errorf("read master token from %s: %w", path, ErrMalformed)
	}
	return text, nil
}

// Reset puts a new token into the file at path, with mode 0600, and returns it. The file
// is replaced whole: a reader gets the old token or the new one.
func Reset(path string) (string, error) {
	text := generate()
	if err := replace(path, text+"\n"); err != nil {
		return "", fmt.Errorf("write master token to %s: %w", path, err)
	}
	return text, nil
}

func replace(path, content string) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".token-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// is reports whether h is the hash of the present master token.
func (m *Master) is(h hash) bool {
	sum, err := m.current()
	same := subtle.ConstantTimeCompare(sum[:], h[:]) == 1
	return same && err == nil
}

// current returns the hash of the present token. Comparing the file's times is cheap
// enough for every request; the file is read only when they changed.
func (m *Master) current() (hash, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.path == "" {
		return m.sum, nil
	}
	info, err := os.Stat(m.path)
	if err != nil {
		m.seen = nil
		return hash{}, fmt.Errorf("read master token: %w", err)
	}
	if m.seen != nil && os.SameFile(info, m.seen) && info.ModTime().Equal(m.seen.ModTime()) && info.Size() == m.seen.Size() {
		return m.sum, m.err
	}
	text, err := Read(m.path)
	m.seen, m.sum, m.err = info, hashOf(text), err
	return m.sum, m.err
}
