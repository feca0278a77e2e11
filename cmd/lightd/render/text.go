package render

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/docker/go-units"
	"k8s.io/apimachinery/pkg/util/duration"
)

// Text returns s with everything escaped, as Go does, that is no blank, letter, mark or
// sign on one line.
func Text(s string) string {
	if safe(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i])|0x100, 16)[1:])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		i += size
	}
	return b.String()
}

// control is what colours text or moves the cursor.
var control = regexp.MustCompile("\x1b(\\[[0-9;?]*[ -/]*[@-~]|\\][^\a\x1b]*(\a|\x1b\\\\)|[()][A-Z0-9]|[=>78])")

// Plain returns a line of output without colours and without what was written over: a line that a
// program has drawn again and again is as it was last.
func Plain(line string) string {
	line = strings.TrimRight(control.ReplaceAllString(line, ""), "\r\n")
	return strings.ReplaceAll(line[strings.LastIndexByte(line, '\r')+1:], "\t", "    ")
}

func safe(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

// Lines is Text for a text of several lines: its line breaks stay, and each line but the
// first begins with indent.
func Lines(s, indent string) string {
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), "\n"), "\n")
	for i, line := range lines {
		lines[i] = Text(strings.ReplaceAll(line, "\t", "    "))
	}
	return strings.Join(lines, "\n"+indent)
}

// Age formats how long ago at was, as kubectl does: in one or two units, "-" for never.
func Age(now, at time.Time) string {
	if at.IsZero() || at.Unix() <= 0 {
		return "-"
	}
	return duration.HumanDuration(max(0, now.Sub(at)))
}

// In formats how far at lies ahead, as in "in 69s", and "now" for what is due.
func In(now, at time.Time) string {
	left := at.Sub(now).Round(time.Second)
	if left <= 0 {
		return "now"
	}
	return "in " + duration.HumanDuration(left)
}

// Bytes formats a size in units of 1024, as in "512MiB".
func Bytes(n int64) string { return units.BytesSize(float64(n)) }
