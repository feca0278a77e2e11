package render

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"k8s.io/client-go/util/jsonpath"
)

// Template is text with expressions of JSONPath in braces, as kubectl takes it:
// "{.internal_id}{"\n"}".
type Template struct{ text string }

// ParseTemplate reads a Template.
func ParseTemplate(text string) (Template, error) {
	t := Template{text}
	_, err := t.parse()
	return t, err
}

// parse returns a parser of its own: one of the library works once, as a range changes it.
func (t Template) parse() (*jsonpath.JSONPath, error) {
	p := jsonpath.New("").AllowMissingKeys(true)
	if err := p.Parse(t.text); err != nil {
		return nil, fmt.Errorf("%q is no JSONPath: %w", t.text, err)
	}
	return p, nil
}

// Write writes the text for a value. What the value lacks is empty, as it is to kubectl.
func (t Template) Write(out io.Writer, v any) error {
	data, err := generic(v)
	if err != nil {
		return err
	}
	p, err := t.parse()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := guard(func() error { return p.Execute(&b, data) }); err != nil {
		return fmt.Errorf("%q: %w", t.text, err)
	}
	_, err = out.Write(b.Bytes())
	return err
}

// guard turns a panic of the library, which some expressions make it end in, into an error.
func guard(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("the expression does not fit the value")
		}
	}()
	return run()
}

// Path is one expression of JSONPath that leads to values, as in .limits.memory.
type Path struct{ template Template }

var bracedPath = regexp.MustCompile(`^\{\.?([^{}]+)\}$|^\.?([^{}]+)$`)

// ParsePath reads a Path, with or without the braces and the leading dot, as kubectl does.
func ParsePath(text string) (Path, error) {
	m := bracedPath.FindStringSubmatch(text)
	if m == nil {
		return Path{}, fmt.Errorf("%q is no path as in .limits.memory", text)
	}
	t, err := ParseTemplate("{." + m[1] + m[2] + "}")
	return Path{t}, err
}

// values are what p leads to in a generic value.
func (p Path) values(data any) ([]any, error) {
	parsed, err := p.template.parse()
	if err != nil {
		return nil, err
	}
	var found [][]reflect.Value
	if err := guard(func() (err error) { found, err = parsed.FindResults(data); return err }); err != nil {
		return nil, fmt.Errorf("%q: %w", p.template.text, err)
	}
	var all []any
	for _, list := range found {
		for _, v := range list {
			if v.IsValid() && v.CanInterface() {
				all = append(all, v.Interface())
			}
		}
	}
	return all, nil
}

// cell is what p leads to as the text of a cell: "<none>" where it leads to nothing, as kubectl has it.
func (p Path) cell(data any) (string, error) {
	values, err := p.values(data)
	if err != nil {
		return "", err
	}
	texts := make([]string, 0, len(values))
	for _, v := range values {
		if v != nil {
			texts = append(texts, scalar(v))
		}
	}
	if len(texts) == 0 {
		return "<none>", nil
	}
	return strings.Join(texts, ","), nil
}

// scalar is a value as text; a list or an object as JSON.
func scalar(v any) string {
	switch v.(type) {
	case map[string]any, []any:
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if enc.Encode(v) == nil { // what was decoded from JSON
			return strings.TrimSuffix(b.String(), "\n")
		}
	}
	return fmt.Sprint(v)
}

// Columns are the columns of a table, each with the path to its cells.
type Columns struct {
	names []string
	paths []Path
}

// ParseColumns reads "NAME:.path,NAME:.path", as kubectl's custom-columns.
func ParseColumns(text string) (Columns, error) {
	var c Columns
	for column := range strings.SplitSeq(text, ",") {
		name, path, ok := strings.Cut(column, ":")
		if !ok || name == "" || path == "" {
			return c, fmt.Errorf("%q is no column as in ID:.internal_id", column)
		}
		p, err := ParsePath(path)
		if err != nil {
			return c, err
		}
		c.names, c.paths = append(c.names, name), append(c.paths, p)
	}
	return c, nil
}

// NewTable returns a table of these columns; with bare, without the row of their names.
func (c Columns) NewTable(out io.Writer, bare bool) *Table {
	if bare {
		return NewPlainTable(out, len(c.names))
	}
	return NewTable(out, c.names...)
}

// Row returns the cells of a value.
func (c Columns) Row(v any) ([]string, error) {
	data, err := generic(v)
	if err != nil {
		return nil, err
	}
	row := make([]string, len(c.paths))
	for i, p := range c.paths {
		if row[i], err = p.cell(data); err != nil {
			return nil, err
		}
	}
	return row, nil
}

// SortBy sorts a list by what p leads to in each element: numbers by their size, all else as text, and
// what has nothing there first. It is an error when nothing has.
func SortBy[T any](list []T, p Path) error {
	type keyed struct {
		element T
		key     any
	}
	all, found := make([]keyed, len(list)), len(list) == 0
	for i, element := range list {
		data, err := generic(element)
		if err != nil {
			return err
		}
		values, err := p.values(data)
		if err != nil {
			return err
		}
		all[i].element = element
		if len(values) > 0 && values[0] != nil {
			all[i].key, found = values[0], true
		}
	}
	if !found {
		return fmt.Errorf("%q leads to nothing in any of them", strings.Trim(p.template.text, "{}"))
	}
	slices.SortStableFunc(all, func(a, b keyed) int { return compare(a.key, b.key) })
	for i := range all {
		list[i] = all[i].element
	}
	return nil
}

func compare(a, b any) int {
	x, isNumber := number(a)
	y, isOther := number(b)
	switch {
	case a == nil || b == nil:
		return cmp.Compare(order(a), order(b))
	case isNumber && isOther:
		return cmp.Compare(x, y)
	}
	return strings.Compare(scalar(a), scalar(b))
}

// order puts what is not there before what is.
func order(v any) int {
	if v == nil {
		return 0
	}
	return 1
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// generic returns v as its JSON has it: maps, lists, strings, booleans, and whole numbers as int64, so
// that a size is not written with an exponent.
func generic(v any) (any, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var out any
	if err := dec.Decode(&out); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return plainNumbers(out), nil
}

func plainNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			v[key] = plainNumbers(value)
		}
	case []any:
		for i, value := range v {
			v[i] = plainNumbers(value)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64() // JSON has no other numbers
		return f
	}
	return v
}
