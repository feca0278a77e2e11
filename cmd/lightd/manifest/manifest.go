package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/strictjson"
)

// maxFile bounds a file, in bytes: what an apply takes at most.
const maxFile = 16 << 20

// Stdin is the name that stands for the standard input.
const Stdin = "-"

// Object is one spec as a file has it.
type Object struct {
	ID string
	// Fields are those that the file gives, without what a GET returns besides.
	Fields strictjson.Object
	// Spec is the same over the defaults of package desired.
	Spec desired.Spec

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
// that of the nearest value around it that the file has.
func (o Object) Fault(path, message string) Diagnostic {
	f := Diagnostic{File: o.File, Line: o.Line, Path: path, Message: message}
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
func Read(paths []string, stdin io.Reader) ([]Object, error) {
	r := reader{stdin: stdin, seen: map[string]Object{}}
	for _, path := range paths {
		if err := r.path(path); err != nil {
			return nil, err
		}
	}
	if err := r.failed.orNil(); err != nil {
		return nil, err
	}
	if len(r.objects) == 0 {
		return nil, &Error{Faults: []Diagnostic{{File: strings.Join(paths, ", "), Message: "holds no spec"}}}
	}
	return r.objects, nil
}

// reader collects what the files hold, and every fault.
type reader struct {
	stdin   io.Reader
	objects []Object
	seen    map[string]Object
	failed  Error
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

// document is one document of a file: a tree of what strictjson has values for, and the
// line of each.
type document struct {
	value any
	lines map[string]int
}

// document takes the specs out of a document: it is one, or a list, or an object whose
// only members are such a list and what an apply takes besides.
func (r *reader) document(name string, d document) {
	switch v := d.value.(type) {
	case nil:
		return // only comments
	case strictjson.Object:
		if list, ok := v["containers"].([]any); ok && len(v) == 1 {
			r.list(name, "containers", list, d.lines)
			return
		}
		r.object(Object{File: name, Line: d.lines[""], Fields: v, lines: d.lines})
	case []any:
		r.list(name, "", v, d.lines)
	default:
		r.failed.add(Diagnostic{File: name, Line: d.lines[""], Message: "a spec is expected: an object with internal_id, image and more"})
	}
}

func (r *reader) list(name, prefix string, list []any, lines map[string]int) {
	for i, element := range list {
		at := fmt.Sprintf("%s[%d]", prefix, i)
		fields, ok := element.(strictjson.Object)
		if !ok {
			r.failed.add(Diagnostic{File: name, Line: lines[at], Path: at, Message: "must be a spec: an object with internal_id, image and more"})
			continue
		}
		r.object(Object{File: name, Line: lines[at], Fields: fields, prefix: at, lines: lines})
	}
}

// object checks one spec and adds it.
func (r *reader) object(o Object) {
	for path, problem := range withUnits(o.Fields) {
		r.failed.add(o.Fault(path, problem))
		return
	}
	o.Spec = desired.DefaultSpec()
	err := o.Fields.Bind(&o.Spec, readOnly...)
	var refused *strictjson.Error
	if errors.As(err, &refused) {
		for _, f := range refused.Fields {
			r.failed.add(o.Fault(f.Path, f.Message+o.hint(f.Path)))
		}
		return
	}
	for _, name := range readOnly {
		delete(o.Fields, name)
	}
	o.ID = o.Spec.InternalID
	if o.ID == "" {
		r.failed.add(o.Fault("internal_id", "is required"))
		return
	}
	if first, twice := r.seen[o.ID]; twice {
		r.failed.add(o.Fault("internal_id", fmt.Sprintf("%q is given twice: first at %s:%d", o.ID, first.File, first.Line)))
		return
	}
	r.seen[o.ID] = o
	r.objects = append(r.objects, o)
}

// hint tells how to write a value that YAML takes for another kind than its writer did.
func (o Object) hint(path string) string {
	key, below, _ := strings.Cut(path, ".")
	if key != "env" && key != "labels" {
		return ""
	}
	entries, _ := o.Fields[key].(strictjson.Object)
	switch v := entries[below].(type) {
	case json.Number:
		return fmt.Sprintf(": quote it, as in \"%s\"", v)
	case bool:
		return fmt.Sprintf(": quote it, as in \"%t\"", v)
	}
	return ""
}

// readOnly are the fields that a GET returns and no write takes. The daemon passes them
// over too, so that what was read can be changed and applied.
var readOnly = func() []string {
	written := jsonNames(reflect.TypeFor[desired.Spec]())
	return slices.DeleteFunc(jsonNames(reflect.TypeFor[api.Container]()), func(name string) bool {
		return slices.Contains(written, name)
	})
}()

func jsonNames(t reflect.Type) []string {
	names := make([]string, 0, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
