package archive

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"lightd/observed/files"
)

// The longest path and name of an entry, in bytes.
const (
	maxPath = 4095
	maxName = 255
	// maxLevels bounds how deep a tree is: that of files.Walk, which has to be able to pack it.
	maxLevels = 200
)

// cleanName returns the path of an entry, relative and clean; empty for the directory that all are in. The error
// is ErrUnsafe, or ErrDamaged for what can be no path.
func cleanName(name string) (string, error) {
	switch {
	case strings.HasPrefix(name, "/"):
		return "", fmt.Errorf("%w: %.100q is absolute", ErrUnsafe, name)
	case len(name) > maxPath, strings.ContainsRune(name, 0):
		return "", fmt.Errorf("%w: %.100q is no path", ErrDamaged, name)
	}
	levels := 0
	for one := range strings.SplitSeq(name, "/") {
		if levels++; one == ".." || levels > maxLevels {
			return "", fmt.Errorf("%w: %.100q", ErrUnsafe, name)
		}
		if len(one) > maxName {
			return "", fmt.Errorf("%w: %.100q is no path", ErrDamaged, name)
		}
	}
	cleaned := path.Clean("/" + name)[1:]
	if first, _, _ := strings.Cut(cleaned, "/"); first == files.Hidden {
		return "", fmt.Errorf("%w: %s is the daemon's own", ErrUnsafe, files.Hidden)
	}
	return cleaned, nil
}

// staysInside reports whether a link of an entry leads to what is in the same archive: its target is relative,
// and has at no point more ".." than there are directories above.
func staysInside(name, target string) bool {
	if target == "" || strings.HasPrefix(target, "/") || strings.ContainsRune(target, 0) || len(target) > maxPath {
		return false
	}
	depth := strings.Count(name, "/")
	for one := range strings.SplitSeq(target, "/") {
		switch one {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return false
			}
		default:
			depth++
		}
	}
	return true
}

// modeOf is the mode of an entry as package io/fs has it.
func modeOf(v files.Visited) fs.FileMode {
	switch v.Type {
	case files.Directory:
		return fs.ModeDir | fs.FileMode(v.Mode)
	case files.Symlink:
		return fs.ModeSymlink | fs.FileMode(v.Mode)
	}
	return fs.FileMode(v.Mode)
}
