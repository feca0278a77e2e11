package cliconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"lightd/desired/atomicfile"
)

// Context is a daemon that has a name.
type Context struct {
	// Server is its URL, TokenFile where its token is.
	Server    string `yaml:"server" json:"server"`
	TokenFile string `yaml:"token_file,omitempty" json:"token_file,omitempty"`
	// Pin is the fingerprint of its certificate, which then is the only one that is accepted.
	Pin string `yaml:"pin,omitempty" json:"pin,omitempty"`
	// ClientCert and ClientKey are the files of the certificate that it asks for.
	ClientCert string `yaml:"client_cert,omitempty" json:"client_cert,omitempty"`
	ClientKey  string `yaml:"client_key,omitempty" json:"client_key,omitempty"`
}

// Contexts is what the contexts file holds.
type Contexts struct {
	// Current is the name of the current context; empty for none.
	Current  string             `yaml:"current,omitempty" json:"current"`
	Contexts map[string]Context `yaml:"contexts" json:"contexts"`

	path string
}

// Path returns where the contexts file is: $XDG_CONFIG_HOME/lightd/contexts.yaml, in
// ~/.config without that variable.
func Path(getenv func(string) string) string {
	base := getenv("XDG_CONFIG_HOME")
	if base == "" {
		base = filepath.Join(getenv("HOME"), ".config")
	}
	return filepath.Join(base, "lightd", "contexts.yaml")
}

// Load reads the contexts file; one that is not there holds none. A file that others may
// write is refused: it decides where tokens are sent.
func Load(path string) (*Contexts, error) {
	c := &Contexts{Contexts: map[string]Context{}, path: path}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read contexts: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read contexts: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("read contexts: others may write %s, which says where tokens are sent: chmod 600 it", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read contexts: %w", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read contexts from %s: %w", path, err)
	}
	if c.Contexts == nil {
		c.Contexts = map[string]Context{}
	}
	return c, nil
}

// Names returns the names of all contexts, sorted.
func (c *Contexts) Names() []string { return slices.Sorted(maps.Keys(c.Contexts)) }

// ErrNoContext answers the name of a context that is not stored.
var ErrNoContext = errors.New("there is no context")

// Get returns the context of a name, or ErrNoContext.
func (c *Contexts) Get(name string) (Context, error) {
	at, found := c.Contexts[name]
	if !found {
		return Context{}, fmt.Errorf("%w %q in %s", ErrNoContext, name, c.path)
	}
	return at, nil
}

var nameForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$`)

// Set adds a context, or changes one. The first one becomes the current one.
func (c *Contexts) Set(name string, at Context) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%q can be no name of a context: it begins with a letter or digit, and holds letters, digits, '_', '.' and '-'", name)
	}
	c.Contexts[name] = at
	if len(c.Contexts) == 1 {
		c.Current = name
	}
	return nil
}

// Use makes the context of a name the current one; none for "".
func (c *Contexts) Use(name string) error {
	if name != "" {
		if _, err := c.Get(name); err != nil {
			return err
		}
	}
	c.Current = name
	return nil
}

// Delete removes a context.
func (c *Contexts) Delete(name string) error {
	if _, err := c.Get(name); err != nil {
		return err
	}
	delete(c.Contexts, name)
	if c.Current == name {
		c.Current = ""
	}
	return nil
}

// Save writes the file, with mode 0600. It is replaced whole.
func (c *Contexts) Save() error {
	data, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode contexts: %w", err)
	}
	dir := filepath.Dir(c.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	if err := atomicfile.Write(c.path, data); err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	return nil
}
