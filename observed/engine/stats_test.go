package engine

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/docker/docker/api/types/container"
)

// sample reads what an engine sends on a host with cgroups of a version. Those of version 1
// name the operations in capitals, add them up in a "Total" of their own, and count the
// cache of the cgroups below under another name.
func sample(t *testing.T, version string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/stats-" + version + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// figuresOf returns the figures of a sample that was changed.
func figuresOf(t *testing.T, version string, change func(*container.StatsResponse)) Stats {
	t.Helper()
	var s container.StatsResponse
	if err := json.Unmarshal(sample(t, version), &s); err != nil {
		t.Fatal(err)
	}
	change(&s)
	return figures(&s)
}

func TestFigures(t *testing.T) {
	v1 := Stats{CPUPercent: 22.237290, Memory: 9224192 - 4194304, MemoryLimit: 64 << 20, NetworkRx: 906, NetworkTx: 42,
		BlockRead: 446464 + 4096, BlockWrite: 8388608, PIDs: 1}
	v2 := Stats{CPUPercent: 0.562594, Memory: 710574080 - 5636096, MemoryLimit: 1 << 30, NetworkRx: 97099, NetworkTx: 441815,
		BlockRead: 16384 + 226566144, BlockWrite: 811008, PIDs: 182}
	for _, c := range []struct {
		name, version string
		change        func(*container.StatsResponse)
		want          Stats
		differs       func(*Stats)
	}{
		{"cgroup v1", "cgroup1", nil, v1, nil},
		{"cgroup v2", "cgroup2", nil, v2, nil},
		{"an engine that does not count the cores", "cgroup1", func(s *container.StatsResponse) { s.CPUStats.OnlineCPUs = 0 }, v1, nil},
		{"no CPU time used", "cgroup2", func(s *container.StatsResponse) { s.CPUStats.CPUUsage = s.PreCPUStats.CPUUsage }, v2,
			func(s *Stats) { s.CPUPercent = 0 }},
		{"a counter that went back", "cgroup2", func(s *container.StatsResponse) { s.CPUStats.CPUUsage.TotalUsage = 1 }, v2,
			func(s *Stats) { s.CPUPercent = 0 }},
		{"no time gone by", "cgroup2", func(s *container.StatsResponse) { s.CPUStats.SystemUsage = s.PreCPUStats.SystemUsage }, v2,
			func(s *Stats) { s.CPUPercent = 0 }},
		{"more cache than usage", "cgroup2", func(s *container.StatsResponse) { s.MemoryStats.Stats["inactive_file"] = 1 << 40 }, v2,
			func(s *Stats) { s.Memory = 710574080 }},
		{"more cache than usage, but for what is below", "cgroup1", func(s *container.StatsResponse) { s.MemoryStats.Stats["total_inactive_file"] = 1 << 40 }, v1,
			func(s *Stats) { s.Memory = 9224192 - 4096 }},
		{"the host's network", "cgroup2", func(s *container.StatsResponse) { s.Networks = nil }, v2,
			func(s *Stats) { s.NetworkRx, s.NetworkTx = 0, 0 }},
		{"no block devices", "cgroup2", func(s *container.StatsResponse) { s.BlkioStats = container.BlkioStats{} }, v2,
			func(s *Stats) { s.BlockRead, s.BlockWrite = 0, 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.change == nil {
				c.change = func(*container.StatsResponse) {}
			}
			if c.differs != nil {
				c.differs(&c.want)
			}
			got := figuresOf(t, c.version, c.change)
			if math.Abs(got.CPUPercent-c.want.CPUPercent) > 1e-6 || got.At.IsZero() {
				t.Errorf("cpu %f at %v, want %f", got.CPUPercent, got.At, c.want.CPUPercent)
			}
			c.want.CPUPercent, c.want.At = got.CPUPercent, got.At
			if got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// TestFirstSampleIsNoFigure: the CPU would be said to be idle. Nor is that of a container
// without a process.
func TestFirstSampleIsNoFigure(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		if r.URL.Path == "/_ping" {
			return
		}
		var first container.StatsResponse
		if err := json.Unmarshal(sample(t, "cgroup2"), &first); err != nil {
			t.Error(err)
		}
		first.PreCPUStats = container.CPUStats{}
		_ = json.NewEncoder(w).Encode(first)
		_, _ = w.Write(sample(t, "cgroup2"))
		_, _ = io.WriteString(w, `{"id":"x","read":"0001-01-01T00:00:00Z"}`)
	}))
	defer server.Close()
	e, err := New(Config{Host: "tcp://" + server.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var got []Stats
	if err := e.Stats(context.Background(), "x", func(s Stats) { got = append(got, s) }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].CPUPercent == 0 {
		t.Errorf("got %+v", got)
	}
}
