package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"lightd/hack/simengine"
)

// TestQuickStart types what the README's quick start says, and compares what is printed.
func TestQuickStart(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(readme(t), "\n## Quick start\n")
	section, _, _ = strings.Cut(section, "\n## ")
	printed := fences(section, "")
	d := newDesk(t)
	d.sim.AddImage("debian:12", simengine.ImageConfig{})
	d.sim.OnImage("debian:12", func(ctx context.Context, p *simengine.Process) {
		if p.Labels()["lightd.role"] != "install" {
			fmt.Fprintln(p.Stdout(), "Welcome to my server")
			<-ctx.Done()
		}
	})
	s := &shell{desk: d, folder: t.TempDir()}
	for _, block := range fences(section, "sh") {
		out := s.run(block)
		if strings.Contains(block, "lightd apply") || strings.Contains(block, "lightd events") {
			want := printed[0]
			if printed = printed[1:]; mask(out) != mask(want) {
				t.Errorf("it printed\n%s\nand the README has\n%s", out, want)
			}
		}
	}
	if s.commands != 9 || len(printed) > 0 {
		t.Errorf("%d commands were run, and %d texts are left over", s.commands, len(printed))
	}
}

// mask makes equal what differs from run to run: ids, ages, durations, and the blanks beside them.
func mask(text string) string {
	text = regexp.MustCompile(`\b[0-9a-f]{12}\b`).ReplaceAllString(text, "DOCKERID")
	text = regexp.MustCompile(`\b[0-9.]+(ms|s|m)\b`).ReplaceAllString(text, "TIME")
	text = regexp.MustCompile(`\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b`).ReplaceAllString(text, "TIME")
	return regexp.MustCompile(` +`).ReplaceAllString(text, " ")
}
