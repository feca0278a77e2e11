package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"lightd/hack/plot"
)

// interval is the time between two samples.
const interval = 5 * time.Second

// figures are what is sampled and judged.
var figures = []figure{
	{name: "resident memory", metric: "process_resident_memory_bytes", floor: memoryTooth, restarts: true, text: megabytes},
	{name: "heap in use", metric: "go_memstats_heap_inuse_bytes", floor: heapTooth, restarts: true, text: megabytes},
	{name: "goroutines", metric: "go_goroutines", floor: 25, restarts: true, text: count},
	{name: "open files", metric: "process_open_fds", floor: 25, restarts: true, text: count},
	{name: "size of the database", metric: "lightd_database_bytes", sawtooth: true, text: megabytes, floor: databaseTooth},
}

// memoryTooth is what resident memory grows by between two flushes of the database: its memtable (32 MiB, which the
// heap has from the beginning) and the log of it (32 MiB, mapped) become resident as they are written to.
const memoryTooth = 64 << 20

// heapTooth is what the heap grows by while the changes are collected that a watch may go on from (8 MiB), and what
// the garbage collector leaves beside them.
const heapTooth = 16 << 20

// databaseTooth is what the files of the database grow by before their garbage is collected: a log of the
// memtable (32 MiB), the table made of it, and half a file of the value log (64 MiB).
const databaseTooth = 96 << 20

func megabytes(v float64) string { return fmt.Sprintf("%.1f MB", v/(1<<20)) }
func count(v float64) string     { return fmt.Sprintf("%.0f", v) }

// samples are the figures so far. Its methods may be used by any number of goroutines.
type samples struct {
	began time.Time

	mu    sync.Mutex
	of    map[string][]plot.Point // by metric
	marks []plot.Mark
}

func newSamples() *samples { return &samples{began: time.Now(), of: map[string][]plot.Point{}} }

// mark notes what happens now.
func (s *samples) mark(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks = append(s.marks, plot.Mark{At: time.Since(s.began), Name: name})
}

// take adds a sample of all figures.
func (s *samples) take(text io.Reader) error {
	found, err := parseMetrics(text)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := time.Since(s.began)
	for _, f := range figures {
		value, ok := found[f.metric]
		if !ok {
			return fmt.Errorf("the metrics of the daemon have no %s", f.metric)
		}
		s.of[f.metric] = append(s.of[f.metric], plot.Point{At: at, Value: value})
	}
	return nil
}

// parseMetrics reads the metrics without labels of Prometheus' text format.
func parseMetrics(text io.Reader) (map[string]float64, error) {
	all := map[string]float64{}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, rest, ok := strings.Cut(lines.Text(), " ")
		if !ok || name == "#" || strings.Contains(name, "{") {
			continue
		}
		value, err := strconv.ParseFloat(rest, 64)
		if err != nil {
			return nil, fmt.Errorf("read metric %s: %w", name, err)
		}
		all[name] = value
	}
	return all, lines.Err()
}

// read samples the daemon once.
func (r *run) read(ctx context.Context) (map[string]float64, error) {
	text, err := r.quiet.Metrics(ctx)
	if err != nil {
		return nil, err
	}
	defer text.Close()
	return parseMetrics(text)
}

// sample samples the daemon until ctx ends.
func (r *run) sample(ctx context.Context) {
	for sleep(ctx, interval) == nil {
		text, err := r.quiet.Metrics(ctx)
		if err == nil {
			err = r.samples.take(text)
			text.Close()
		}
		if err != nil && ctx.Err() == nil && !r.options.kills {
			r.fail("sample the metrics: %v", err)
		}
	}
}

// writeCSV writes the samples, a line for each time.
func (s *samples) writeCSV(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	w := csv.NewWriter(file)
	header := []string{"seconds"}
	for _, f := range figures {
		header = append(header, f.metric)
	}
	_ = w.Write(header) // Flush keeps the error
	for i, p := range s.of[figures[0].metric] {
		line := []string{strconv.FormatFloat(p.At.Seconds(), 'f', 1, 64)}
		for _, f := range figures {
			line = append(line, strconv.FormatFloat(s.of[f.metric][i].Value, 'f', -1, 64))
		}
		_ = w.Write(line)
	}
	w.Flush()
	return w.Error()
}

// writeSVG draws the samples.
func (s *samples) writeSVG(path, title string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var panels []plot.Panel
	for _, f := range figures {
		panels = append(panels, plot.Panel{Title: f.name + " (" + f.metric + ")", Points: slices.Clone(s.of[f.metric])})
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return plot.Write(file, title, panels, s.marks)
}
