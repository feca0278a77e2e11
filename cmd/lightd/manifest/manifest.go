package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// maxFile bounds a file, in bytes: what an apply takes at most.
const maxFile = 16 << 20

// Stdin is the name that stands for the standard input.
const Stdin = "-"

// Set is what files hold.
type Set struct {
	// Containers are specs.
	Containers []Object
	// Volumes and Ports of the pool are what containers need besides.
	Volumes, Ports []Object
}

// Object is one spec, or what a container needs, as a file has it.
type Object struct {
	// ID is that of a container.
	ID string
	// Fields are those that the file gives, unchecked but for internal_id.
	Fields map[string]any

	File string
	Line int

	// prefix leads from the root of the document to this object; lines has the lines of
	// everything in the document by path.
	prefix string
	lines  map[string]int
}

// MarshalJSON writes what the file gives and no more.
func (o Object) MarshalJSON() ([]byte, error) { return json.Marshal(o.Fields) }

// Fault returns the fault of the value at path, which leads from the spec. The line is
// that of the nearest value around it that the file has. A value that YAML reads as another kind than
// was meant gets a hint.
func (o Object) Fault(path, message string) Diagnostic {
	f := Diagnostic{File: o.File, Line: o.Line, Path: path, Message: message}
	if message == mustBeString {
		f.Message += o.hint(path)
	}
	for at := path; at != ""; at = at[:max(0, strings.LastIndexAny(at, ".["))] {
		if line, ok := o.lines[join(o.prefix, at)]; ok {
			f.Line = line
			break
		}
	}
	return f
}

func join(prefix, path string) string {
	if prefix == "" || path == "" || strings.HasPrefix(path, "[") {
		return prefix + path
	}
	return prefix + "." + path
}

// Read reads all files, in order. A directory stands for the files in it, not below, that
// end in .yaml, .yml or .json, by name; "-" for stdin, once. Its error is an *Error, unless
// a file could not be read.
func Read(paths []string, stdin io.Reader) (Set, error) {
	r := reader{stdin: stdin, seen: map[string]Object{}}
	for _, path := range paths {
		if err := r.path(path); err != nil {
			return Set{}, err
		}
	}
	if err := r.failed.orNil(); err != nil {
		return Set{}, err
	}
	if len(r.set.Containers)+len(r.set.Volumes)+len(r.set.Ports) == 0 {
		return Set{}, &Error{Faults: []Diagnostic{{File: strings.Join(paths, ", "), Message: "holds no spec"}}}
	}
	return r.set, nil
}

// Patch reads the one object that a text holds, with sizes in units as a spec has them; null stays. The
// error is an *Error.
func Patch(name string, data []byte) (map[string]any, error) {
	documents, err := parse(name, data)
	if err != nil {
		return nil, err
	}
	failed := &Error{}
	if len(documents) == 1 {
		if fields, is := documents[0].value.(map[string]any); is {
			o := Object{File: name, Line: documents[0].lines[""], Fields: fields, lines: documents[0].lines}
			for path, problem := range withUnits(fields) {
				failed.add(o.Fault(path, problem))
			}
			return fields, failed.orNil()
		}
	}
	failed.add(Diagnostic{File: name, Message: "one object is expected, as in {\"suspended\": true}"})
	return nil, failed
}

// reader collects what the files hold, and every fault.
type reader struct {
	stdin  io.Reader
	set    Set
	seen   map[string]Object
	failed Error
}

func (r *reader) path(path string) error {
	if path == Stdin {
		if r.stdin == nil {
			return errors.New("read specs: the standard input is read twice")
		}
		data, err := readAll(r.stdin, "the standard input")
		r.stdin = nil
		if err == nil {
			r.file("stdin", data)
		}
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("read specs: %w", err)
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = filesIn(path); err != nil {
			return err
		}
	}
	for _, name := range files {
		data, err := readFile(name)
		if err != nil {
			return err
		}
		r.file(name, data)
	}
	return nil
}

// filesIn returns the files of a directory that may hold specs, sorted.
func filesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read specs: %w", err)
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(e.Name())) {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read specs: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	return readAll(f, name)
}

func readAll(in io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read specs from %s: %w", name, unwrapPath(err))
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("read specs from %s: more than %d MiB", name, maxFile>>20)
	}
	return data, nil
}

// unwrapPath takes the path out of an error that stands behind it already.
func unwrapPath(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// file reads one file, whose faults it notes.
func (r *reader) file(name string, data []byte) {
	documents, err := parse(name, data)
	var refused *Error
	if errors.As(err, &refused) {
		r.failed.Faults = append(r.failed.Faults, refused.Faults...)
	}
	for _, d := range documents {
		r.document(name, d)
	}
}

// document is one document of a file: a tree of map[string]any, []any, string, json.Number, bool and
// nil, and the line of each value by its path.
type document struct {
	value any
	lines map[string]int
}

// The members of a document that is the body of an apply.
const (
	containers = "containers"
	volumes    = "volumes"
	ports      = "ports"
)

// document takes the specs out of a document: it is one, or a list, or an object whose
// only members are such a list and what containers need besides.
func (r *reader) document(name string, d document) {
	switch v := d.value.(type) {
	case nil:
		return // only comments
	case map[string]any:
		if isBody(v) {
			r.body(name, v, d.lines)
			return
		}
		r.object(Object{File: name, Line: d.lines[""], Fields: v, lines: d.lines})
	case []any:
		for _, o := range r.list(name, "", aSpec, v, d.lines) {
			r.object(o)
		}
	default:
		r.failed.add(Diagnostic{File: name, Line: d.lines[""], Message: "a spec is expected: an object with internal_id, image and more"})
	}
}

// isBody reports whether an object has members of the body of an apply, and no others.
func isBody(object map[string]any) bool {
	for name := range object {
		if name != containers && name != volumes && name != ports {
			return false
		}
	}
	return len(object) > 0
}

// body takes what an apply takes out of a document.
func (r *reader) body(name string, body map[string]any, lines map[string]int) {
	for _, o := range r.member(name, containers, aSpec, body, lines) {
		r.object(o)
	}
	for _, o := range r.member(name, volumes, "an object with volume_id", body, lines) {
		for path, problem := range volumeUnits(o.Fields) {
			r.failed.add(o.Fault(path, problem))
		}
		r.set.Volumes = append(r.set.Volumes, o)
	}
	r.set.Ports = append(r.set.Ports, r.member(name, ports, "an object with ip, and port or ports", body, lines)...)
}

// aSpec says what a list of containers consists of.
const aSpec = "a spec: an object with internal_id, image and more"

// member returns the elements of a member of a body, which must be a list of what is named.
func (r *reader) member(name, member, of string, body map[string]any, lines map[string]int) []Object {
	list, ok := body[member].([]any)
	if !ok && body[member] != nil {
		r.failed.add(Diagnostic{File: name, Line: lines[member], Path: member, Message: "must be a list"})
	}
	return r.list(name, member, of, list, lines)
}

func (r *reader) list(name, prefix, of string, list []any, lines map[string]int) (objects []Object) {
	for i, element := range list {
		at := fmt.Sprintf("%s[%d]", prefix, i)
		fields, ok := element.(map[string]any)
		if !ok {
			r.failed.add(Diagnostic{File: name, Line: lines[at], Path: at, Message: "must be " + of})
			continue
		}
		objects = append(objects, Object{File: name, Line: lines[at], Fields: fields, prefix: at, lines: lines})
	}
	return objects
}

// object checks one spec and adds it.
func (r *reader) object(o Object) {
	for path, problem := range withUnits(o.Fields) {
		r.failed.add(o.Fault(path, problem))
		return
	}
	id, isText := o.Fields["internal_id"].(string)
	switch {
	case o.Fields["internal_id"] != nil && !isText:
		r.failed.add(o.Fault("internal_id", mustBeString))
		return
	case id == "":
		r.failed.add(o.Fault("internal_id", "is required"))
		return
	}
	o.ID = id
	if first, twice := r.seen[o.ID]; twice {
		r.failed.add(o.Fault("internal_id", fmt.Sprintf("%q is given twice: first at %s:%d", o.ID, first.File, first.Line)))
		return
	}
	r.seen[o.ID] = o
	r.set.Containers = append(r.set.Containers, o)
}

// mustBeString is the daemon's message of a value that is no string.
const mustBeString = "must be a string"

// hint says how to write a text that YAML takes for a number or a boolean.
func (o Object) hint(path string) string {
	switch v := valueAt(o.Fields, path).(type) {
	case json.Number, bool:
		return fmt.Sprintf(": quote it, as in \"%v\"", v)
	}
	return ""
}

// valueAt returns what path leads to, as in "ports[0].ip"; nil for nothing. Keys may have dots and brackets.
func valueAt(from any, path string) any {
	switch from := from.(type) {
	case map[string]any:
		for key, value := range from {
			below, is := strings.CutPrefix(path, key)
			switch {
			case !is:
			case below == "":
				return value
			case below[0] == '.' || below[0] == '[':
				if found := valueAt(value, strings.TrimPrefix(below, ".")); found != nil {
					return found
				}
			}
		}
	case []any:
		index, below, _ := strings.Cut(strings.TrimPrefix(path, "["), "]")
		if i, err := strconv.Atoi(index); err == nil && i >= 0 && i < len(from) {
			if below == "" {
				return from[i]
			}
			return valueAt(from[i], strings.TrimPrefix(below, "."))
		}
	}
	return nil
}
