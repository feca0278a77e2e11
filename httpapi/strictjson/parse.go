package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
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
	// What is refused of names and text is told with its place, which the decoder would not.
	p := parser{data: data, names: map[string]string{}, dec: jsontext.NewDecoder(bytes.NewBuffer(data),
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	value, err := p.value(pointer{}, 0)
	if err != nil {
		return nil, err
	}
	object, ok := value.(Object)
	if !ok {
		return nil, &Error{Reason: "a JSON object is expected"}
	}
	if _, err := p.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, &Error{Reason: "something follows the JSON object"}
	}
	return object, nil
}

// parser builds the tree from the tokens of the decoder, which checks the grammar.
type parser struct {
	data []byte
	dec  *jsontext.Decoder
	// names are the keys by their raw text, as the same few come again and again in a list
	// of objects, and sizes is how many the last object of each depth had.
	names map[string]string
	sizes [MaxDepth + 1]int
}

// maxNames bounds the keys that are remembered.
const maxNames = 256

func (p *parser) token() (jsontext.Token, error) {
	token, err := p.dec.ReadToken()
	if err == nil {
		return token, nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return token, &Error{Reason: "the JSON text ends too early"}
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return token, &Error{Reason: fmt.Sprintf("malformed JSON at byte %d", syntax.ByteOffset)}
	}
	return token, &Error{Reason: "malformed JSON"}
}

func (p *parser) value(path pointer, depth int) (any, error) {
	before := p.dec.InputOffset()
	token, err := p.token()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case jsontext.KindString:
		text := token.String()
		return text, p.checkText(path, text, before)
	case jsontext.KindNumber:
		return json.Number(token.String()), nil
	case jsontext.KindTrue, jsontext.KindFalse:
		return token.Bool(), nil
	case jsontext.KindNull:
		return nil, nil
	}
	if depth >= MaxDepth {
		return nil, refuse(path, fmt.Sprintf("nests deeper than %d levels", MaxDepth))
	}
	if token.Kind() == jsontext.KindBeginArray {
		return p.list(path, depth+1)
	}
	return p.object(path, depth+1)
}

func (p *parser) list(path pointer, depth int) (any, error) {
	list := []any{}
	for p.dec.PeekKind() != jsontext.KindEndArray {
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

func (p *parser) object(path pointer, depth int) (any, error) {
	object := make(Object, p.sizes[depth])
	for p.dec.PeekKind() != jsontext.KindEndObject {
		key, err := p.name(path)
		if err != nil {
			return nil, err
		}
		at := path.member(key)
		if _, twice := object[key]; twice {
			return nil, refuse(at, "is given twice")
		}
		if object[key], err = p.value(at, depth); err != nil {
			return nil, err
		}
	}
	p.sizes[depth] = len(object)
	_, err := p.token()
	return object, err
}

// name reads a key.
func (p *parser) name(path pointer) (string, error) {
	before := p.dec.InputOffset()
	token, err := p.token()
	if err != nil {
		return "", err
	}
	raw := p.data[before:p.dec.InputOffset()]
	if key, known := p.names[string(raw)]; known {
		return key, nil
	}
	key := token.String()
	if err := p.checkText(path.member(key), key, before); err != nil {
		return "", err
	}
	if len(p.names) < maxNames {
		p.names[string(raw)] = key
	}
	return key, nil
}

const replacement = string(utf8.RuneError)

// checkText refuses NUL in a string that was read from before on, and what the decoder replaces
// silently: an escaped half of a surrogate pair. Such a replacement shows as a U+FFFD that the
// raw text lacks.
func (p *parser) checkText(path pointer, text string, before int64) error {
	if strings.IndexByte(text, 0) >= 0 {
		return refuse(path, "must not contain a NUL character")
	}
	if n := strings.Count(text, replacement); n > 0 {
		raw := p.data[before:p.dec.InputOffset()]
		given := bytes.Count(raw, []byte(replacement)) + bytes.Count(bytes.ToLower(raw), []byte(`\ufffd`))
		if n > given {
			return refuse(path, "contains half of a surrogate pair")
		}
	}
	return nil
}
