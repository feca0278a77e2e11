package mountsource

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxLinks bounds the symbolic links in one path, as the kernel does.
const maxLinks = 40

// resolution is what a path leads to on the host, and the symbolic links on the way.
type resolution struct {
	path  string
	links []string
}

// follow follows the symbolic links of an absolute path. Unlike filepath.EvalSymlinks it
// returns the location of each link as well: whoever can write there decides where the path
// leads. On an error the resolution is as far as it got.
func follow(path string) (resolution, error) {
	r := resolution{path: "/"}
	rest := strings.Split(strings.Trim(filepath.Clean(path), "/"), "/")
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			r.path = filepath.Dir(r.path)
			continue
		}
		next := filepath.Join(r.path, name)
		info, err := os.Lstat(next)
		if err != nil {
			r.path = filepath.Join(append([]string{next}, rest...)...)
			return r, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			r.path = next
			continue
		}
		r.links = append(r.links, next)
		target, err := os.Readlink(next)
		if err == nil && len(r.links) > maxLinks {
			err = errors.New("too many symbolic links")
		}
		if err != nil {
			return r, err
		}
		if filepath.IsAbs(target) {
			r.path = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return r, nil
}

// Resolve returns what an absolute path leads to on the host, with all symbolic links
// resolved.
func Resolve(path string) (string, error) {
	r, err := follow(path)
	return r.path, err
}
