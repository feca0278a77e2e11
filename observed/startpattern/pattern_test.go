package startpattern

import (
	"fmt"
	"strings"
	"testing"

	"lightd/observed/screen"
)

func TestMatcher(t *testing.T) {
	for _, tc := range []struct {
		name    string
		pattern string
		pieces  []string
		want    bool // by complete lines
		open    bool // or by an open one
	}{
		{"a line", `Done \(`, []string{"Done (3 s)\n"}, true, false},
		{"split", `^Done$`, []string{"Do", "n", "e", "\n"}, true, false},
		{"not over lines", `Done`, []string{"Do\nne\n"}, false, false},
		{"carriage returns", `^Done$`, []string{"Done\r", "\n"}, true, false},
		{"colours", `^\[INFO\] Done!$`, []string{"\x1b[32m[INFO]\x1b[0m Do\x1b", "[1;3", "1mne!\x1b[m\n"}, true, false},
		{"title", `^Done$`, []string{"\x1b]0;some title\x07Do\x1b]2;x\x1b\\ne\n"}, true, false},
		{"charset", `^Done$`, []string{"\x1b(BDone\n"}, true, false},
		{"title without an end", `^Done$`, []string{"\x1b]0;title\nDone\n"}, true, false},
		{"prompt", `> $`, []string{"> "}, false, true},
		{"prompt after lines", `> $`, []string{"hello\n> "}, false, true},
		{"no match open", `> $`, []string{"hello"}, false, false},
		{"across windows", `xDoney`, []string{strings.Repeat("x", screen.MaxLine-2), "Doney"}, false, true},
		{"far behind", `Done`, []string{strings.Repeat("x", 10*screen.MaxLine), "Done", strings.Repeat("y", 2*screen.MaxLine)}, true, false},
		{"empty line", `^$`, []string{"a\n\n"}, true, false},
		{"prompt that is erased", `^\[[0-9:]+ INFO\]: Done`, []string{"> \r\x1b[K[12:00:00 INFO]: Done (3s)!\r\n> "}, true, false},
		{"progress that is overwritten", `^Server ready`, []string{"Loading 10%\rServer ready\n"}, true, false},
		{"and before", `^Loading 10%$`, []string{"Loading 10%\rServer ready\n"}, true, false},
		{"overwritten in part", `^Ready$`, []string{"Loading\rReady\n"}, false, false},
		{"overwritten with blanks", `^Ready$`, []string{"Loading\r       \rReady", "\n"}, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := matcher{re: expressionOf(t, tc.pattern)}
			got := false
			for _, p := range tc.pieces {
				got = got || m.feed(1, []byte(p))
			}
			if got != tc.want {
				t.Errorf("feed = %v, want %v", got, tc.want)
			}
			if !got {
				if got := m.matchOpen(); got != tc.open {
					t.Errorf("matchOpen = %v, want %v", got, tc.open)
				}
			}
		})
	}
}

func TestMatcherKeepsStreamsApart(t *testing.T) {
	m := matcher{re: expressionOf(t, "^Done$")}
	if m.feed(1, []byte("Do")) || m.feed(2, []byte("warning\n")) || !m.feed(1, []byte("ne\n")) {
		t.Error("lines of two streams were mixed")
	}
}

// TestMatcherIsBounded writes a line that is 2,000 windows long.
func TestMatcherIsBounded(t *testing.T) {
	m := matcher{re: expressionOf(t, "^Done$")}
	piece := []byte(strings.Repeat("x", 1<<20))
	for range 16 {
		if m.feed(1, piece) {
			t.Fatal("matched")
		}
	}
	if m.feed(1, []byte("\n")) || !m.feed(1, []byte("Done\n")) {
		t.Error("the line after it does not match")
	}
}

func FuzzMatcherSplit(f *testing.F) {
	f.Add("a\x1b[1mDone\x1b[0m\r\nb", 4)
	f.Add("\x1b]0;t\x07Done\n", 2)
	f.Fuzz(func(t *testing.T, in string, at int) {
		in = in[:min(len(in), 4<<10)] // of more, states that come fast may be left out
		at = min(max(at, 0), len(in))
		re := expressionOf(t, "Done")
		whole, split := matcher{re: re}, matcher{re: re}
		want := whole.feed(1, []byte(in)) || whole.matchOpen()
		got := split.feed(1, []byte(in[:at])) || split.feed(1, []byte(in[at:])) || split.matchOpen()
		if got != want {
			t.Fatalf("whole %v, split at %d %v", want, at, got)
		}
	})
}

func TestPatternsAreCompiledOnce(t *testing.T) {
	var p patterns
	a, err := p.compile("x+")
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := p.compile("x+"); a != b {
		t.Error("compiled twice")
	}
	if _, err := p.compile("("); err == nil {
		t.Error("no error for a bad pattern")
	}
	for i := range 2 * maxPatterns {
		if _, err := p.compile(fmt.Sprint(strings.Repeat("y", i%500), i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.compiled) > maxPatterns {
		t.Errorf("keeps %d patterns", len(p.compiled))
	}
}
