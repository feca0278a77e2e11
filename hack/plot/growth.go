package plot

import (
	"bytes"
	"fmt"
	"io"
	"math"
)

// At is a figure at a size. Both are above 0 where they are drawn.
type At struct{ X, Y float64 }

// Curve is one figure over a size.
type Curve struct {
	Title, Unit string
	Points      []At // in the order of their sizes
}

// The height of a curve in pixels.
const curveHeight = 480

// WriteGrowth draws a curve as one SVG file. Both axes are logarithmic, so that what grows in proportion
// to the size is a straight line at the angle of the dashed one, which begins where the curve does: where the
// curve is steeper it bends. What is not above 0 is left out.
func WriteGrowth(to io.Writer, sizes string, c Curve) error {
	var points []At
	for _, p := range c.Points {
		if p.X > 0 && p.Y > 0 {
			points = append(points, p)
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, curveHeight)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="20" font-size="15">%s (%s) over %s</text>`+"\n",
		left, escaped(c.Title), escaped(c.Unit), escaped(sizes))
	if len(points) > 0 {
		drawGrowth(&b, points)
	}
	b.WriteString("</svg>\n")
	_, err := to.Write(b.Bytes())
	return err
}

func drawGrowth(b *bytes.Buffer, points []At) {
	low, high := points[0], points[0]
	for _, p := range points {
		low = At{min(low.X, p.X), min(low.Y, p.Y)}
		high = At{max(high.X, p.X), max(high.Y, p.Y)}
	}
	x := decades{low.X, high.X, left, width - right}.bounded()
	y := decades{low.Y, high.Y, curveHeight - bottom, top}.bounded()
	for value := y.low; value <= y.high*1.01; value *= 10 {
		fmt.Fprintf(b, `<path d="M%d %.1fh%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, y.at(value), plotted, left-6, y.at(value)+4, number(value))
	}
	for value := x.low; value <= x.high*1.01; value *= 10 {
		fmt.Fprintf(b, `<path d="M%.1f %dv%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			x.at(value), top, curveHeight-top-bottom, x.at(value), curveHeight-bottom+14, number(value))
	}
	// In proportion to the size, as far as the plot reaches.
	first := points[0]
	grows := min(x.high/first.X, y.high/first.Y)
	fmt.Fprintf(b, `<path d="M%.1f %.1fL%.1f %.1f" stroke="#999" stroke-dasharray="4 4"><title>in proportion</title></path>`+"\n",
		x.at(first.X), y.at(first.Y), x.at(first.X*grows), y.at(first.Y*grows))
	b.WriteString(`<polyline fill="none" stroke="#1f77b4" stroke-width="1.5" points="`)
	for _, p := range points {
		fmt.Fprintf(b, "%.1f,%.1f ", x.at(p.X), y.at(p.Y))
	}
	b.WriteString("\"/>\n")
	for _, p := range points {
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="#1f77b4"/><text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n",
			x.at(p.X), y.at(p.Y), x.at(p.X), y.at(p.Y)-8, number(p.Y))
	}
}

// decades is a logarithmic axis from low to high, drawn from one pixel to another.
type decades struct {
	low, high float64
	from, to  float64
}

// bounded begins and ends it at powers of ten, at least one apart.
func (d decades) bounded() decades {
	d.low = math.Pow(10, math.Floor(math.Log10(d.low)))
	d.high = max(math.Pow(10, math.Ceil(math.Log10(d.high))), d.low*10)
	return d
}

func (d decades) at(value float64) float64 {
	return d.from + (d.to-d.from)*math.Log10(value/d.low)/math.Log10(d.high/d.low)
}
