package render

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"plain text": "plain text", "größe 😀 日本": "größe 😀 日本", "": "",
		"a\nb\tc\r":                      `a\nb\tc\r`,
		"\x1b[31mred\x1b[m":              `\x1b[31mred\x1b[m`,
		"\u009b31m":                      `\u009b31m`,
		"\u202egnp.exe":                  `\u202egnp.exe`,
		"\u2028":                         `\u2028`,
		"\xff\x80z":                      `\xff\x80z`,
		`back\slash "quoted" 'and more'`: `back\slash "quoted" 'and more'`,
		"\x07'":                          `\a'`,
		"\ufffd":                         "\ufffd",
	} {
		if got := Text(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := Lines("a\x1bb\r\n\tc\n\n", "  "); got != "a\\x1bb\n      c" {
		t.Errorf("got %q", got)
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	table := NewTable(&b, "ID", "STATE", "NOTE")
	table.Row("web", "running", "")
	table.Row("größer", "", "two\nlines")
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	table.Row("a-much-longer-one", "x", "y")
	table.Row("b", "x", "y")
	if err := table.FlushIndented("  "); err != nil {
		t.Fatal(err)
	}
	want := "ID       STATE     NOTE\n" +
		"web      running   -\n" +
		"größer   -         two\\nlines\n" +
		"  a-much-longer-one   x         y\n" +
		"  b                   x         y\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestAge(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for ago, want := range map[time.Duration]string{0: "0s", 90 * time.Second: "90s", -time.Hour: "0s", 49 * time.Hour: "2d1h", 26 * time.Hour: "26h"} {
		if got := Age(now, now.Add(-ago)); got != want {
			t.Errorf("%s: got %s, want %s", ago, got, want)
		}
	}
	if Age(now, time.Time{}) != "-" || Age(now, time.Unix(0, 0)) != "-" {
		t.Error("never has an age")
	}
	if Bytes(512<<20) != "512MiB" {
		t.Errorf("got %s", Bytes(512<<20))
	}
}

type shown struct {
	Zulu  string         `json:"zulu"`
	Alpha []string       `json:"alpha"`
	CPU   float64        `json:"cpu"`
	Big   int64          `json:"big"`
	Off   bool           `json:"off"`
	None  *int           `json:"none"`
	Map   map[string]any `json:"map"`
}

// TestEncodings: what is written is safe for a terminal, and read back it is the same.
func TestEncodings(t *testing.T) {
	v := shown{Zulu: "a: \"b\"\x1b[31m\u009b\x7f<&>😀", Alpha: []string{"true", "1", "line\nline\n", ""}, CPU: 1.5, Big: 1 << 53, Map: map[string]any{}}
	want, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var asJSON, line, asYAML strings.Builder
	for _, err := range []error{JSON(&asJSON, v), JSONLine(&line, v), YAML(&asYAML, v)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{asJSON.String(), line.String(), asYAML.String()} {
		if strings.ContainsAny(text, "\x1b\u009b\x7f") {
			t.Errorf("a control character is in %q", text)
		}
	}
	if strings.Count(line.String(), "\n") != 1 {
		t.Errorf("got %q", line.String())
	}
	var fromJSON shown
	if err := json.Unmarshal([]byte(asJSON.String()), &fromJSON); err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := yaml.Unmarshal([]byte(asYAML.String()), &tree); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	var fromYAML shown
	if err := json.Unmarshal(data, &fromYAML); err != nil {
		t.Fatal(err)
	}
	for _, got := range []shown{fromJSON, fromYAML} {
		if back, _ := json.Marshal(got); string(back) != string(want) {
			t.Errorf("got %s, want %s", back, want)
		}
	}
	if !strings.HasPrefix(asYAML.String(), "zulu: ") || !strings.Contains(asYAML.String(), "- |\n    line\n    line\n") || !strings.Contains(asYAML.String(), `- "true"`) {
		t.Errorf("got\n%s", asYAML.String())
	}
}

func TestDiff(t *testing.T) {
	var plain, coloured strings.Builder
	differs, err := Diff(&plain, "daemon/web", "a\x1b.yaml", "a: 1\nb: 2\n", "a: 1\nb: 3\n", false)
	if err != nil || !differs {
		t.Fatalf("%v, %v", differs, err)
	}
	if want := "--- daemon/web\n+++ a\\x1b.yaml\n@@ -1,2 +1,2 @@\n a: 1\n-b: 2\n+b: 3\n"; plain.String() != want {
		t.Errorf("got\n%s\nwant\n%s", plain.String(), want)
	}
	if _, err := Diff(&coloured, "x", "y", "a: 1\nb: 2\n", "a: 1\nb: 3\n", true); err != nil {
		t.Fatal(err)
	}
	if got := coloured.String(); !strings.Contains(got, "\x1b[31m-b: 2\x1b[m\n\x1b[32m+b: 3\x1b[m\n") {
		t.Errorf("got %q", got)
	}
	var none strings.Builder
	if differs, err := Diff(&none, "x", "y", "a\n", "a\n", true); differs || err != nil || none.Len() > 0 {
		t.Errorf("%v, %v, %q", differs, err, none.String())
	}
}

// TestFit: a table that is too wide leaves out what it can spare and is continued below in its columns;
// its first column stays whole.
func TestFit(t *testing.T) {
	var b strings.Builder
	table := NewTable(&b, "ID", "STATE", "IMAGE", "MESSAGE").Fit(40, 2)
	table.Row("a-long-identifier", "running", "registry.example.com/game", "it has ended, and starts again")
	table.Row("b", "x", "y", "averyveryverylongwordofmany")
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "ID                 STATE    MESSAGE\n" +
		"a-long-identifier  running  it has\n" +
		"                            ended, and\n" +
		"                            starts again\n" +
		"b                  x        averyveryver\n" +
		"                            ylongwordofm\n" +
		"                            any\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		in    string
		width int
		want  string
	}{
		{"one two three", 0, "one two three"}, {"one two three", 13, "one two three"}, {"one two three", 8, "one two\n  three"},
		{"one https://a/very/long/url b", 8, "one\n  https://a/very/long/url\n  b"}, {"  größe größe", 9, "  größe\n  größe"}, {"a\nb c d", 4, "a\nb c\n  d"},
	} {
		if got := Wrap(c.in, c.width, "  "); got != c.want {
			t.Errorf("%q in %d: got %q, want %q", c.in, c.width, got, c.want)
		}
	}
	if got := Reflow("one\ntwo three\n\nList:\n  a\n  b\nend", 9); got != "one two\nthree\n\nList:\n  a\n  b\nend" {
		t.Errorf("got %q", got)
	}
}
