package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/client"
)

const (
	// probes is how often the fixed work is repeated, which takes two to three seconds in all.
	probes = 40
	// hashed is what the processor hashes in one probe.
	hashed = 8 << 20

	// A machine is noisy whose spread or load is above these.
	cpuSpread    = 0.15
	otherSpread  = 1.5
	loadPerCore  = 0.25
	writtenBytes = 4 << 10
)

// noise is how differently long the same work takes: what a figure may differ by without a cause.
type noise struct {
	Work  []series `json:"work"`
	Noisy bool     `json:"noisy"`
	text  string
}

// measureNoise repeats fixed work: a hash, a write that is synced, a ping of the engine.
func measureNoise(ctx context.Context, docker *client.Client, dir string) (noise, error) {
	data := make([]byte, hashed)
	f, err := os.Create(filepath.Join(dir, "noise"))
	if err != nil {
		return noise{}, fmt.Errorf("make a file to write to: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	work := []struct {
		of    string
		most  float64
		do    func() error
		times []time.Duration
	}{
		{of: "cpu", most: cpuSpread, do: func() error { sha256.Sum256(data); return nil }},
		{of: "synced write", most: otherSpread, do: func() error {
			if _, err := f.WriteAt(data[:writtenBytes], 0); err != nil {
				return err
			}
			return f.Sync()
		}},
		{of: "engine ping", most: otherSpread, do: func() error { _, err := docker.Ping(ctx); return err }},
	}
	for range probes {
		for i := range work {
			began := time.Now()
			if err := work[i].do(); err != nil {
				return noise{}, fmt.Errorf("%s: %w", work[i].of, err)
			}
			work[i].times = append(work[i].times, time.Since(began))
		}
	}
	var n noise
	var parts []string
	for _, w := range work {
		n.Work = append(n.Work, times(w.of, w.times))
		spread := spreadOf(w.times)
		n.Noisy = n.Noisy || spread > w.most
		parts = append(parts, fmt.Sprintf("%s %s +-%.0f %%", w.of, ms(median(w.times)), 50*spread))
	}
	if busy, err := strconv.ParseFloat(load(), 64); err == nil && busy > loadPerCore*float64(runtime.NumCPU()) {
		n.Noisy = true
	}
	word := "quiet"
	if n.Noisy {
		word = "noisy"
	}
	n.text = fmt.Sprintf("this machine is %s: %s, load %s", word, strings.Join(parts, ", "), load())
	return n, nil
}

// spreadOf is the distance between the first and the last tenth, as a part of the median.
func spreadOf(all []time.Duration) float64 {
	return float64(quantile(all, 0.9)-quantile(all, 0.1)) / float64(median(all))
}
