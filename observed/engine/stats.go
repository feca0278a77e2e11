package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
)

// Stats are the figures of a running container at one time.
type Stats struct {
	At time.Time
	// CPUPercent is 100 for one core in full use, as `docker stats` has it.
	CPUPercent float64
	// Memory is in bytes and without the page cache that can be reclaimed at once.
	Memory, MemoryLimit uint64
	// The rest counts bytes since the start.
	NetworkRx, NetworkTx  uint64
	BlockRead, BlockWrite uint64
	PIDs                  uint64
}

// Stats calls each about once a second with the figures of a running container, from the
// calling goroutine. The first come after one to two seconds: the engine's first sample has
// none before it, so that nothing is known of the CPU. It returns nil when the engine ends
// the stream, as it does when the container is removed.
func (e *Engine) Stats(ctx context.Context, containerID string, each func(Stats)) error {
	body, err := e.open(ctx, func(ctx context.Context, s *session) (io.ReadCloser, error) {
		answer, err := s.ContainerStats(ctx, containerID, true)
		return answer.Body, err
	})
	if err != nil {
		return fmt.Errorf("follow figures of container %s: %w", containerID, err)
	}
	defer func() { _ = body.Close() }()
	for decoder := json.NewDecoder(body); ; {
		var sample container.StatsResponse
		if err := decoder.Decode(&sample); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("follow figures of container %s: %w", containerID, err)
		}
		if sample.PreCPUStats.SystemUsage > 0 {
			each(figures(&sample))
		}
	}
}

// figures computes the figures of a sample.
func figures(s *container.StatsResponse) Stats {
	f := Stats{
		At: s.Read, CPUPercent: cpuPercent(s),
		Memory: memory(s.MemoryStats), MemoryLimit: s.MemoryStats.Limit, PIDs: s.PidsStats.Current,
	}
	for _, n := range s.Networks {
		f.NetworkRx += n.RxBytes
		f.NetworkTx += n.TxBytes
	}
	for _, b := range s.BlkioStats.IoServiceBytesRecursive {
		switch strings.ToLower(b.Op) {
		case "read":
			f.BlockRead += b.Value
		case "write":
			f.BlockWrite += b.Value
		}
	}
	return f
}

// cpuPercent compares the time that the container used with what all cores had, as
// `docker stats` does. Engines before 1.27 do not report how many cores are in use.
func cpuPercent(s *container.StatsResponse) float64 {
	used := float64(s.CPUStats.CPUUsage.TotalUsage) - float64(s.PreCPUStats.CPUUsage.TotalUsage)
	had := float64(s.CPUStats.SystemUsage) - float64(s.PreCPUStats.SystemUsage)
	cores := float64(s.CPUStats.OnlineCPUs)
	if cores == 0 {
		cores = float64(len(s.CPUStats.CPUUsage.PercpuUsage))
	}
	if used <= 0 || had <= 0 {
		return 0
	}
	return used / had * cores * 100
}

// memory leaves out the inactive page cache, as `docker stats` does:
// cgroup v1 counts it as total_inactive_file (its inactive_file is without what is below),
// v2 as inactive_file. A value above the usage was counted at another moment, and is ignored.
func memory(m container.MemoryStats) uint64 {
	for _, name := range []string{"total_inactive_file", "inactive_file"} {
		if cache, ok := m.Stats[name]; ok && cache < m.Usage {
			return m.Usage - cache
		}
	}
	return m.Usage
}
