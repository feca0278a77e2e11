package strictjson

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Bind stores o in the struct that v points to. Maps and lists are replaced as a whole. A field of v with
// the tag `json:",embed"` takes the members that v has no field for; without one they are refused. After
// an error v is partly written.
func (o Object) Bind(v any) error {
	err := json.Unmarshal(o, v, json.RejectUnknownMembers(true), json.WithUnmarshalers(unmarshalers))
	return o.bindError(err)
}

// IsNull reports whether o has a member of that name that is null, which Bind passes over.
func (o Object) IsNull(name string) bool {
	var members map[string]jsontext.Value
	if json.Unmarshal(o, &members) != nil {
		return false
	}
	value, found := members[name]
	return found && value.Kind() == jsontext.KindNull
}

// CheckNames refuses members that v has no field for. Bind does so too, but does not get the members
// that a merge patch removes: a null under a misspelt name would be ignored.
func (o Object) CheckNames(v any) error {
	if err := json.Unmarshal(o, v, json.RejectUnknownMembers(true), json.WithUnmarshalers(emptyLists)); errors.Is(err, json.ErrUnknownName) {
		return o.bindError(err)
	}
	return nil // Bind finds any other fault in what the patch makes
}

// MergePatch applies a JSON merge patch (RFC 7396) to o and returns the result. An empty list in the patch
// is the empty object, which changes nothing, where o has an object.
func (o Object) MergePatch(patch Object) (Object, error) {
	merged, err := mergePatch(jsontext.Value(o), jsontext.Value(patch))
	return Object(merged), err
}

func mergePatch(target, patch jsontext.Value) (jsontext.Value, error) {
	if target.Kind() == jsontext.KindBeginObject && isEmptyList(patch) {
		return target, nil
	}
	if patch.Kind() != jsontext.KindBeginObject {
		return patch, nil
	}
	var changes map[string]jsontext.Value
	members := map[string]jsontext.Value{}
	if err := json.Unmarshal(patch, &changes); err != nil {
		return nil, err
	}
	if target.Kind() == jsontext.KindBeginObject {
		if err := json.Unmarshal(target, &members); err != nil {
			return nil, err
		}
	}
	for name, change := range changes {
		if change.Kind() == jsontext.KindNull {
			delete(members, name)
			continue
		}
		var err error
		if members[name], err = mergePatch(members[name], change); err != nil {
			return nil, err
		}
	}
	return json.Marshal(members, json.Deterministic(true))
}

var (
	errNull  = errors.New("must not be null")
	errWhole = errors.New("must be a whole number in range")
)

// unmarshalers are where Bind differs from package json.
var unmarshalers = json.JoinUnmarshalers(emptyLists, json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v any) error {
	switch v := v.(type) {
	case *int:
		return unmarshalWhole(dec, v)
	case *int64:
		return unmarshalWhole(dec, v)
	case *map[string]string:
		return unmarshalMap(dec, v)
	}
	return unmarshalNull(dec)
}))

// emptyLists read an empty list as the empty object where the value is one. PHP has one kind of array, and
// writes one that is empty as a list: json_encode([]).
var emptyLists = json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v any) error {
	if dec.PeekKind() != jsontext.KindBeginArray {
		return errors.ErrUnsupported
	}
	target := reflect.ValueOf(v).Elem()
	if target.Kind() != reflect.Struct && target.Kind() != reflect.Map {
		return errors.ErrUnsupported
	}
	list, err := dec.ReadValue()
	switch {
	case err != nil:
		return err
	case !isEmptyList(list):
		return &json.SemanticError{JSONPointer: dec.StackPointer(), GoType: target.Type()}
	case target.Kind() == reflect.Map:
		target.Set(reflect.MakeMap(target.Type()))
	}
	return nil
})

// isEmptyList reports whether the text of a value is that of a list without elements.
func isEmptyList(v jsontext.Value) bool {
	v = bytes.TrimSpace(v)
	return v.Kind() == jsontext.KindBeginArray && len(bytes.TrimSpace(v[1:len(v)-1])) == 0
}

// unmarshalNull leaves the value as it was where the text is null: it is decoded over its default.
func unmarshalNull(dec *jsontext.Decoder) error {
	if dec.PeekKind() != jsontext.KindNull {
		return errors.ErrUnsupported
	}
	return dec.SkipValue()
}

// unmarshalWhole reads an integer as JSON Schema has them (draft 2020-12, section 6.1.1): 512.0 is one,
// and so is 1e9, as clients write it that know no other numbers than floating ones. Beyond 2^53
// such a number need not be the one that was meant.
func unmarshalWhole[T int | int64](dec *jsontext.Decoder, v *T) error {
	if dec.PeekKind() != jsontext.KindNumber {
		return unmarshalNull(dec)
	}
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil && strings.ContainsAny(string(value), ".eE") {
		f, _ := strconv.ParseFloat(string(value), 64)
		n, err = int64(f), nil
		if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			err = errWhole
		}
	}
	if err != nil || int64(T(n)) != n {
		return errWhole
	}
	*v = T(n)
	return nil
}

// unmarshalMap replaces a map. Its values have no default, which null would mean.
func unmarshalMap(dec *jsontext.Decoder, v *map[string]string) error {
	if dec.PeekKind() != jsontext.KindBeginObject {
		return unmarshalNull(dec)
	}
	var members map[string]*string
	if err := json.UnmarshalDecode(dec, &members); err != nil {
		return err
	}
	fresh := make(map[string]string, len(members))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if members[name] == nil {
			return &json.SemanticError{JSONPointer: dec.StackPointer().AppendToken(name), Err: errNull}
		}
		fresh[name] = *members[name]
	}
	*v = fresh
	return nil
}

// bindError makes an Error of one of package json.
func (o Object) bindError(err error) error {
	var wrong *json.SemanticError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &wrong):
		return &Error{Reason: "malformed JSON"}
	}
	return refuse(wrong.JSONPointer, o.kindsAlong(wrong.JSONPointer), message(wrong))
}

func message(wrong *json.SemanticError) string {
	if errors.Is(wrong, json.ErrUnknownName) {
		return "is not a known field"
	}
	if wrong.GoType != nil && (wrong.Err == nil || wrong.GoType.Kind() == reflect.Float64) {
		switch wrong.GoType.Kind() {
		case reflect.String:
			return "must be a string"
		case reflect.Bool:
			return "must be true or false"
		case reflect.Int, reflect.Int64:
			return "must be a whole number"
		case reflect.Float64:
			return "must be a number in range"
		case reflect.Struct, reflect.Map:
			return "must be an object"
		case reflect.Slice:
			return "must be a list"
		}
	}
	return wrong.Err.Error()
}
