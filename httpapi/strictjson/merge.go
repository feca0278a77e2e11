package strictjson

import (
	"maps"
	"reflect"
)

// CheckNames refuses members that neither the struct that v points to nor a struct below it
// has a field for, those of the names in readOnly excepted. Bind does so too, but sees nothing
// of what a merge has taken away: a null under a misspelt name would be lost without a word.
func (o Object) CheckNames(v any, readOnly ...string) error {
	var b binder
	b.checkNames(pointer{}, o, reflect.TypeOf(v).Elem(), readOnly)
	return b.err()
}

func (b *binder) checkNames(path pointer, object Object, t reflect.Type, except []string) {
	fields := fieldsOf(t)
	b.refuseUnknown(path, object, fields, except)
	for _, f := range fields {
		if below, ok := object[f.name].(Object); ok && t.Field(f.at).Type.Kind() == reflect.Struct {
			b.checkNames(path.member(f.name), below, t.Field(f.at).Type, nil)
		}
	}
}

// Merge applies patch to o as a JSON merge patch (RFC 7396) and returns the result.
// Neither operand is changed.
func (o Object) Merge(patch Object) Object {
	merged := maps.Clone(o)
	if merged == nil {
		merged = Object{}
	}
	for key, value := range patch {
		switch v := value.(type) {
		case nil:
			delete(merged, key)
		case Object:
			below, _ := merged[key].(Object)
			merged[key] = below.Merge(v)
		default:
			merged[key] = v
		}
	}
	return merged
}
