package subscribe

import (
	"slices"
	"testing"
)

func TestFuncs(t *testing.T) {
	var funcs Funcs[string]
	var got []string
	hear := func(name string) func(string) {
		return func(v string) { got = append(got, name+v) }
	}
	cancelA := funcs.Add(hear("a"))
	var cancelSelf func()
	cancelSelf = funcs.Add(func(v string) { got = append(got, "once"+v); cancelSelf() })
	defer funcs.Add(hear("b"))()
	funcs.Notify("1")
	cancelA()
	cancelA()
	funcs.Notify("2")
	if want := []string{"a1", "once1", "b1", "b2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWake(t *testing.T) {
	c := make(chan struct{}, 1)
	for range 3 {
		Wake(c)
	}
	if <-c; len(c) > 0 {
		t.Error("it is woken twice")
	}
}
