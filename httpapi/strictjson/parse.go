package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// MaxDepth bounds how deep lists and objects may nest.
const MaxDepth = 32

// Object is a parsed JSON object. Its values are nil, bool, string, json.Number,
// []any and Object.
type Object map[string]any

// Parse reads data, which must be one JSON object and nothing else.
func Parse(data []byte) (Object, error) {
	if !utf8.Valid(data) {
		return nil, &Error{Reason: "the text is not valid UTF-8"}
	}
	p := parser{data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	p.dec.UseNumber()
	value, err := p.value(place{}, 0)
	if err != nil {
		return nil, err
	}
	object, ok := value.(Object)
	if !ok {
		return nil, &Error{Reason: "a JSON object is expected"}
	}
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, &Error{Reason: "something follows the JSON object"}
	}
	return object, nil
}

// parser builds the tree from the tokens of encoding/json, which check the grammar.
type parser struct {
	data []byte
	dec  *json.Decoder
}

func (p *parser) token() (json.Token, error) {
	token, err := p.dec.Token()
	if err == nil {
		return token, nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, &Error{Reason: "the JSON text ends too early"}
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return nil, &Error{Reason: fmt.Sprintf("malformed JSON at byte %d", p.dec.InputOffset())}
	}
	return nil, &Error{Reason: "malformed JSON"}
}

func (p *parser) value(path place, depth int) (any, error) {
	before := p.dec.InputOffset()
	token, err := p.token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case string:
		return t, p.checkText(path, t, p.data[before:p.dec.InputOffset()])
	case json.Delim:
		if depth >= MaxDepth {
			return nil, refuse(path, fmt.Sprintf("nests deeper than %d levels", MaxDepth))
		}
		if t == '[' {
			return p.list(path, depth+1)
		}
		return p.object(path, depth+1)
	default:
		return t, nil
	}
}

func (p *parser) list(path place, depth int) (any, error) {
	list := []any{}
	for p.dec.More() {
		at := path.index(len(list))
		value, err := p.value(at, depth)
		if err != nil {
			return nil, err
		}
		if value == nil {
			return nil, refuse(at, "null is not allowed in a list")
		}
		list = append(list, value)
	}
	_, err := p.token()
	return list, err
}

func (p *parser) object(path place, depth int) (any, error) {
	object := Object{}
	for p.dec.More() {
		before := p.dec.InputOffset()
		token, err := p.token()
		if err != nil {
			return nil, err
		}
		key, ok := token.(string)
		if !ok {
			return nil, &Error{Reason: "malformed JSON: a key must be a string"}
		}
		at := path.member(key)
		if err := p.checkText(at, key, p.data[before:p.dec.InputOffset()]); err != nil {
			return nil, err
		}
		if _, twice := object[key]; twice {
			return nil, refuse(at, "is given twice")
		}
		if object[key], err = p.value(at, depth); err != nil {
			return nil, err
		}
	}
	_, err := p.token()
	return object, err
}

const replacement = string(utf8.RuneError)

// checkText refuses NUL, and what encoding/json replaces silently: an escaped half of
// a surrogate pair. Such a replacement shows as a U+FFFD that the raw text lacks.
func (p *parser) checkText(path place, text string, raw []byte) error {
	if strings.IndexByte(text, 0) >= 0 {
		return refuse(path, "must not contain a NUL character")
	}
	if n := strings.Count(text, replacement); n > 0 {
		given := bytes.Count(raw, []byte(replacement)) + bytes.Count(bytes.ToLower(raw), []byte(`\ufffd`))
		if n > given {
			return refuse(path, "contains half of a surrogate pair")
		}
	}
	return nil
}
