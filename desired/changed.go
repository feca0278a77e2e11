package desired

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// ChangedPaths returns in what b differs from a, by sorted paths as in "limits.memory" or "env.KEY"; lists are
// compared as a whole. What the process should be doing is left out: Power and Suspended.
func ChangedPaths(a, b Spec) []string {
	paths := []string{}
	comparePaths("", fieldsOf(a), fieldsOf(b), &paths)
	slices.Sort(paths)
	return paths
}

// SameButPower reports whether two specs differ in Power and Suspended at most.
func (s Spec) SameButPower(other Spec) bool {
	s.Power, s.Suspended = other.Power, other.Suspended
	return s.Equal(other)
}

// fieldsOf is a spec as JSON has it.
func fieldsOf(s Spec) map[string]any {
	s = s.Normalize()
	s.Power, s.Suspended = "", false
	var fields map[string]any
	text, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err != nil {
		panic(fmt.Sprintf("encode strings, numbers and maps of them: %v", err))
	}
	return fields
}

func comparePaths(prefix string, a, b map[string]any, paths *[]string) {
	all := maps.Clone(a)
	maps.Copy(all, b)
	for name := range all {
		before, after := a[name], b[name]
		inA, objectA := before.(map[string]any)
		inB, objectB := after.(map[string]any)
		switch {
		case objectA && objectB:
			comparePaths(prefix+name+".", inA, inB, paths)
		case !reflect.DeepEqual(before, after):
			*paths = append(*paths, prefix+name)
		}
	}
}
