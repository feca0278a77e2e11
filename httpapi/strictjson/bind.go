package strictjson

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Bind stores o in the struct that v points to. Members of the names in readOnly are
// passed over. Maps and lists are replaced as a whole. After an error v is partly written.
func (o Object) Bind(v any, readOnly ...string) error {
	var b binder
	b.bindMembers(pointer{}, o, reflect.ValueOf(v).Elem(), readOnly)
	return b.err()
}

// BindList stores each object of the list that o has as name in the struct that to returns
// for its index, as Bind does.
func (o Object) BindList(name string, to func(i int) any, readOnly ...string) error {
	var b binder
	list, ok := o[name].([]any)
	at := pointer{}.member(name)
	if !ok {
		b.failed.add(at, "must be a list")
	}
	for i, element := range list {
		if object, ok := element.(Object); ok {
			b.bindMembers(at.index(i), object, reflect.ValueOf(to(i)).Elem(), readOnly)
		} else {
			b.failed.add(at.index(i), "must be an object")
		}
	}
	return b.err()
}

// binder collects every refusal of one Bind, so that a client learns of all at once.
type binder struct{ failed Error }

func (b *binder) err() error {
	if len(b.failed.Fields) > 0 {
		return &b.failed
	}
	return nil
}

func (b *binder) bind(path pointer, value any, to reflect.Value) {
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
		object, ok := value.(Object)
		if !ok {
			b.failed.add(path, "must be an object")
			return
		}
		b.bindMembers(path, object, to, nil)
	case reflect.Map:
		b.bindMap(path, value, to)
	case reflect.Slice:
		b.bindSlice(path, value, to)
	default:
		b.bindScalar(path, value, to)
	}
}

// bindMembers stores the members of an object, but those of the names in except, in a struct.
func (b *binder) bindMembers(path pointer, object Object, to reflect.Value, except []string) {
	fields := fieldsOf(to.Type())
	present := 0
	for _, f := range fields {
		if _, ok := object[f.name]; ok {
			present++
		}
	}
	if present < len(object) {
		b.refuseUnknown(path, object, fields, except)
	}
	for _, f := range fields {
		if value := object[f.name]; value != nil && !slices.Contains(except, f.name) {
			b.bind(path.member(f.name), value, to.Field(f.at))
		}
	}
}

func (b *binder) refuseUnknown(path pointer, object Object, fields []field, except []string) {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if _, known := slices.BinarySearchFunc(fields, key, field.compare); !known && !slices.Contains(except, key) {
			b.failed.add(path.member(key), "is not a known field")
		}
	}
}

func (b *binder) bindMap(path pointer, value any, to reflect.Value) {
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

func (b *binder) bindSlice(path pointer, value any, to reflect.Value) {
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

func (b *binder) bindScalar(path pointer, value any, to reflect.Value) {
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
		number, ok := value.(json.Number)
		if !ok {
			b.failed.add(path, "must be a whole number")
			return
		}
		n, err := whole(string(number))
		if err != nil || to.OverflowInt(n) {
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

// whole reads an integer as JSON Schema has them (draft 2020-12, section 6.1.1): 512.0 is one,
// and so is 1e9, as clients write it that know no other numbers than floating ones. Beyond 2^53
// such a number need not be the one that was meant.
func whole(number string) (int64, error) {
	n, err := strconv.ParseInt(number, 10, 64)
	if err == nil || !strings.ContainsAny(number, ".eE") {
		return n, err
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, strconv.ErrRange
	}
	return int64(f), nil
}

// unmarshal leaves a value to the type's own reading of it.
func (b *binder) unmarshal(path pointer, value any, to json.Unmarshaler) {
	data, err := json.Marshal(value)
	if err == nil {
		err = to.UnmarshalJSON(data)
	}
	if err != nil {
		b.failed.add(path, err.Error())
	}
}

// field is one of a struct's own, by its JSON name.
type field struct {
	name string
	at   int
}

func (f field) compare(name string) int { return strings.Compare(f.name, name) }

// known holds what fieldsOf has found, by type.
var known sync.Map

// fieldsOf returns t's own fields, sorted by their JSON names.
func fieldsOf(t reflect.Type) []field {
	if found, ok := known.Load(t); ok {
		return found.([]field)
	}
	var fields []field
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" && t.Field(i).IsExported() {
			fields = append(fields, field{name, i})
		}
	}
	slices.SortFunc(fields, func(a, b field) int { return a.compare(b.name) })
	known.Store(t, fields)
	return fields
}
