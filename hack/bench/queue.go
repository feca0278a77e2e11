package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// queueName is the queue of the containers, as the workqueue's metrics name it.
const queueName = `name="containers"`

// buckets are a histogram: how many were at most so long, in order.
type buckets struct {
	bounds []float64
	counts []float64
	sum    float64
}

// growQueue changes every spec once, and measures how long their keys wait in the queue.
func (l *lab) growQueue(ctx context.Context, d *daemon, g *growing) error {
	var known struct {
		Volumes []struct {
			VolumeID string `json:"volume_id"`
		}
	}
	if err := d.must(ctx, http.MethodGet, "/volumes", nil, &known); err != nil {
		return err
	}
	before, err := d.queue(ctx)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(l.crowd(), listSize) {
		body := l.crowdSpecs(part, known.Volumes[0].VolumeID, map[string]string{"changed": "once"})
		if err := d.must(ctx, http.MethodPost, "/apply", body, nil); err != nil {
			return err
		}
	}
	after, err := d.queueAtRest(ctx, before.total()+float64(l.size.known))
	if err != nil {
		return err
	}
	waited := after.minus(before)
	g.queue.add(l.size.known, waited.quantile(0.99))
	g.queueMean.add(l.size.known, waited.sum/waited.total())
	return nil
}

// queueAtRest waits until at least so many keys have been through the queue, and no more come.
func (d *daemon) queueAtRest(ctx context.Context, least float64) (buckets, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*patience)
	defer cancel()
	for last := 0.0; ; {
		b, err := d.queue(ctx)
		if err != nil {
			return b, err
		}
		if b.total() >= least && b.total() == last {
			return b, nil
		}
		last = b.total()
		if err := sleep(ctx, time.Second); err != nil {
			return b, fmt.Errorf("wait for %.0f keys, %.0f have come: %w", least, last, err)
		}
	}
}

// queue reads how long keys have waited until now.
func (d *daemon) queue(ctx context.Context) (buckets, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.base+"/metrics", nil)
	if err != nil {
		return buckets{}, err
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	answer, err := d.http.Do(r)
	if err != nil {
		return buckets{}, fmt.Errorf("read metrics: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return buckets{}, fmt.Errorf("read metrics: status %d", answer.StatusCode)
	}
	b, err := readBuckets(answer.Body)
	if err == nil && len(b.bounds) == 0 {
		err = fmt.Errorf("no histogram of the queue %s", queueName)
	}
	if err != nil {
		return b, fmt.Errorf("read metrics: %w", err)
	}
	return b, nil
}

// readBuckets reads the histogram of the queue in the text format of Prometheus.
func readBuckets(from io.Reader) (b buckets, err error) {
	for lines := bufio.NewScanner(from); lines.Scan(); {
		line, ok := strings.CutPrefix(lines.Text(), "workqueue_queue_duration_seconds_")
		if !ok || !strings.Contains(line, queueName) {
			continue
		}
		value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		if err != nil {
			return b, fmt.Errorf("line %q: %w", line, err)
		}
		switch _, after, _ := strings.Cut(line, `le="`); {
		case strings.HasPrefix(line, "bucket"):
			text, _, _ := strings.Cut(after, `"`)
			most, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return b, fmt.Errorf("line %q: %w", line, err)
			}
			b.bounds, b.counts = append(b.bounds, most), append(b.counts, value)
		case strings.HasPrefix(line, "sum"):
			b.sum = value
		}
	}
	return b, nil
}

// total is how many there were.
func (b buckets) total() float64 {
	if len(b.counts) == 0 {
		return 0
	}
	return b.counts[len(b.counts)-1]
}

// minus is what has come since before.
func (b buckets) minus(before buckets) buckets {
	since := buckets{b.bounds, slices.Clone(b.counts), b.sum - before.sum}
	for i := range min(len(since.counts), len(before.counts)) {
		since.counts[i] -= before.counts[i]
	}
	return since
}

// quantile is where the part q of all is reached. Inside of a bucket it is interpolated on a logarithmic
// scale, as each bound is ten times the one before. Of nothing it is 0.
func (b buckets) quantile(q float64) float64 {
	if b.total() == 0 {
		return 0
	}
	rank := q * b.total()
	for i, count := range b.counts {
		if count < rank {
			continue
		}
		if i == 0 || math.IsInf(b.bounds[i], 1) {
			return b.bounds[max(0, min(i, len(b.bounds)-2))]
		}
		low, high := b.bounds[i-1], b.bounds[i]
		part := (rank - b.counts[i-1]) / (count - b.counts[i-1])
		return low * math.Pow(high/low, part)
	}
	return 0
}
