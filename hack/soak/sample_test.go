package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const exposition = `# HELP go_goroutines Number of goroutines that currently exist.
# TYPE go_goroutines gauge
go_goroutines 33
go_memstats_heap_inuse_bytes 2e+07
lightd_build_info{goversion="go1",version="v1"} 1
lightd_database_bytes 1.048576e+06
process_open_fds 17
process_resident_memory_bytes 3.4e+07
`

func TestParseMetrics(t *testing.T) {
	got, err := parseMetrics(strings.NewReader(exposition))
	want := map[string]float64{"go_goroutines": 33, "go_memstats_heap_inuse_bytes": 2e7, "lightd_database_bytes": 1 << 20, "process_open_fds": 17, "process_resident_memory_bytes": 34e6}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := parseMetrics(strings.NewReader("go_goroutines many\n")); err == nil {
		t.Error("a word is taken for a number")
	}
}

// TestSamplesAreKept: what was sampled is in the CSV and in the plot, and a metric that is missing is an
// error and no sample.
func TestSamplesAreKept(t *testing.T) {
	s := newSamples()
	if err := s.take(strings.NewReader(exposition)); err != nil {
		t.Fatal(err)
	}
	s.mark("engine restart")
	if err := s.take(strings.NewReader("go_goroutines 1\n")); err == nil {
		t.Error("a missing metric is no error")
	}
	dir := t.TempDir()
	if err := s.writeCSV(filepath.Join(dir, "csv")); err != nil {
		t.Fatal(err)
	}
	if err := s.writeSVG(filepath.Join(dir, "svg"), "a soak"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"csv": "seconds,process_resident_memory_bytes,go_memstats_heap_inuse_bytes,go_goroutines,process_open_fds,lightd_database_bytes\n0.0,34000000,20000000,33,17,1048576\n",
		"svg": "<title>engine restart</title>",
	} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}
