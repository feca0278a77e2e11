package main

import (
	"testing"
	"time"

	"lightd/hack/plot"
)

// TestJudge: what grows steadily is not flat; noise, bursts, what settles in the warm-up, what shrinks
// and what is less than the floor are.
func TestJudge(t *testing.T) {
	noise := func(i int) float64 { return float64(i*7919%11) - 5 }
	burst := func(from, to int) func(int) float64 {
		return func(i int) float64 {
			if i >= from && i < to {
				return 300
			}
			return 100 + noise(i)
		}
	}
	for name, test := range map[string]struct {
		figure figure
		value  func(i int) float64
		flat   bool
	}{
		"noise":                    {figure{}, func(i int) float64 { return 100 + noise(i) }, true},
		"a leak":                   {figure{}, func(i int) float64 { return 100 + noise(i) + float64(i)/10 }, false},
		"a leak below the floor":   {figure{floor: 20}, func(i int) float64 { return 100 + noise(i) + float64(i)/10 }, true},
		"shrinking":                {figure{}, func(i int) float64 { return 100 - float64(i)/10 }, true},
		"a step in the warm-up":    {figure{}, func(i int) float64 { return 100 * float64(min(i, 12)) }, true},
		"a late step":              {figure{}, func(i int) float64 { return 100 + 10*float64(i/60) }, false},
		"a short burst at the end": {figure{}, burst(115, 120), true},
		"a burst in the middle":    {figure{}, burst(55, 75), true},
		"a sawtooth":               {figure{sawtooth: true}, func(i int) float64 { return 100 + float64(i%31) }, true},
		"a sawtooth that grows":    {figure{sawtooth: true}, func(i int) float64 { return 100 + float64(i%31) + float64(i)/5 }, false},
	} {
		var samples []plot.Point
		for i := range 120 {
			samples = append(samples, plot.Point{At: time.Duration(i) * 5 * time.Second, Value: test.value(i)})
		}
		if v := test.figure.judge(samples, warmUp(10*time.Minute)); !v.judged || v.flat != test.flat {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if v := (figure{}).judge([]plot.Point{{At: time.Minute, Value: 1}}, 0); v.judged {
		t.Errorf("one sample is judged: %+v", v)
	}
}

func TestWarmUp(t *testing.T) {
	for duration, want := range map[time.Duration]time.Duration{
		2 * time.Hour: 10 * time.Minute, 10 * time.Minute: time.Minute, time.Minute: 6 * time.Second,
	} {
		if got := warmUp(duration); got != want {
			t.Errorf("%s: %s, want %s", duration, got, want)
		}
	}
}

func TestTrend(t *testing.T) {
	if got := trend([]plot.Point{{At: 0, Value: 5}, {At: time.Second, Value: 7}, {At: 2 * time.Second, Value: 9}}); got != 4 {
		t.Errorf("a line that grows by 4: %g", got)
	}
	if got := trend([]plot.Point{{At: time.Second, Value: 5}}); got != 0 {
		t.Errorf("one point: %g", got)
	}
}
