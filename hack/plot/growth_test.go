package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// TestWriteGrowth: both axes are logarithmic and end at powers of ten, a title is text whatever it holds,
// and what cannot be drawn on such an axis is left out.
func TestWriteGrowth(t *testing.T) {
	var out bytes.Buffer
	if err := WriteGrowth(&out, "containers", Curve{Title: "memory <all>", Unit: "B", Points: []At{{1, 0}, {10, 1}, {100, 10}, {1000, 1000}}}); err != nil {
		t.Fatal(err)
	}
	// Ten is at the left and a thousand at the right; 1 at the bottom and 1,000 at the top.
	for _, want := range []string{
		`points="80.0,460.0 510.0,316.7 940.0,30.0 "`, "memory &lt;all&gt; (B) over containers", ">1k</text>",
		`d="M80.0 460.0L940.0 173.3" stroke="#999"`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is missing in\n%s", want, &out)
		}
	}
	for name, points := range map[string][]At{"empty": nil, "one": {{10, 3}}, "flat": {{10, 10}, {100, 10}}, "zeros": {{10, 0}}, "small": {{10, 2e-5}, {20, 3e-5}}} {
		out.Reset()
		if err := WriteGrowth(&out, "n", Curve{Points: points}); err != nil {
			t.Fatal(err)
		}
		for d := xml.NewDecoder(bytes.NewReader(out.Bytes())); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v in\n%s", name, err, &out)
			}
		}
		if strings.Contains(out.String(), "NaN") || strings.Contains(out.String(), "Inf") {
			t.Errorf("%s: not a number in\n%s", name, &out)
		}
	}
}
