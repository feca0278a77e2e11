package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds what aliases may unfold to, maxDepth how deep lists and objects nest.
const (
	maxNodes = 1 << 18
	maxDepth = 32
)

// parseYAML reads the documents of a YAML stream.
func parseYAML(name string, data []byte) ([]document, error) {
	failed := &Error{}
	if !utf8.Valid(data) {
		failed.add(Diagnostic{File: name, Message: "the text is not valid UTF-8"})
		return nil, failed
	}
	var documents []document
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var root yaml.Node
		err := dec.Decode(&root)
		if errors.Is(err, io.EOF) {
			return documents, failed.orNil()
		}
		if err != nil {
			failed.add(yamlFault(name, err))
			return documents, failed
		}
		t := tree{file: name, lines: map[string]int{}, failed: &Error{}, budget: maxNodes}
		value := t.value("", root.Content[0], 0)
		failed.Faults = append(failed.Faults, t.failed.Faults...)
		if len(t.failed.Faults) == 0 {
			documents = append(documents, document{value: value, lines: t.lines})
		}
	}
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// yamlFault takes the line out of the library's error, which has it in its text only.
func yamlFault(name string, err error) Diagnostic {
	f := Diagnostic{File: name, Message: err.Error()}
	if m := yamlLine.FindStringSubmatch(f.Message); m != nil {
		f.Line, _ = strconv.Atoi(m[1]) // no digits: no line
		f.Message = "malformed YAML: " + m[2]
	}
	return f
}

// tree turns nodes of YAML into the values of a document.
type tree struct {
	file   string
	lines  map[string]int
	failed *Error
	budget int
}

func (t *tree) refuse(n *yaml.Node, path, message string) any {
	t.failed.add(Diagnostic{File: t.file, Line: n.Line, Path: path, Message: message})
	return nil
}

// spend reports whether a node may be followed, and counts it.
func (t *tree) spend(path string, n *yaml.Node, depth int) bool {
	t.budget--
	switch {
	case t.budget == 0:
		t.refuse(n, path, fmt.Sprintf("aliases unfold to more than %d values", maxNodes))
	case t.budget > 0 && depth > maxDepth:
		t.refuse(n, path, fmt.Sprintf("nests deeper than %d levels", maxDepth))
	}
	return t.budget > 0 && depth <= maxDepth
}

func (t *tree) value(path string, n *yaml.Node, depth int) any {
	if _, known := t.lines[path]; !known {
		t.lines[path] = n.Line
	}
	if !t.spend(path, n, depth) {
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return t.value(path, n.Alias, depth+1)
	case yaml.MappingNode:
		object := map[string]any{}
		t.mapping(path, n, object, depth)
		return object
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, element := range n.Content {
			list[i] = t.value(path+"["+strconv.Itoa(i)+"]", element, depth+1)
		}
		return list
	}
	return t.scalar(path, n)
}

// mapping adds the members of n to object; those that are merged in (<<) stand behind
// those that are written out.
func (t *tree) mapping(path string, n *yaml.Node, object map[string]any, depth int) {
	written := map[string]bool{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.ShortTag() == "!!merge" {
			merged = append(merged, value)
			continue
		}
		at := join(path, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null":
			t.refuse(key, path, "has a key that is no text")
			continue
		case written[key.Value]:
			t.refuse(key, at, "is given twice")
			continue
		}
		written[key.Value] = true
		if _, have := object[key.Value]; !have {
			t.lines[at] = key.Line
			object[key.Value] = t.value(at, value, depth+1)
		}
	}
	for _, m := range merged {
		t.merge(path, m, object, depth)
	}
}

func (t *tree) merge(path string, n *yaml.Node, object map[string]any, depth int) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if !t.spend(path, n, depth+1) {
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		t.mapping(path, n, object, depth+1)
	case yaml.SequenceNode:
		for _, element := range n.Content {
			t.merge(path, element, object, depth+1)
		}
	default:
		t.refuse(n, join(path, "<<"), "must be an alias of a mapping, or a list of such")
	}
}

func (t *tree) scalar(path string, n *yaml.Node) any {
	switch tag := n.ShortTag(); tag {
	case "!!null":
		return nil
	case "!!str", "!!timestamp":
		return n.Value
	case "!!bool", "!!int", "!!float":
		var v any
		if err := n.Decode(&v); err != nil {
			return t.refuse(n, path, fmt.Sprintf("%q is no value of the kind %s", n.Value, tag))
		}
		return t.plain(path, n, v)
	default:
		return t.refuse(n, path, fmt.Sprintf("has the tag %s, which stands for nothing here", tag))
	}
}

// plain makes a value of JSON of one of YAML.
func (t *tree) plain(path string, n *yaml.Node, v any) any {
	switch v := v.(type) {
	case bool:
		return v
	case int, int64, uint64:
		return json.Number(fmt.Sprint(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return t.refuse(n, path, "must be a number")
		}
		if json.Valid([]byte(n.Value)) {
			return json.Number(n.Value)
		}
		return json.Number(strconv.FormatFloat(v, 'g', -1, 64))
	}
	return t.refuse(n, path, fmt.Sprintf("%q is not understood", n.Value))
}
