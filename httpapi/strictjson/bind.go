package strictjson

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Decode parses data and binds it to the struct that v points to.
func Decode(data []byte, v any, readOnly ...string) error {
	object, err := Parse(data)
	if err != nil {
		return err
	}
	return object.Bind(v, readOnly...)
}

// Bind stores o in the struct that v points to. Members of the names in readOnly are
// passed over. Maps and lists are replaced as a whole. After an error v is partly written.
func (o Object) Bind(v any, readOnly ...string) error {
	var b binder
	rest := maps.Clone(o)
	for _, name := range readOnly {
		delete(rest, name)
	}
	b.bind(place{}, rest, reflect.ValueOf(v).Elem())
	if len(b.failed.Fields) > 0 {
		return &b.failed
	}
	return nil
}

// binder collects every refusal of one Bind, so that a client learns of all at once.
type binder struct{ failed Error }

func (b *binder) bind(path place, value any, to reflect.Value) {
	if u, ok := to.Addr().Interface().(json.Unmarshaler); ok {
		b.unmarshal(path, value, u)
		return
	}
	switch to.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(to.Type().Elem())
		b.bind(path, value, fresh.Elem())
		to.Set(fresh)
	case reflect.Struct:
		b.bindStruct(path, value, to)
	case reflect.Map:
		b.bindMap(path, value, to)
	case reflect.Slice:
		b.bindSlice(path, value, to)
	default:
		b.bindScalar(path, value, to)
	}
}

func (b *binder) bindStruct(path place, value any, to reflect.Value) {
	object, ok := value.(Object)
	if !ok {
		b.failed.add(path, "must be an object")
		return
	}
	fields := fieldsOf(to.Type())
	for _, key := range slices.Sorted(maps.Keys(object)) {
		at, known := fields[key]
		if !known {
			b.failed.add(path.member(key), "is not a known field")
			continue
		}
		if object[key] != nil {
			b.bind(path.member(key), object[key], to.Field(at))
		}
	}
}

func (b *binder) bindMap(path place, value any, to reflect.Value) {
	object, ok := value.(Object)
	if !ok {
		b.failed.add(path, "must be an object")
		return
	}
	fresh := reflect.MakeMapWithSize(to.Type(), len(object))
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if object[key] == nil {
			b.failed.add(path.member(key), "must not be null")
			continue
		}
		element := reflect.New(to.Type().Elem()).Elem()
		b.bind(path.member(key), object[key], element)
		fresh.SetMapIndex(reflect.ValueOf(key).Convert(to.Type().Key()), element)
	}
	to.Set(fresh)
}

func (b *binder) bindSlice(path place, value any, to reflect.Value) {
	list, ok := value.([]any)
	if !ok {
		b.failed.add(path, "must be a list")
		return
	}
	fresh := reflect.MakeSlice(to.Type(), len(list), len(list))
	for i, element := range list {
		b.bind(path.index(i), element, fresh.Index(i))
	}
	to.Set(fresh)
}

func (b *binder) bindScalar(path place, value any, to reflect.Value) {
	switch to.Kind() {
	case reflect.String:
		if s, ok := value.(string); ok {
			to.SetString(s)
			return
		}
		b.failed.add(path, "must be a string")
	case reflect.Bool:
		if v, ok := value.(bool); ok {
			to.SetBool(v)
			return
		}
		b.failed.add(path, "must be true or false")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		number, _ := value.(json.Number)
		n, err := strconv.ParseInt(string(number), 10, to.Type().Bits())
		if err != nil {
			b.failed.add(path, "must be a whole number in range")
			return
		}
		to.SetInt(n)
	case reflect.Float32, reflect.Float64:
		number, _ := value.(json.Number)
		n, err := strconv.ParseFloat(string(number), to.Type().Bits())
		if err != nil {
			b.failed.add(path, "must be a number in range")
			return
		}
		to.SetFloat(n)
	default:
		panic(fmt.Sprintf("bind JSON to a field of type %s: not supported", to.Type()))
	}
}

// unmarshal leaves a value to the type's own reading of it.
func (b *binder) unmarshal(path place, value any, to json.Unmarshaler) {
	data, err := json.Marshal(value)
	if err == nil {
		err = to.UnmarshalJSON(data)
	}
	if err != nil {
		b.failed.add(path, err.Error())
	}
}

// fieldsOf maps the JSON names of t's own fields to their places.
func fieldsOf(t reflect.Type) map[string]int {
	fields := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" && t.Field(i).IsExported() {
			fields[name] = i
		}
	}
	return fields
}
