package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// quantile returns the value below which the part q of all lies, by the nearest rank.
func quantile(all []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

func medianOf(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// ms prints a duration in milliseconds, with as many digits as mean something.
func ms(d time.Duration) string {
	digits := 2
	if d >= 100*time.Millisecond {
		digits = 0
	}
	return fmt.Sprintf("%.*f ms", digits, float64(d)/float64(time.Millisecond))
}

func mb(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }

// inUnit prints a sample.
func inUnit(value float64, unit string) string {
	switch unit {
	case "s":
		return ms(time.Duration(value * float64(time.Second)))
	case "B":
		return mb(int64(value))
	}
	return fmt.Sprintf("%.0f %s", value, unit)
}

func spread(all []time.Duration) string {
	return fmt.Sprintf("median %s, p99 %s, most %s", ms(median(all)), ms(quantile(all, 0.99)), ms(slices.Max(all)))
}

func rangeOf(all []time.Duration) string {
	return fmt.Sprintf("median %s (%s to %s)", ms(median(all)), ms(slices.Min(all)), ms(slices.Max(all)))
}

// counted is a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
