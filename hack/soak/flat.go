package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"lightd/hack/plot"
)

// tolerance is the part by which a figure may grow that is flat.
const tolerance = 0.05

// figure is one that has to stay flat.
type figure struct {
	name, metric string
	// floor is a growth that means nothing, however small the figure is.
	floor float64
	// sawtooth is true of a figure that grows until something collects what it counts: then maxima of
	// windows are compared, as medians depend on where in a tooth a window begins.
	sawtooth bool
	// restarts is true of a figure that begins again with each process of the daemon.
	restarts bool
	text     func(float64) string
}

// verdict is how a figure has moved over the windows that are compared: the first and the last third of
// the samples after the warm-up.
type verdict struct {
	judged      bool // false for too few samples
	flat        bool
	first, last float64
	// trend is what the straight line through all samples after the warm-up, by least squares, grows by
	// from the first of them to the last one.
	trend float64
}

// fewest is how many samples a window must have to be compared.
const fewest = 4

// warmUp is what is left out at the beginning of a load.
func warmUp(duration time.Duration) time.Duration { return min(duration/10, 10*time.Minute) }

// judge compares windows of a figure. It has grown when the last window and the trend both exceed the
// first one by more than the tolerance: a burst in the last window moves its median and hardly the trend,
// a burst in the middle the other way round. A figure that shrinks is flat.
func (f figure) judge(samples []plot.Point, warm time.Duration) verdict {
	begin := slices.IndexFunc(samples, func(p plot.Point) bool { return p.At >= warm })
	if begin < 0 || len(samples)-begin < 3*fewest {
		return verdict{}
	}
	samples = samples[begin:]
	of := median
	if f.sawtooth {
		of = slices.Max[[]float64]
	}
	third := len(samples) / 3
	v := verdict{judged: true, first: of(values(samples[:third])), last: of(values(samples[len(samples)-third:])), trend: trend(samples)}
	limit := max(tolerance*v.first, f.floor)
	v.flat = v.last-v.first <= limit || !f.sawtooth && v.trend <= limit
	return v
}

// text is a verdict for people.
func (v verdict) text(f figure) string {
	return fmt.Sprintf("%s, then %s (%+.1f %%); trend %+.1f %%", f.text(v.first), f.text(v.last),
		100*(v.last-v.first)/math.Max(v.first, 1), 100*v.trend/math.Max(v.first, 1))
}

func values(samples []plot.Point) []float64 {
	all := make([]float64, len(samples))
	for i, p := range samples {
		all[i] = p.Value
	}
	return all
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// trend is the growth of the line by least squares from the first sample to the last one.
func trend(samples []plot.Point) float64 {
	n := float64(len(samples))
	var meanX, meanY, covariance, variance float64
	for _, p := range samples {
		meanX += p.At.Seconds() / n
		meanY += p.Value / n
	}
	for _, p := range samples {
		x := p.At.Seconds() - meanX
		covariance += x * (p.Value - meanY)
		variance += x * x
	}
	if variance == 0 {
		return 0
	}
	return covariance / variance * (samples[len(samples)-1].At - samples[0].At).Seconds()
}
