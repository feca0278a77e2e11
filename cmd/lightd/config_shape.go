package main

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"go.yaml.in/yaml/v3"

	"lightd/httpapi/suggest"
)

// shapeProblems compares a document with the settings before it is decoded, whose own errors name Go's types
// and no keys. Each problem has the file and line, the key, what was found, and what is accepted.
func shapeProblems(file string, document *yaml.Node) []string {
	c := shapeCheck{file: file}
	if len(document.Content) > 0 {
		c.mapping("", document.Content[0], reflect.TypeFor[config]())
	}
	return c.problems
}

type shapeCheck struct {
	file     string
	problems []string
}

// add adds a problem of a key; "" is the file itself.
func (c *shapeCheck) add(at *yaml.Node, key, format string, args ...any) {
	place := fmt.Sprintf("%s:%d: ", c.file, at.Line)
	if key != "" {
		place += key + ": "
	}
	c.problems = append(c.problems, place+fmt.Sprintf(format, args...))
}

// mapping checks a section, or the whole file for the key "".
func (c *shapeCheck) mapping(key string, node *yaml.Node, kind reflect.Type) {
	node = resolved(node)
	if isNull(node) {
		return
	}
	names, kinds := settingsOf(kind)
	if node.Kind != yaml.MappingNode {
		if key == "" {
			c.add(node, "", "the file is %s, and must have keys, as in %q", found(node), "listen: 127.0.0.1:8070")
			return
		}
		c.add(node, key, "it is %s, and must have keys: %s", found(node), strings.Join(names, ", "))
		return
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		full := strings.TrimPrefix(key+"."+name.Value, ".")
		if line := lines[name.Value]; line > 0 {
			c.add(name, full, "it is given twice: line %d has it too", line)
		}
		lines[name.Value] = name.Line
		of, known := kinds[name.Value]
		switch {
		case name.Value == "<<":
		case known:
			c.value(full, value, of)
		default:
			c.add(name, full, "there is no such setting%s", didYouMean(name.Value, names))
		}
	}
}

func didYouMean(given string, names []string) string {
	if near := suggest.Nearest(strings.ToLower(given), names, len(given)/3+1); near != "" {
		return fmt.Sprintf(" (did you mean %s?)", near)
	}
	return ": it must be one of " + strings.Join(names, ", ")
}

// settingsOf returns the keys of a section, and what each is.
func settingsOf(kind reflect.Type) (names []string, kinds map[string]reflect.Type) {
	kinds = map[string]reflect.Type{}
	for i := range kind.NumField() {
		if name := kind.Field(i).Tag.Get("yaml"); name != "" {
			names, kinds[name] = append(names, name), kind.Field(i).Type
		}
	}
	return names, kinds
}

// value checks what a key has.
func (c *shapeCheck) value(key string, node *yaml.Node, kind reflect.Type) {
	node = resolved(node)
	switch {
	case kind == reflect.TypeFor[addresses]() && node.Kind == yaml.SequenceNode:
		kind = reflect.TypeFor[[]string]()
	case kind.Kind() == reflect.Struct:
		c.mapping(key, node, kind)
		return
	case isNull(node):
		return
	}
	if kind.Kind() == reflect.Slice {
		if node.Kind != yaml.SequenceNode {
			c.add(node, key, "it is %s, and must be a list, as in [%s]", found(node), orExample(node))
			return
		}
		for _, item := range node.Content {
			c.value(key, item, kind.Elem())
		}
		return
	}
	if node.Kind != yaml.ScalarNode {
		c.add(node, key, "it is %s, and must be %s", found(node), accepted(kind))
	} else if !fits(node.Value, kind) {
		c.add(node, key, "it is %q, and must be %s", node.Value, accepted(kind))
	}
}

func orExample(node *yaml.Node) string {
	if node.Kind == yaml.ScalarNode && node.Value != "" {
		return node.Value
	}
	return "a, b"
}

// resolved follows an alias.
func resolved(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

func found(node *yaml.Node) string {
	switch node.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a map of keys"
	}
	return strconv.Quote(node.Value)
}

// needsQuotes is a value that begins with a character that YAML has for itself, behind its key, a comma or the
// dash of a list.
var needsQuotes = regexp.MustCompile("^(?:[^#'\"]*[\\[,{]|\\s*(?:[\\w.]+:|-))\\s*([*@%`:][^\\s,\\]}]*)")

// keyOf is the key that a line begins with.
var keyOf = regexp.MustCompile(`^\s*(?:- +)?([A-Za-z_]+):`)

// syntaxError says where a file is no YAML: the library counts lines from two numbers, and names no key.
func syntaxError(file string, data []byte, err error) error {
	key := ""
	for i, line := range strings.Split(string(data), "\n") {
		if m := keyOf.FindStringSubmatch(line); m != nil {
			key = m[1] + ": "
		}
		if m := needsQuotes.FindStringSubmatch(line); m != nil {
			return fmt.Errorf("%s:%d: %s%s begins with a character that YAML has for itself: put it in quotes, as in '%s'", file, i+1, key, m[1], m[1])
		}
	}
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if n, rest, found := strings.Cut(strings.TrimPrefix(text, "line "), ": "); found && rest != "" {
		if at, bad := strconv.Atoi(n); bad == nil {
			text, line = rest, at
		}
	}
	return fmt.Errorf("%s:%d: it is no YAML there, or in the line after: %s", file, line, text)
}

// fits reports whether a text can be read as a value. What a value must be beside that, check finds.
func fits(text string, kind reflect.Type) bool {
	var err error
	switch {
	case kind == reflect.TypeFor[time.Duration]():
		_, err = time.ParseDuration(text)
	case kind.Kind() == reflect.Bool:
		var b bool
		err = yaml.Unmarshal([]byte(text), &b)
	case kind.Kind() == reflect.Int, kind.Kind() == reflect.Int64:
		var n int64
		var f float64
		err = yaml.Unmarshal([]byte(text), &n)
		// The library cuts off what is behind the point.
		if yaml.Unmarshal([]byte(text), &f) == nil && f != math.Trunc(f) {
			return false
		}
	case kind == reflect.TypeFor[cores]():
		_, err = parseCores(text)
	}
	return err == nil
}

// accepted describes a kind of values, with an example.
func accepted(kind reflect.Type) string {
	switch {
	case kind == reflect.TypeFor[time.Duration]():
		return "a duration with its unit, as in 10s, 5m or 168h: there are s, m and h"
	case kind.Kind() == reflect.Bool:
		return "true or false"
	case kind.Kind() == reflect.Int, kind.Kind() == reflect.Int64:
		return "a whole number, as in 100"
	case kind == reflect.TypeFor[cores]():
		return "a number of cores, as in 1.5, or of thousandths of one, as in 500m"
	case kind == reflect.TypeFor[addresses]():
		return "an address or a list of them, as in 127.0.0.1:8070"
	}
	return "a single text"
}

// parseBytes reads a size as in 512m, 512Mi or 10g, in units of 1,024.
func parseBytes(text string) (int64, error) {
	if n := len(text); n > 1 && (text[n-1] == 'i' || text[n-1] == 'I') {
		text += "B"
	}
	return units.RAMInBytes(text)
}
