package replay

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"lightd/observed"
	"lightd/observed/streams"
)

// TestFiledIsNoLess compares with what Docker writes, whose encoder differs from Go's in that
// it has no short form but for line breaks.
func TestFiledIsNoLess(t *testing.T) {
	written := func(text string) int {
		line, err := json.Marshal(struct {
			Log    string `json:"log"`
			Stream string `json:"stream"`
			Time   string `json:"time"`
		}{text, "stdout", "2006-01-02T15:04:05.000000000Z"})
		if err != nil {
			t.Fatal(err)
		}
		short := strings.Count(text, "\t") + strings.Count(text, "\b") + strings.Count(text, "\f")
		return len(line) + len("\n") + 4*short
	}
	for _, text := range []string{
		"", "plain\n", "\x1b[1mbold\x1b[m\r\n", `say "hi" \o/`, "<a href='x'>&amp;</a>", "tab\tbell\a\b\f\v\x00\x7f", "héé 日本 😀\n",
		"line\u2028paragraph\u2029other\u2027\u202a", "broken \xff\xc3\n",
	} {
		valid := appendValid(nil, []byte(text))
		if got, want := filed(valid), int64(written(text)); got != want {
			t.Errorf("%q takes %d, counted are %d", text, want, got)
		}
	}
}

// TestRangeThatIsNotHeld: what does not fit into memory is read a second time. What rotation dropped
// in between has a notice.
func TestRangeThatIsNotHeld(t *testing.T) {
	const lines, begin = 150_000, 20_000 // of about 90 bytes each, in memory
	for name, c := range map[string]struct {
		log    damagedLog
		first  int
		notice string
	}{
		"":                           {damagedLog{lines: lines}, begin, ""},
		"rotated before the range":   {damagedLog{lines: lines, rotated: begin - 1}, begin, ""},
		"rotated between both reads": {damagedLog{lines: lines, rotated: begin + 9}, begin + 10, fmt.Sprintf(NoticeTorn, at(begin).Format(time.RFC3339))},
	} {
		from, next, notice := At(at(begin)), c.first, ""
		p := Range{Source: &c.log, Target: streams.Target{ContainerID: "c", TTY: true}, From: &from,
			Emit: func(e Entry) {
				if want := fmt.Sprintf("line %d\n", next); string(e.text) != want {
					t.Fatalf("%s: got %q, want %q", name, e.text, want)
				}
				next++
			},
			Notice: func(text string) { notice += text },
		}
		if err := p.Run(t.Context()); err != nil || next != lines+1 || notice != c.notice {
			t.Errorf("%s: up to line %d, %v, notice %q", name, next-1, err, notice)
		}
	}
}

func TestKeeps(t *testing.T) {
	for l, want := range map[observed.Log]int64{
		{MaxSize: "10m", MaxFile: "3"}:  20_000_000,
		{MaxSize: "20k", MaxFile: "2"}:  20_000,
		{MaxSize: "20k", MaxFile: "1"}:  0, // the file is emptied
		{}:                              0,
		{MaxSize: "-1", MaxFile: "2"}:   0,
		{MaxSize: "much", MaxFile: "2"}: 0,
		{MaxSize: "20k", MaxFile: "x"}:  0,
	} {
		if got := Keeps(l); got != want {
			t.Errorf("%+v keeps %d, want %d", l, got, want)
		}
	}
}
