package files

import (
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// Hidden is the directory at the top of a volume that holds what is not whole yet.
const Hidden = ".lightd"

// The longest path, and the longest name in it, in bytes: PATH_MAX and NAME_MAX of Linux.
const (
	maxPath = 4095
	maxName = 255
)

// Path names an entry below the top of a volume. It is relative and clean; Top is the volume itself.
type Path string

// Top is the directory of the volume.
const Top Path = "."

// PathError refuses a path.
type PathError struct{ Reason string }

// Error says what the path must be.
func (e *PathError) Error() string { return e.Reason }

// Clean returns the path that a client means. A slash in front stands for the top of the volume; an element
// ".." is refused, as nobody who needs it is up to good. The error is a *PathError.
func Clean(text string) (Path, error) {
	switch {
	case len(text) > maxPath:
		return "", &PathError{fmt.Sprintf("must have at most %d bytes", maxPath)}
	case strings.ContainsRune(text, 0):
		return "", &PathError{"must not contain NUL"}
	case !utf8.ValidString(text):
		return "", &PathError{"must be UTF-8"}
	}
	for name := range strings.SplitSeq(text, "/") {
		switch {
		case name == "..":
			return "", &PathError{`must not contain ".."`}
		case len(name) > maxName:
			return "", &PathError{fmt.Sprintf("must have no name of more than %d bytes", maxName)}
		}
	}
	p := Path(strings.TrimPrefix(path.Clean("/"+text), "/"))
	if p == "" {
		return Top, nil
	}
	if first, _, _ := strings.Cut(string(p), "/"); first == Hidden {
		return "", &PathError{fmt.Sprintf("must not be in %s, which is the daemon's own", Hidden)}
	}
	return p, nil
}

// Dir is the directory that p is in.
func (p Path) Dir() Path { return Path(path.Dir(string(p))) }

// Base is the last name of p.
func (p Path) Base() string { return path.Base(string(p)) }

// Within reports whether p is dir, or below it.
func (p Path) Within(dir Path) bool {
	return dir == Top || p == dir || strings.HasPrefix(string(p), string(dir)+"/")
}
