package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// TestWriteIsWellFormed: a title is text whatever it holds, each point is drawn inside its panel, and
// a panel without points or with nothing but zeros is drawn too.
func TestWriteIsWellFormed(t *testing.T) {
	var out bytes.Buffer
	err := Write(&out, "a <soak> & more", []Panel{
		{"rising", []Point{{0, 0}, {time.Minute, 20}, {2 * time.Minute, 40}}},
		{"zero", []Point{{time.Minute, 0}}},
		{"empty", nil},
	}, []Mark{{time.Minute, "restart of <the engine>"}})
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	d := xml.NewDecoder(bytes.NewReader(out.Bytes()))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, &out)
		}
		if e, ok := token.(xml.StartElement); ok {
			counts[e.Name.Local]++
		}
	}
	if counts["g"] != 3 || counts["polyline"] != 3 || counts["title"] != 3 {
		t.Errorf("elements %v", counts)
	}
	// The axis ends at 40, so that 40 is at its top, 0 at its bottom, and the last point at the right.
	for _, want := range []string{`points="80.0,160.0 510.0,95.0 940.0,30.0 "`, "a &lt;soak&gt; &amp; more", ">2m0s</text>"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is missing in\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "NaN") {
		t.Errorf("not a number in\n%s", &out)
	}
}

func TestTickStep(t *testing.T) {
	for most, want := range map[float64]float64{0: 1, 1: 0.5, 4: 1, 4.1: 2, 40: 10, 41: 20, 90: 50, 210: 100, 63e6: 2e7} {
		if got := tickStep(most); got < want*0.999 || got > want*1.001 {
			t.Errorf("up to %g: ticks each %g, want %g", most, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for value, want := range map[float64]string{0: "0", 0.5: "0.5", 999: "999", 1500: "1.5k", 2e7: "20M", 3e9: "3G"} {
		if got := number(value); got != want {
			t.Errorf("%g: %s, want %s", value, got, want)
		}
	}
}
