package strictjson

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

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

func refuse(pointer jsontext.Pointer, kinds []jsontext.Kind, message string) *Error {
	return &Error{Fields: []Field{{Path: pathOf(pointer, kinds), Message: message}}}
}

// Refuse adds a field.
func (e *Error) Refuse(path, message string) {
	if len(e.Fields) < maxFields {
		e.Fields = append(e.Fields, Field{Path: path, Message: message})
	}
}

// AddAt adds the fields of err, which is about the value at path; nil adds none.
func (e *Error) AddAt(path string, err error) {
	var at *Error
	switch {
	case err == nil:
	case errors.As(err, &at):
		for _, f := range at.Fields {
			e.Refuse(strings.TrimSuffix(path+"."+f.Path, "."), f.Message)
		}
	default:
		e.Refuse(path, err.Error())
	}
}

// OrNil returns e as an error, or nil where it has no field.
func (e *Error) OrNil() error {
	if len(e.Fields) == 0 {
		return nil
	}
	return e
}
