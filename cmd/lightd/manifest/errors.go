package manifest

import (
	"fmt"
	"strings"
)

// maxFaults bounds how many faults an Error lists.
const maxFaults = 32

// Diagnostic is one thing that is wrong with a file.
type Diagnostic struct {
	// Line counts from 1; 0 when the fault is of the file as a whole.
	File string
	Line int
	// Path leads to the value at fault, as in "ports[0].port"; empty when there is none.
	Path    string
	Message string
}

// String formats f as "web.yaml:7: limits.memory must be a whole number in range".
func (f Diagnostic) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	b.WriteString(": ")
	if f.Path != "" {
		b.WriteString(f.Path + " ")
	}
	b.WriteString(f.Message)
	return b.String()
}

// Error is why files were refused. It has at least one fault.
type Error struct{ Faults []Diagnostic }

// Error lists the faults, one a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

func (e *Error) add(f Diagnostic) {
	if len(e.Faults) < maxFaults {
		e.Faults = append(e.Faults, f)
	}
}

// orNil returns e as an error, or nothing if nothing is wrong.
func (e *Error) orNil() error {
	if len(e.Faults) == 0 {
		return nil
	}
	return e
}
