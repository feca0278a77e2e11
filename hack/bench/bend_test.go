package main

import (
	"strings"
	"testing"
)

func TestBendsFirst(t *testing.T) {
	figure := func(name string, values ...float64) *grown {
		g := &grown{name: name}
		for i, v := range values {
			g.add([]int{10, 100, 1000}[i], v)
		}
		return g
	}
	for want, all := range map[string][]*grown{
		"nothing":                        {figure("constant", 5, 5, 5), figure("linear", 1, 10, 100)},
		"late, which costs 3.0":          {figure("linear", 1, 10, 100), figure("late", 1, 10, 300), figure("early", 1, 20, 200)},
		"early, which costs 2.0":         {figure("linear", 1, 10, 100), figure("early", 1, 20, 200)},
		"each container at 1000 as at 1": {figure("from zero", 0, 1, 20)},
	} {
		if got := bendsFirst(all); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
