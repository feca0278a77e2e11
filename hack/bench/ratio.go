package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// confidence is that the median of the ratios lies inside of its interval.
const confidence = 0.95

// estimate is the median of the ratios of pairs, and its interval: with less than six pairs it has
// no bounds.
type estimate struct{ median, low, high float64 }

// ratioOf estimates the median of ours[i]/floor[i] by order statistics: of n ratios in order, the one
// of rank k from below and the one of rank k from above enclose the median unless fewer than k of n
// fair coins fall on one side. It takes the largest k for which that is rare enough, and assumes
// nothing about how the ratios are distributed.
func ratioOf(ours, floor []float64) estimate {
	ratios := make([]float64, min(len(ours), len(floor)))
	for i := range ratios {
		ratios[i] = ours[i] / floor[i]
	}
	slices.Sort(ratios)
	n := len(ratios)
	if n == 0 {
		return estimate{math.NaN(), 0, math.Inf(1)}
	}
	e := estimate{(ratios[(n-1)/2] + ratios[n/2]) / 2, 0, math.Inf(1)}
	missed := 0.0 // the chance that the median lies outside of rank k
	coins := math.Pow(0.5, float64(n))
	for k := 1; k <= n/2; k++ {
		missed += 2 * coins
		if missed > 1-confidence {
			break
		}
		e.low, e.high = ratios[k-1], ratios[n-k]
		coins = coins * float64(n-k+1) / float64(k)
	}
	return e
}

// bound is what a ratio has to be: at most the value, or at least.
type bound struct {
	value float64
	least bool
}

func atMost(value float64) bound  { return bound{value, false} }
func atLeast(value float64) bound { return bound{value, true} }

func (b bound) String() string {
	if b.least {
		return fmt.Sprintf(">= %.2f", b.value)
	}
	return fmt.Sprintf("<= %.2f", b.value)
}

// The verdicts on a figure.
const (
	met       = "met"
	missed    = "MISSED"
	undecided = "undecided"
)

// verdict is undecided while the interval of e holds the bound: it is wider than the distance to it.
func (b bound) verdict(e estimate) string {
	above, below := e.low > b.value, e.high < b.value
	switch {
	case above == below:
		return undecided
	case above == b.least:
		return met
	}
	return missed
}

// comparison is a figure beside its floor, measured in turn: times or rates.
type comparison struct {
	what, beside string
	unit         string
	target       bound
	ours, floor  []float64
}

// add takes one pair.
func (c *comparison) add(floor, ours float64) {
	c.floor, c.ours = append(c.floor, floor), append(c.ours, ours)
}

// inTurn takes rounds, each of which measures the floor and then ours, until all comparisons are
// decided or the bound of rounds, or of their time, is reached.
func (l *lab) inTurn(ctx context.Context, round func(i int) error, all ...*comparison) error {
	began := time.Now()
	for i := range l.size.rounds {
		if i > 0 && time.Since(began) > l.size.turns {
			break
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := round(i); err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
		if !slices.ContainsFunc(all, func(c *comparison) bool { return c.target.verdict(ratioOf(c.ours, c.floor)) == undecided }) {
			break
		}
	}
	for _, c := range all {
		l.report.compare(c)
	}
	return nil
}
