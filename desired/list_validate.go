package desired

import (
	"errors"
	"fmt"
)

// maxFaults bounds how many faults of a list are reported.
const maxFaults = 100

// ErrorList collects what is wrong with the parts of a list.
type ErrorList struct {
	fields []FieldError
	more   int
}

// Take adds the fields of err, nil for none; it returns false for an error that is no
// *ValidationError, and that so cannot be collected.
func (f *ErrorList) Take(err error) bool {
	if err == nil {
		return true
	}
	var invalid *ValidationError
	if !errors.As(err, &invalid) {
		return false
	}
	room := min(maxFaults-len(f.fields), len(invalid.Fields))
	f.fields = append(f.fields, invalid.Fields[:room]...)
	f.more += len(invalid.Fields) - room
	return true
}

// Err returns the collected faults as a *ValidationError, in their order; nil when
// there are none. list is the field that the faults beyond the bound are counted under.
func (f *ErrorList) Err(list string) error {
	switch {
	case len(f.fields) == 0:
		return nil
	case f.more == 0:
		return &ValidationError{Fields: f.fields}
	}
	rest := FieldError{Field: list, Message: fmt.Sprintf("has more faults (%d)", f.more)}
	return &ValidationError{Fields: append(f.fields, rest)}
}

// ValidateList reports, as a *ValidationError, what specs cannot be in one list: the
// same id twice, or ports of two of them that overlap. list is the field that holds them.
func ValidateList(list string, specs []Spec) error {
	var faults ErrorList
	ids := make(map[string]int, len(specs))
	type named struct{ spec, port int }
	var ports Overlaps[named]
	for i, s := range specs {
		at := fmt.Sprintf("%s[%d]", list, i)
		if first, twice := ids[s.InternalID]; twice {
			faults.Take(Invalid(at+".internal_id", fmt.Sprintf("is that of %s[%d]", list, first)))
			continue
		}
		ids[s.InternalID] = i
		for j, p := range s.Ports {
			e := p.Normalize().Endpoint()
			if e.Port == 0 {
				continue
			}
			if by, overlaps := ports.Find(e); overlaps && by.spec != i {
				faults.Take(Invalid(fmt.Sprintf("%s.ports[%d]", at, j),
					fmt.Sprintf("%s overlaps %s[%d].ports[%d]", e, list, by.spec, by.port)))
			}
			ports.Add(e, named{i, j})
		}
	}
	return faults.Err(list)
}
