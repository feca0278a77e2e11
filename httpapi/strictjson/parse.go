package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth bounds how deep lists and objects may nest.
const MaxDepth = 32

// Object is the text of one JSON object that Parse accepts.
type Object jsontext.Value

// Parse checks data, which must be one JSON object, or an empty list in its place, and nothing else.
func Parse(data []byte) (Object, error) {
	if !utf8.Valid(data) {
		return nil, &Error{Reason: "the text is not valid UTF-8"}
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(data))
	kind := dec.PeekKind()
	for first := true; first || dec.StackDepth() > 0; first = false {
		token, err := dec.ReadToken()
		if err != nil {
			return nil, syntaxError(dec, err)
		}
		if why := refused(dec, token); why != "" {
			return nil, refuse(dec.StackPointer(), openKinds(dec), why)
		}
	}
	if kind != jsontext.KindBeginObject && !isEmptyList(data[:dec.InputOffset()]) {
		return nil, &Error{Reason: "a JSON object is expected"}
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, &Error{Reason: "something follows the JSON object"}
	}
	if kind == jsontext.KindBeginArray {
		return Object("{}"), nil
	}
	return Object(data), nil
}

// refused says why the token that dec has read is refused; empty where it is not.
func refused(dec *jsontext.Decoder, token jsontext.Token) string {
	parent, _ := dec.StackIndex(dec.StackDepth())
	switch kind := token.Kind(); {
	case dec.StackDepth() > MaxDepth:
		return fmt.Sprintf("nests deeper than %d levels", MaxDepth)
	case kind == jsontext.KindNull && parent == jsontext.KindBeginArray:
		return "null is not allowed in a list"
	case kind == jsontext.KindString && strings.IndexByte(token.String(), 0) >= 0:
		return "must not contain a NUL character"
	}
	return ""
}

func syntaxError(dec *jsontext.Decoder, err error) *Error {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Reason: "the JSON text ends too early"}
	case !errors.As(err, &syntax):
		return &Error{Reason: "malformed JSON"}
	case errors.Is(err, jsontext.ErrDuplicateName):
		return refuse(syntax.JSONPointer, openKinds(dec), "is given twice")
	case strings.Contains(syntax.Err.Error(), "surrogate"):
		return refuse(syntax.JSONPointer, openKinds(dec), "contains half of a surrogate pair")
	}
	return &Error{Reason: fmt.Sprintf("malformed JSON at byte %d", syntax.ByteOffset)}
}
