package files

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// Error is a refusal of this package. Its text is a sentence for clients.
type Error string

// Error returns the sentence.
func (e Error) Error() string { return string(e) }

// The refusals.
const (
	ErrNotFound     Error = "File not found"
	ErrExists       Error = "File already exists"
	ErrIsDirectory  Error = "It is a directory"
	ErrNotDirectory Error = "It is not a directory"
	// ErrNotFile is what is neither a regular file nor a directory, and a link that leads out of the volume.
	ErrNotFile Error = "It is neither a file nor a directory"
	// ErrStale is a file that is not the one that a condition demands.
	ErrStale Error = "The file is not in the state that the request demands"
	// ErrBusy is what a program holds, or changes at the same moment.
	ErrBusy Error = "The file is being changed"
	// ErrRefused is what the file system does not allow, as of an immutable file.
	ErrRefused Error = "The file system refuses it"
	// ErrTop is an operation that the volume itself cannot be the subject of.
	ErrTop Error = "It is the volume itself"
	// ErrTooDeep is a tree of more levels than are walked through.
	ErrTooDeep Error = "The tree has too many levels"
	// ErrTooMany is a tree of more entries than are walked through.
	ErrTooMany Error = "There are too many entries"
	// ErrInside is a copy, or a move, of a directory into itself.
	ErrInside Error = "The target is inside of the source"
)

// NoRoomError is a write that there is no room for.
type NoRoomError struct {
	// Quota is true where the volume's own bound is reached, false where the disk has no more to give.
	Quota bool
}

// Error says what is full.
func (e *NoRoomError) Error() string {
	if e.Quota {
		return "The quota of the volume is used up"
	}
	return "The disk of the volumes is full"
}

// translated are the errors of the kernel that have a meaning for clients.
var translated = map[unix.Errno]Error{
	unix.ENOENT: ErrNotFound, unix.EEXIST: ErrExists, unix.ENOTEMPTY: ErrExists, unix.EISDIR: ErrIsDirectory, unix.ENOTDIR: ErrNotDirectory,
	unix.ELOOP: ErrNotFile, unix.ENXIO: ErrNotFile, unix.ENODEV: ErrNotFile,
	unix.EAGAIN: ErrBusy, unix.EBUSY: ErrBusy, unix.ETXTBSY: ErrBusy, unix.ESTALE: ErrBusy,
	unix.EPERM: ErrRefused, unix.EACCES: ErrRefused, unix.EROFS: ErrRefused, unix.EINVAL: ErrRefused, unix.EMLINK: ErrRefused, unix.EFBIG: ErrRefused,
	unix.EOPNOTSUPP: ErrRefused, unix.EXDEV: ErrRefused,
}

// escapes is the text of the error of an os.Root for a path that leads out of it, which it does not export.
const escapes = "path escapes from parent"

// wrap says what was tried on which path, and puts a refusal of this package or a NoRoomError into the
// chain of err, where it has one of those meanings.
func wrap(verb string, p Path, err error) error {
	if err == nil {
		return nil
	}
	var pathError *fs.PathError
	if errors.As(err, &pathError) && pathError.Err.Error() == escapes || strings.HasSuffix(err.Error(), escapes) {
		return fmt.Errorf("%s %q: %w: it leads out of the volume", verb, p, ErrNotFile)
	}
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return fmt.Errorf("%s %q: %w", verb, p, err)
	}
	switch errno {
	case unix.ENOSPC:
		return fmt.Errorf("%s %q: %w", verb, p, &NoRoomError{})
	case unix.EDQUOT:
		return fmt.Errorf("%s %q: %w", verb, p, &NoRoomError{Quota: true})
	case unix.ENAMETOOLONG:
		return fmt.Errorf("%s %q: %w", verb, p, &PathError{"is too long"})
	}
	if refusal, known := translated[errno]; known {
		return fmt.Errorf("%s %q: %w: %w", verb, p, refusal, errno)
	}
	return fmt.Errorf("%s %q: %w", verb, p, err)
}
