package replay

import (
	"encoding/json"
	"strings"
	"testing"

	"lightd/observed"
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
