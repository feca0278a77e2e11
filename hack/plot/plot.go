// Package plot draws figures as SVG files: over time, a panel for each, and one over a size.
package plot

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
)

// Point is a figure at a time, which counts from the beginning of the plot.
type Point struct {
	At    time.Duration
	Value float64
}

// Mark names a time, in all panels.
type Mark struct {
	At   time.Duration
	Name string
}

// Panel is one figure. Its axis begins at 0.
type Panel struct {
	Title  string
	Points []Point
}

// The sizes are in pixels. left has room for the numbers of an axis, top for the title of a panel.
const (
	width, height     = 960, 180
	left, right       = 80, 20
	top, bottom       = 30, 20
	plotted, plottedH = width - left - right, height - top - bottom
	ticks             = 4
)

// Write draws panels below each other, on one axis of time.
func Write(to io.Writer, title string, panels []Panel, marks []Mark) error {
	var end time.Duration
	for _, p := range panels {
		for _, point := range p.Points {
			end = max(end, point.At)
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		width, top+height*len(panels))
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="20" font-size="15">%s</text>`+"\n", left, escaped(title))
	for i, p := range panels {
		fmt.Fprintf(&b, `<g transform="translate(0 %d)">`+"\n", top+i*height)
		p.draw(&b, end, marks)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	_, err := to.Write(b.Bytes())
	return err
}

func (p Panel) draw(b *bytes.Buffer, end time.Duration, marks []Mark) {
	most := 0.0
	for _, point := range p.Points {
		most = max(most, point.Value)
	}
	step := tickStep(most)
	x := func(at time.Duration) float64 { return left + plotted*float64(at)/float64(max(end, 1)) }
	y := func(value float64) float64 { return top + plottedH*(1-value/(step*ticks)) }
	fmt.Fprintf(b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", left, top-8, escaped(p.Title))
	for i := range ticks + 1 {
		value := step * float64(i)
		fmt.Fprintf(b, `<path d="M%d %.1fh%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, y(value), plotted, left-6, y(value)+4, number(value))
		at := end * time.Duration(i) / ticks
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle" fill="#666">%s</text>`+"\n", x(at), height-bottom+14, at.Round(time.Second))
	}
	for _, m := range marks {
		fmt.Fprintf(b, `<path d="M%.1f %dv%d" stroke="#d62728" stroke-dasharray="3 3"><title>%s</title></path>`+"\n", x(m.At), top, plottedH, escaped(m.Name))
	}
	b.WriteString(`<polyline fill="none" stroke="#1f77b4" stroke-width="1.5" points="`)
	for _, point := range p.Points {
		fmt.Fprintf(b, "%.1f,%.1f ", x(point.At), y(point.Value))
	}
	b.WriteString("\"/>\n")
}

// tickStep is the least of 1, 2 and 5 times a power of ten of which as many as there are ticks reach most.
func tickStep(most float64) float64 {
	if most <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(most/ticks)))
	for _, digit := range []float64{1, 2, 5} {
		if digit*power*ticks >= most {
			return digit * power
		}
	}
	return 10 * power
}

// number writes a figure of an axis as people read it.
func number(value float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if value >= unit.size {
			return strconv.FormatFloat(value/unit.size, 'g', 4, 64) + unit.name
		}
	}
	return strconv.FormatFloat(value, 'g', 4, 64)
}

func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a buffer takes all
	return b.String()
}
