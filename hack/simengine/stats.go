package simengine

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"time"

	"github.com/docker/docker/api/types/container"
)

// Figures are the stats of a running container.
type Figures struct {
	// CPU is the use in cores, over all the time since the start.
	CPU float64
	// Memory and Cache are in bytes; the cache counts as memory in use.
	Memory, Cache uint64
	// The rest is counted since the start.
	NetworkRx, NetworkTx, BlockRead, BlockWrite, PIDs uint64
}

// SetFigures sets the stats of a container from now on.
func (s *Sim) SetFigures(name string, f Figures) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.findLocked(name)
	if err != nil {
		return fmt.Errorf("set figures: %w", err)
	}
	c.stats = f
	return nil
}

// statCores is how many cores the engine's machine reports.
const statCores = 2

// sampleLocked returns the figures of a container at a time. The caller holds the lock.
func (s *Sim) sampleLocked(c *box, now time.Time) *container.StatsResponse {
	stat := &container.StatsResponse{ID: c.id, Name: "/" + c.name}
	if !c.running {
		return stat
	}
	f, age := c.stats, now.Sub(c.started)
	stat.Read = now.UTC()
	stat.NumProcs = 0
	stat.CPUStats = container.CPUStats{
		CPUUsage:    container.CPUUsage{TotalUsage: uint64(f.CPU * float64(age))},
		SystemUsage: uint64(now.UnixNano()) * statCores, OnlineCPUs: statCores,
	}
	limit := uint64(c.host.Memory)
	if limit == 0 {
		limit = 8 << 30
	}
	stat.MemoryStats = container.MemoryStats{
		Usage: f.Memory + f.Cache, Limit: limit,
		Stats: map[string]uint64{"inactive_file": f.Cache, "total_inactive_file": f.Cache},
	}
	stat.PidsStats = container.PidsStats{Current: max(f.PIDs, 1)}
	stat.Networks = map[string]container.NetworkStats{"eth0": {RxBytes: f.NetworkRx, TxBytes: f.NetworkTx}}
	stat.BlkioStats.IoServiceBytesRecursive = []container.BlkioStatEntry{
		{Op: "read", Value: f.BlockRead}, {Op: "write", Value: f.BlockWrite},
	}
	return stat
}

func (s *Sim) containerStats(c *call) (answer, error) {
	s.mu.Lock()
	target, err := s.findLocked(c.id)
	if err != nil {
		s.mu.Unlock()
		return answer{}, err
	}
	now := s.sampleLocked(target, s.now())
	s.mu.Unlock()
	stream := c.query.Get("stream") == "" || c.flag("stream")
	if !stream && (c.flag("one-shot") || now.Read.IsZero()) {
		return answer{http.StatusOK, now}, nil
	}
	st, release := s.openStream(c, nil)
	defer release()
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(c.w).Flush
	_ = flush() // the client has gone, which a write detects as well
	last := &container.StatsResponse{}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			s.mu.Lock()
			next := s.sampleLocked(target, now)
			s.mu.Unlock()
			next.PreCPUStats, next.PreRead = last.CPUStats, last.Read
			if json.NewEncoder(c.w).Encode(next) != nil || flush() != nil || !stream {
				return streamed, nil
			}
			last = next
		case <-target.gone:
			return streamed, nil
		case <-st.ctx.Done():
			s.breakIfCut(st)
			return streamed, nil
		}
	}
}

func (s *Sim) containerChanges(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	target, err := s.findLocked(c.id)
	if err != nil {
		return answer{}, err
	}
	var changes []container.FilesystemChange
	return answer{http.StatusOK, append(changes, target.changes...)}, nil
}

// statPath returns the stat of a path of a container; every path exists: files are not simulated.
func (s *Sim) statPath(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.findLocked(c.id); err != nil {
		return answer{}, err
	}
	stat, err := json.Marshal(container.PathStat{Name: path.Base(c.query.Get("path")), Mode: 0o755})
	if err != nil {
		return answer{}, fmt.Errorf("stat path: %w", err)
	}
	c.w.Header().Set("X-Docker-Container-Path-Stat", base64.StdEncoding.EncodeToString(stat))
	return answer{status: http.StatusOK}, nil
}

// SetChange notes that a path of a container differs from its image.
func (s *Sim) SetChange(name, path string, kind container.ChangeType) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.findLocked(name)
	if err != nil {
		return fmt.Errorf("set change: %w", err)
	}
	c.change(path, kind)
	return nil
}
