package desired

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Error is a refusal that callers decide by, compared with errors.Is. Its text is the
// sentence that a client of the API is shown.
type Error string

// Error returns the sentence.
func (e Error) Error() string { return string(e) }

// The refusals. Each is returned wrapped with what it was about.
const (
	ErrContainerExists   Error = "Container already exists"
	ErrContainerNotFound Error = "Container not found"
	// ErrDeleting answers every write to a container that is marked deleted.
	ErrDeleting Error = "Container is being deleted"
	// ErrNotDeleting answers the removal of a container without a deletion.
	ErrNotDeleting Error = "Container is not being deleted"

	// ErrPortNotInPool: a spec names what the pool does not hold.
	ErrPortNotInPool Error = "Port not found in network pool"
	// ErrPortInUse: another container has it, or it was disabled by an operator.
	ErrPortInUse Error = "Port already in use"
	// ErrPortExists, ErrPortNotFound and ErrNoPorts answer writes and reads of the pool.
	ErrPortExists   Error = "Port already exists in pool"
	ErrPortNotFound Error = "Port not found in pool"
	ErrNoPorts      Error = "No available ports in pool"

	// ErrMountOverlap: a mount source lies inside that of another container, or holds it.
	ErrMountOverlap Error = "Mount source overlaps that of another container"

	// ErrQuotaExceeded: the node, or a token, has as many as the operator allows; see LimitRange and CheckQuota.
	ErrQuotaExceeded Error = "Quota is exceeded"

	ErrVolumeNotFound Error = "Volume not found"
	ErrVolumeInUse    Error = "Volume is in use"
	ErrVolumeExists   Error = "Volume already exists"
	// ErrVolumeQuotaDenied: a token for some containers would change the quota of a volume.
	ErrVolumeQuotaDenied Error = "A token for some containers sets no quota of a volume"

	// ErrDiskFull: too little space is left; nothing was written.
	ErrDiskFull Error = "Disk is full"
	// ErrUnavailable: the database did not answer in time, or failed; whether the
	// write happened is unknown.
	ErrUnavailable Error = "Database is not available"
	// ErrClosed: the database was closed; nothing was written.
	ErrClosed Error = "Database is closed"
	// ErrTooLarge: more than one transaction can hold; nothing was written.
	ErrTooLarge Error = "Too many changes for one transaction"
)

// DiskFullError is ErrDiskFull with what is needed to make room.
type DiskFullError struct {
	// Mount is where the disk is mounted, Free what is free on it and Needed what must be, in
	// bytes.
	Mount        string
	Free, Needed uint64
	// Closed is true where the database could not be opened: nothing can be deleted in it.
	Closed bool
}

// Error names the disk and what to do.
func (e *DiskFullError) Error() string {
	remedy := "Stop or delete containers, delete volumes, or remove other files there"
	if e.Closed {
		remedy = "Remove other files there"
	}
	return fmt.Sprintf("%s: %d MiB are free on the disk at %s, and %d MiB are needed. %s",
		ErrDiskFull, e.Free>>20, e.Mount, e.Needed>>20, remedy)
}

// Unwrap returns ErrDiskFull.
func (*DiskFullError) Unwrap() error { return ErrDiskFull }

// FieldError is one thing that is wrong with one field.
type FieldError struct {
	// Field is dotted, with indexes: "limits.memory", "ports[0].port", "env.KEY".
	Field   string `json:"field"`
	Message string `json:"message"`
}

// ValidationError holds everything that is wrong with a value, sorted by field.
type ValidationError struct{ Fields []FieldError }

// Error lists the fields.
func (e *ValidationError) Error() string {
	lines := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		lines[i] = f.Field + ": " + f.Message
	}
	return strings.Join(lines, "; ")
}

// FieldPathError is a refusal of one field.
type FieldPathError struct {
	Field string
	Err   error
}

// Error names the refused field, and why it is refused.
func (e *FieldPathError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap returns the refusal itself.
func (e *FieldPathError) Unwrap() error { return e.Err }

// AtField returns err as one about what path leads to: the fields that it names are below it.
func AtField(path string, err error) error {
	var invalid *ValidationError
	if errors.As(err, &invalid) {
		below := make([]FieldError, len(invalid.Fields))
		for i, f := range invalid.Fields {
			below[i] = FieldError{Field: path + "." + f.Field, Message: f.Message}
		}
		return &ValidationError{Fields: below}
	}
	var at *FieldPathError
	if errors.As(err, &at) {
		return &FieldPathError{Field: path + "." + at.Field, Err: at.Err}
	}
	return &FieldPathError{Field: path, Err: err}
}

// Invalid returns a ValidationError of one field.
func Invalid(field, message string) error {
	return &ValidationError{Fields: []FieldError{{Field: field, Message: message}}}
}

// InvalidFields returns a ValidationError of fields, nil when there are none. Maps are walked in
// no order: sorting gives the same answer to the same mistake.
func InvalidFields(fields []FieldError) error {
	if len(fields) == 0 {
		return nil
	}
	slices.SortStableFunc(fields, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
	return &ValidationError{Fields: fields}
}

// faults collects field errors.
type faults []FieldError

func (f *faults) add(field, message string) {
	*f = append(*f, FieldError{Field: field, Message: message})
}

func (f faults) err() error { return InvalidFields(f) }
