package strictjson

import "strings"

// maxFields bounds how many refused fields one Error lists.
const maxFields = 32

// Field says what is wrong with one member.
type Field struct {
	// Path leads to the member from the root, as in "ports[0].port".
	Path    string
	Message string
}

// Error says why a text was refused: one Reason for the whole text, or the Fields
// that were at fault.
type Error struct {
	Reason string
	Fields []Field
}

// Error implements error.
func (e *Error) Error() string {
	if len(e.Fields) == 0 {
		return e.Reason
	}
	lines := make([]string, 0, len(e.Fields))
	for _, f := range e.Fields {
		lines = append(lines, f.Path+" "+f.Message)
	}
	return strings.Join(lines, "; ")
}

func refuse(path pointer, message string) *Error {
	e := &Error{}
	e.add(path, message)
	return e
}

func (e *Error) add(path pointer, message string) {
	if len(e.Fields) < maxFields {
		e.Fields = append(e.Fields, Field{Path: path.String(), Message: message})
	}
}
