package desired

import (
	"reflect"
	"testing"
)

// TestEqualComparesEveryField of a spec, those of its parts included.
func TestEqualComparesEveryField(t *testing.T) {
	if !(Spec{}).Equal(Spec{Ports: []Port{}, Env: map[string]string{}}) {
		t.Error("nothing differs from an empty list")
	}
	if set := (Spec{Health: &Health{}}); set.Equal(Spec{}) || (Spec{}).Equal(set) || !set.Equal(Spec{Health: &Health{}}) {
		t.Error("a check makes no difference to none, or two of the same do")
	}
	var visit func(path string, of reflect.Type, at func(*Spec) reflect.Value)
	visit = func(path string, of reflect.Type, at func(*Spec) reflect.Value) {
		if of.Kind() == reflect.Struct {
			for i := range of.NumField() {
				f := of.Field(i)
				visit(path+"."+f.Name, f.Type, func(s *Spec) reflect.Value { return at(s).Field(i) })
			}
			return
		}
		if of.Kind() == reflect.Pointer {
			visit(path, of.Elem(), func(s *Spec) reflect.Value {
				p := at(s)
				if p.IsNil() {
					p.Set(reflect.New(of.Elem()))
				}
				return p.Elem()
			})
			return
		}
		var base, changed Spec
		at(&base)
		at(&changed).Set(other(of))
		if changed.Equal(base) || base.Equal(changed) {
			t.Errorf("%s makes no difference", path)
		}
	}
	visit("spec", reflect.TypeFor[Spec](), func(s *Spec) reflect.Value { return reflect.ValueOf(s).Elem() })
}

// other returns a value of a type that is not its zero.
func other(of reflect.Type) reflect.Value {
	v := reflect.New(of).Elem()
	switch of.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.Map:
		v.Set(reflect.MakeMap(of))
		v.SetMapIndex(reflect.ValueOf("x"), other(of.Elem()))
	case reflect.Struct:
		v.Field(v.NumField() - 1).Set(other(of.Field(v.NumField() - 1).Type))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(of, 1, 1))
	default:
		panic("a spec has a field of kind " + of.Kind().String())
	}
	return v
}
