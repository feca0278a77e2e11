package main

import (
	"math"
	"testing"
)

func TestRatioOf(t *testing.T) {
	ones := func(n int) []float64 {
		all := make([]float64, n)
		for i := range all {
			all[i] = 1
		}
		return all
	}
	for _, c := range []struct {
		name        string
		ours, floor []float64
		want        estimate
	}{
		{"five pairs have no interval", []float64{1, 2, 3, 4, 5}, ones(5), estimate{3, 0, math.Inf(1)}},
		{"of six it is all of them", []float64{6, 5, 4, 3, 2, 1}, ones(6), estimate{3.5, 1, 6}},
		{"of nine the outermost do not count", []float64{1, 2, 3, 4, 5, 6, 7, 8, 90}, ones(9), estimate{5, 2, 8}},
		{"what slows down both cancels out", []float64{2, 20, 200, 2, 20, 200}, []float64{1, 10, 100, 1, 10, 100}, estimate{2, 2, 2}},
		{"one pair", []float64{3}, []float64{2}, estimate{1.5, 0, math.Inf(1)}},
	} {
		if got := ratioOf(c.ours, c.floor); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	if got := ratioOf(nil, nil); !math.IsNaN(got.median) || atMost(1).verdict(got) != undecided {
		t.Errorf("without a pair: %+v", got)
	}
	// Published tables have rank 6 of 20 and rank 10 of 30.
	for n, rank := range map[int]float64{20: 6, 30: 10} {
		ranks := make([]float64, n)
		for i := range ranks {
			ranks[i] = float64(i + 1)
		}
		if got := ratioOf(ranks, ones(n)); got.low != rank || got.high != float64(n)+1-rank {
			t.Errorf("%d pairs: %+v, want rank %g", n, got, rank)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		bound bound
		of    estimate
		want  string
	}{
		{atMost(1.05), estimate{1, 0.98, 1.04}, met},
		{atMost(1.05), estimate{1.2, 1.1, 1.3}, missed},
		{atMost(1.05), estimate{1, 0.98, 1.06}, undecided},
		{atLeast(0.7), estimate{0.8, 0.75, 0.9}, met},
		{atLeast(0.7), estimate{0.6, 0.5, 0.65}, missed},
		{atLeast(0.7), estimate{0.8, 0, math.Inf(1)}, undecided},
	} {
		if got := c.bound.verdict(c.of); got != c.want {
			t.Errorf("%+v of %s: %s, want %s", c.of, c.bound, got, c.want)
		}
	}
}
