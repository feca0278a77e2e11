package main

import (
	"math"
	"strings"
	"testing"
)

func TestQueueQuantile(t *testing.T) {
	b, err := readBuckets(strings.NewReader(`# HELP workqueue_queue_duration_seconds How long keys waited.
workqueue_queue_duration_seconds_bucket{name="pulls",le="0.001"} 7
workqueue_queue_duration_seconds_bucket{name="containers",le="0.001"} 0
workqueue_queue_duration_seconds_bucket{name="containers",le="0.01"} 80
workqueue_queue_duration_seconds_bucket{name="containers",le="0.1"} 100
workqueue_queue_duration_seconds_bucket{name="containers",le="+Inf"} 100
workqueue_queue_duration_seconds_sum{name="containers"} 1.5
workqueue_queue_duration_seconds_count{name="containers"} 100
`))
	if err != nil || b.total() != 100 || b.sum != 1.5 || len(b.bounds) != 4 {
		t.Fatalf("%+v, %v", b, err)
	}
	for q, want := range map[float64]float64{0.4: 0.001 * math.Sqrt(10), 0.8: 0.01, 0.9: 0.01 * math.Sqrt(10), 1: 0.1} {
		if got := b.quantile(q); math.Abs(got-want) > want/1e6 {
			t.Errorf("quantile %g: %g, want %g", q, got, want)
		}
	}
	if none := b.minus(b); none.total() != 0 || none.quantile(0.99) != 0 {
		t.Errorf("nothing since: %+v", none)
	}
	slow := buckets{bounds: []float64{1, math.Inf(1)}, counts: []float64{0, 5}}
	if got := slow.quantile(0.99); got != 1 {
		t.Errorf("beyond all bounds: %g", got)
	}
}
