package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strconv"

	"lightd/httpapi/strictjson"
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
	var documents []document
	failed := &Error{}
	dec := json.NewDecoder(bytes.NewReader(data))
	for {
		var raw json.RawMessage
		err := dec.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return documents, failed.orNil()
		}
		if err != nil {
			failed.add(jsonFault(name, data, dec, err))
			return documents, failed
		}
		start := int(dec.InputOffset()) - len(raw)
		d, faults := jsonDocument(raw, lineAt(data, start))
		for _, f := range faults {
			f.File = name
			failed.add(f)
		}
		if len(faults) == 0 {
			documents = append(documents, d)
		}
	}
}

// jsonFault says where a text stops to be JSON.
func jsonFault(name string, data []byte, dec *json.Decoder, err error) Diagnostic {
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Diagnostic{File: name, Line: lineAt(data, len(bytes.TrimRight(data, " \t\r\n"))), Message: "the JSON text ends too early"}
	case errors.As(err, &syntax):
		// Its offset counts from the start of this text.
		return Diagnostic{File: name, Line: lineAt(data, int(max(syntax.Offset, dec.InputOffset()))), Message: "malformed JSON: " + syntax.Error()}
	}
	return Diagnostic{File: name, Line: lineAt(data, int(dec.InputOffset())), Message: "malformed JSON: " + err.Error()}
}

func lineAt(data []byte, offset int) int {
	return 1 + bytes.Count(data[:min(offset, len(data))], []byte("\n"))
}

// jsonDocument reads one JSON text with the rules of the daemon, which takes objects only:
// the elements of a list are read one by one.
func jsonDocument(raw []byte, first int) (document, []Diagnostic) {
	d := document{lines: jsonLines(raw, first)}
	if raw[0] != '[' {
		object, err := strictjson.Parse(raw)
		d.value = object
		return d, jsonFaults(err, "", d.lines)
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(raw, &elements); err != nil {
		return d, jsonFaults(err, "", d.lines)
	}
	list := make([]any, len(elements))
	var faults []Diagnostic
	for i, element := range elements {
		at := "[" + strconv.Itoa(i) + "]"
		object, err := strictjson.Parse(element)
		list[i] = object
		faults = append(faults, jsonFaults(err, at, d.lines)...)
	}
	d.value = list
	return d, faults
}

func jsonFaults(err error, prefix string, lines map[string]int) []Diagnostic {
	var refused *strictjson.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &refused) || len(refused.Fields) == 0:
		return []Diagnostic{{Line: lines[prefix], Path: prefix, Message: err.Error()}}
	}
	faults := make([]Diagnostic, 0, len(refused.Fields))
	for _, f := range refused.Fields {
		at := join(prefix, f.Path)
		faults = append(faults, Diagnostic{Line: lines[at], Path: at, Message: f.Message})
	}
	return faults
}

// jsonLines returns the line of every value in a JSON text whose first line is first. A
// key that is given twice has the line of the last.
func jsonLines(raw []byte, first int) map[string]int {
	w := lineWalk{raw: raw, dec: json.NewDecoder(bytes.NewReader(raw)), line: first, lines: map[string]int{}}
	w.dec.UseNumber()
	w.value("", 0)
	return w.lines
}

type lineWalk struct {
	raw   []byte
	dec   *json.Decoder
	at    int // how far line has been counted
	line  int
	lines map[string]int
}

// token returns the next token, and leaves line at its last line.
func (w *lineWalk) token() json.Token {
	token, err := w.dec.Token()
	if err != nil {
		return nil
	}
	end := int(w.dec.InputOffset())
	w.line += bytes.Count(w.raw[w.at:end], []byte("\n"))
	w.at = end
	return token
}

func (w *lineWalk) value(path string, depth int) {
	token := w.token()
	w.lines[path] = w.line
	delim, ok := token.(json.Delim)
	if !ok || depth > strictjson.MaxDepth {
		return
	}
	for i := 0; w.dec.More(); i++ {
		if delim == '[' {
			w.value(path+"["+strconv.Itoa(i)+"]", depth+1)
			continue
		}
		key, ok := w.token().(string)
		if !ok {
			return
		}
		w.value(join(path, key), depth+1)
	}
	w.token()
}
