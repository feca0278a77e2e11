package egg

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds of what is read: the bytes of a file, of which icons take the most, how deep its values nest, and how many
// there are.
const (
	MaxFile  = 8 << 20
	maxDepth = 32
	maxNodes = 1 << 17
)

// node is a value of JSON or YAML in which the members of an object keep their order: the first image of an egg is the
// one that panels take.
type node struct {
	// text is a scalar as it is written; null and false are told apart from others by kind.
	text    string
	kind    kind
	list    []*node
	members []member
}

type kind int

const (
	null kind = iota
	scalar
	array
	object
)

type member struct {
	name  string
	value *node
}

// get returns a member of an object, the last one of that name; of what is none it is null.
func (n *node) get(path ...string) *node {
	for _, name := range path {
		found := &node{}
		for _, m := range n.members {
			if m.name == name {
				found = m.value
			}
		}
		n = found
	}
	return n
}

// empty reports whether a value says nothing.
func (n *node) empty() bool {
	return n.kind == null || n.kind == scalar && strings.TrimSpace(n.text) == "" || n.kind == array && len(n.list) == 0 ||
		n.kind == object && len(n.members) == 0
}

// texts returns the scalars of a list, or a scalar as a list of one.
func (n *node) texts() []string {
	all := n.list
	if n.kind == scalar {
		all = []*node{n}
	}
	var texts []string
	for _, one := range all {
		if one.kind == scalar && one.text != "" {
			texts = append(texts, one.text)
		}
	}
	return texts
}

// embedded returns what a text of JSON holds: older formats write objects so.
func (n *node) embedded() (*node, error) {
	if n.kind != scalar || n.empty() {
		return n, nil
	}
	return decodeJSON([]byte(n.text))
}

// decode reads JSON or YAML. JSON has a decoder of its own, as its \/ is no escape of YAML.
func decode(data []byte) (*node, error) {
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
	switch {
	case len(data) > MaxFile:
		return nil, fmt.Errorf("it has more than %d MiB", MaxFile>>20)
	case !utf8.Valid(data):
		return nil, errors.New("it is not UTF-8")
	case bytes.HasPrefix(data, []byte("{")):
		return decodeJSON(data)
	}
	return decodeYAML(data)
}

// builder bounds what is built.
type builder struct{ left int }

var errTooMuch = fmt.Errorf("it nests deeper than %d values, or has more than %d", maxDepth, maxNodes)

func (b *builder) enter(depth int) error {
	if b.left--; b.left < 0 || depth > maxDepth {
		return errTooMuch
	}
	return nil
}

func decodeJSON(data []byte) (*node, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	b := &builder{left: maxNodes}
	n, err := b.json(decoder, 0)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("malformed JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("malformed JSON: something follows the object")
	}
	return n, nil
}

func (b *builder) json(decoder *json.Decoder, depth int) (*node, error) {
	if err := b.enter(depth); err != nil {
		return nil, err
	}
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case nil:
		return &node{}, nil
	case string:
		return &node{kind: scalar, text: token}, nil
	case json.Number:
		return &node{kind: scalar, text: token.String()}, nil
	case bool:
		return &node{kind: scalar, text: strconv.FormatBool(token)}, nil
	case json.Delim:
		if token == '[' {
			return b.jsonArray(decoder, depth)
		}
	}
	n := &node{kind: object}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		value, err := b.json(decoder, depth+1)
		if err != nil {
			return nil, err
		}
		text, _ := name.(string)
		n.members = append(n.members, member{text, value})
	}
	_, err = decoder.Token()
	return n, err
}

func (b *builder) jsonArray(decoder *json.Decoder, depth int) (*node, error) {
	n := &node{kind: array}
	for decoder.More() {
		value, err := b.json(decoder, depth+1)
		if err != nil {
			return nil, err
		}
		n.list = append(n.list, value)
	}
	_, err := decoder.Token()
	return n, err
}

func decodeYAML(data []byte) (*node, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, fmt.Errorf("malformed YAML: %w", errors.New(strings.TrimPrefix(err.Error(), "yaml: ")))
	}
	if len(root.Content) == 0 {
		return nil, errors.New("it is empty")
	}
	return (&builder{left: maxNodes}).yaml(root.Content[0], 0)
}

func (b *builder) yaml(y *yaml.Node, depth int) (*node, error) {
	if err := b.enter(depth); err != nil {
		return nil, err
	}
	n := &node{}
	switch y.Kind {
	case yaml.ScalarNode:
		if y.Tag != "!!null" {
			n.kind, n.text = scalar, y.Value
		}
	case yaml.SequenceNode:
		n.kind = array
	case yaml.MappingNode:
		n.kind = object
	default:
		return nil, fmt.Errorf("line %d: an alias, which no panel writes", y.Line)
	}
	for pair := range slices.Chunk(y.Content, 1+b2i(n.kind == object)) {
		value, err := b.yaml(pair[len(pair)-1], depth+1)
		if err != nil {
			return nil, err
		}
		if n.kind == object {
			n.members = append(n.members, member{pair[0].Value, value})
		} else {
			n.list = append(n.list, value)
		}
	}
	return n, nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
