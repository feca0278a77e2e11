package manifest

import (
	"bytes"
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"

	"errors"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parse reads the documents of a file. It returns those that come before a fault with it.
//
// A name in .json promises JSON. Otherwise a text that begins as JSON does is tried as
// that first: YAML reads most of JSON, but neither its escapes nor its tabs.
func parse(name string, data []byte) ([]document, error) {
	if filepath.Ext(name) == ".json" {
		return parseJSON(name, data)
	}
	if text := bytes.TrimLeft(data, " \t\r\n"); len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		documents, err := parseJSON(name, data)
		if err == nil {
			return documents, nil
		}
		if json.Valid(data) {
			return documents, err // it is JSON, with something in it that is refused
		}
		if again, err := parseYAML(name, data); err == nil {
			return again, nil
		}
		return documents, err
	}
	return parseYAML(name, data)
}

// parseJSON reads JSON texts, one after the other.
func parseJSON(name string, data []byte) ([]document, error) {
	r := jsonReader{data: data, dec: jsontext.NewDecoder(bytes.NewReader(data)), line: 1}
	var documents []document
	for {
		r.lines = map[string]int{}
		value, err := r.value("")
		switch {
		case errors.Is(err, io.EOF) && len(r.lines) == 0:
			return documents, nil
		case err != nil:
			return documents, &Error{Faults: []Diagnostic{r.fault(name, err)}}
		}
		documents = append(documents, document{value: value, lines: r.lines})
	}
}

// jsonReader reads values of JSON with their lines.
type jsonReader struct {
	data  []byte
	dec   *jsontext.Decoder
	at    int // how far line has been counted
	line  int
	lines map[string]int
	path  string // of what is being read
}

// token returns the next token, and leaves line at its last line.
func (r *jsonReader) token() (jsontext.Token, error) {
	token, err := r.dec.ReadToken()
	if err == nil {
		r.count(int(r.dec.InputOffset()))
	}
	return token, err
}

func (r *jsonReader) count(end int) {
	r.line += bytes.Count(r.data[r.at:end], []byte("\n"))
	r.at = end
}

func (r *jsonReader) value(path string) (any, error) {
	r.path = path
	token, err := r.token()
	if err != nil {
		return nil, err
	}
	r.lines[path] = r.line
	switch token.Kind() {
	case jsontext.KindBeginObject:
		return r.object(path)
	case jsontext.KindBeginArray:
		return r.list(path)
	case jsontext.KindString:
		return token.String(), nil
	case jsontext.KindNumber:
		return json.Number(token.String()), nil
	case jsontext.KindNull:
		return nil, nil
	}
	return token.Bool(), nil
}

func (r *jsonReader) object(path string) (any, error) {
	object := map[string]any{}
	for r.dec.PeekKind() != jsontext.KindEndObject {
		r.path = path
		key, err := r.token()
		if err != nil {
			return nil, err
		}
		name := key.String()
		if object[name], err = r.value(join(path, name)); err != nil {
			return nil, err
		}
	}
	_, err := r.token()
	return object, err
}

func (r *jsonReader) list(path string) (any, error) {
	list := []any{}
	for r.dec.PeekKind() != jsontext.KindEndArray {
		value, err := r.value(path + "[" + strconv.Itoa(len(list)) + "]")
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	_, err := r.token()
	return list, err
}

// fault is where and why a text cannot be read.
func (r *jsonReader) fault(name string, err error) Diagnostic {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) {
		return Diagnostic{File: name, Line: 1 + bytes.Count(bytes.TrimRight(r.data, " \t\r\n"), []byte("\n")), Message: "the JSON text ends too early"}
	}
	f := Diagnostic{File: name, Line: 1 + bytes.Count(r.data[:min(int(syntax.ByteOffset), len(r.data))], []byte("\n"))}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		f.Path, f.Message = join(r.path, syntax.JSONPointer.LastToken()), "is given twice"
	case !utf8.Valid(r.data):
		f.Message = "the text is not valid UTF-8"
	case strings.Contains(syntax.Err.Error(), "surrogate"):
		f.Path, f.Message = r.path, "contains half of a surrogate pair"
	default:
		f.Message = "malformed JSON: " + syntax.Err.Error()
	}
	return f
}
