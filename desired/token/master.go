package token

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"lightd/desired/atomicfile"
)

// Master is the operator's token, and the one before it for as long as that is kept.
type Master struct {
	given *masterKey // of a token that was given as text; nil for one in a file

	mu   sync.Mutex
	file cachedFile[masterKey] // guarded by mu, as old is
	old  cachedFile[masterKey]
}

// masterKey is what is kept of a master token.
type masterKey struct {
	hash hash
	// fingerprint names the token in the records of those that it made.
	fingerprint string
	// until is when it ends; zero for the present one, whose end is not known.
	until time.Time
}

func keyOf(h hash) masterKey {
	sum := sha256.Sum256(append([]byte("lightd master token "), h[:]...))
	return masterKey{hash: h, fingerprint: hex.EncodeToString(sum[:8])}
}

// kept is a master token that was replaced and holds for a while, as its file has it.
type kept struct {
	SHA256 string    `json:"sha256"`
	Until  time.Time `json:"until"`
}

// Given returns a master token that is text until the process ends.
func Given(text string) (*Master, error) {
	if !WellFormed(text) {
		return nil, fmt.Errorf("read master token: %w", ErrMalformed)
	}
	given := keyOf(hashOf(text))
	return &Master{given: &given}, nil
}

// FromFile returns the master token that the file at path holds, at any time: a reset by
// another process counts at once. A file that is not there is made, with a new token.
func FromFile(path string) (*Master, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if _, err := Reset(path, 0); err != nil {
			return nil, err
		}
	}
	m := &Master{file: cachedFile[masterKey]{path: path, read: readKey}, old: cachedFile[masterKey]{path: keptPath(path), read: readKept}}
	if _, err := m.file.load(); err != nil {
		return nil, err // it names the file
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

func readKey(path string) (masterKey, error) {
	text, err := Read(path)
	return keyOf(hashOf(text)), err
}

// keptPath is where the hash of the token is that the one at path has replaced.
func keptPath(path string) string { return path + ".old" }

func readKept(path string) (masterKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return masterKey{}, fmt.Errorf("read the former master token: %w", err)
	}
	var k kept
	if err := json.Unmarshal(data, &k); err != nil {
		return masterKey{}, fmt.Errorf("read the former master token from %s: %w", path, err)
	}
	sum, err := hex.DecodeString(k.SHA256)
	if err != nil || len(sum) != sha256.Size {
		return masterKey{}, fmt.Errorf("read the former master token from %s: %w", path, ErrMalformed)
	}
	old := keyOf(hash(sum))
	old.until = k.Until
	return old, nil
}

// FormerUntil returns until when the token holds that the one in the file at path has replaced; the zero time
// where none holds any more, or its file cannot be read.
func FormerUntil(path string) time.Time {
	old, err := readKept(keptPath(path))
	if err != nil || !time.Now().Before(old.until) {
		return time.Time{}
	}
	return old.until
}

// Reset puts a new token into the file at path, with mode 0600, and returns it. The file is replaced
// whole: a reader gets the old token or the new one. The old one holds for as long as keep says, and no
// other one before it any more: see FormerUntil.
func Reset(path string, keep time.Duration) (string, error) {
	if err := keepOld(path, keep); err != nil {
		return "", fmt.Errorf("keep the former master token: %w", err)
	}
	text := generate()
	if err := atomicfile.Write(path, []byte(text+"\n")); err != nil {
		return "", fmt.Errorf("write master token to %s: %w", path, err)
	}
	return text, nil
}

// keepOld writes beside the file at path that its token holds for a while. It comes before the reset:
// what ends there, ends even if nothing comes after it.
func keepOld(path string, keep time.Duration) error {
	text, err := Read(path)
	if keep <= 0 || err != nil {
		// A file without a token has none that could be kept.
		if err := os.Remove(keptPath(path)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	sum := hashOf(text)
	data, err := json.Marshal(kept{SHA256: hex.EncodeToString(sum[:]), Until: time.Now().Add(keep).UTC()})
	if err != nil {
		return err
	}
	return atomicfile.Write(keptPath(path), append(data, '\n'))
}

// keys returns those of the master tokens that hold now: none while the file cannot be read,
// which err explains.
func (m *Master) keys() (all []masterKey, err error) {
	if m.given != nil {
		return []masterKey{*m.given}, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	present, err := m.file.load()
	if err != nil {
		return nil, err
	}
	all = append(all, present)
	// A file of the former token that is not there, or cannot be read, keeps none.
	if old, err := m.old.load(); err == nil && time.Now().Before(old.until) {
		all = append(all, old)
	}
	return all, nil
}

// matches reports whether h is the hash of one of the master tokens.
func matches(masters []masterKey, h hash) bool {
	same := 0
	for _, m := range masters {
		same |= subtle.ConstantTimeCompare(m.hash[:], h[:])
	}
	return same == 1
}

// cachedFile is what a file says. Comparing the file's times is cheap enough for every request; it is
// read only when they changed.
type cachedFile[T any] struct {
	path string
	read func(path string) (T, error)

	seen  fs.FileInfo // the file that value was read from
	value T
	err   error // why the file has no value
}

func (f *cachedFile[T]) load() (T, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		f.seen = nil
		var none T
		return none, err
	}
	if f.seen == nil || !os.SameFile(info, f.seen) || !info.ModTime().Equal(f.seen.ModTime()) || info.Size() != f.seen.Size() {
		f.seen = info
		f.value, f.err = f.read(f.path)
	}
	return f.value, f.err
}
