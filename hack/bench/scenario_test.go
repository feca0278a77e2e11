package main

import (
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	names := func(all []scenario) string {
		var text []string
		for _, s := range all {
			text = append(text, s.name)
		}
		return strings.Join(text, " ")
	}
	for _, c := range []struct {
		text  string
		quick bool
		want  string
	}{
		{"crash", false, "crash"},
		{"crash, starts", false, "starts crash"},
		{"files crash", true, "crash files"},
		{"", true, "starts crash latency known apply writes reads"},
	} {
		if got, err := choose(c.text, c.quick); err != nil || names(got) != c.want {
			t.Errorf("%q: %s, %v; want %s", c.text, names(got), err, c.want)
		}
	}
	if all, err := choose("", false); err != nil || len(all) != len(scenarios) {
		t.Errorf("without a name %d of %d scenarios, %v", len(all), len(scenarios), err)
	}
	_, err := choose("starts nonsense", false)
	if err == nil || !strings.Contains(err.Error(), `"nonsense"`) || !strings.Contains(err.Error(), "growth") {
		t.Errorf("an unknown name: %v", err)
	}
}
