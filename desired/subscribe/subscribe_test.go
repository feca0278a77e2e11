package subscribe

import (
	"slices"
	"testing"
)

func TestFuncs(t *testing.T) {
	var funcs Funcs[string]
	var heard []string
	hear := func(name string) func(string) {
		return func(v string) { heard = append(heard, name+v) }
	}
	cancelA := funcs.Add(hear("a"))
	var cancelSelf func()
	cancelSelf = funcs.Add(func(v string) { heard = append(heard, "once"+v); cancelSelf() })
	defer funcs.Add(hear("b"))()
	funcs.Tell("1")
	cancelA()
	cancelA()
	funcs.Tell("2")
	if want := []string{"a1", "once1", "b1", "b2"}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
}
