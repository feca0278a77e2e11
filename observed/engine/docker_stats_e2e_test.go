package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/go-units"

	"lightd/hack/eventually"
	"lightd/observed/engine"
)

// dockerStats is what `docker stats` shows of a container.
type dockerStats struct {
	CPUPerc, MemUsage, NetIO, BlockIO, PIDs string
}

func showDockerStats(t *testing.T, containerID string) (s dockerStats) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", "stats", "--no-stream", "--format", "{{json .}}", containerID).Output()
	if err == nil {
		err = json.Unmarshal(out, &s)
	}
	if err != nil {
		t.Fatalf("docker stats: %v: %s", err, out)
	}
	return s
}

// both reads a pair as `docker stats` writes it, in four digits: "1.5MiB / 64MiB".
func both(t *testing.T, text string, read func(string) (int64, error)) (a, b float64) {
	t.Helper()
	one, other, _ := strings.Cut(text, " / ")
	x, err := read(one)
	y, err2 := read(other)
	if err != nil || err2 != nil {
		t.Fatalf("docker stats shows %q", text)
	}
	return float64(x), float64(y)
}

// TestFiguresAreThoseOfDocker holds ours against `docker stats` for a container that has
// written a file, so that there is a page cache, and whose CPU is bounded.
func TestFiguresAreThoseOfDocker(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	b := scripted(e, "dd if=/dev/zero of=/file bs=1M count=20 2>/dev/null; while :; do :; done")
	b.Limits.Memory, b.Limits.CPU = 64<<20, 0.3
	id := create(t, e, b)
	start(t, e, id)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const enough = 2
	samples := make(chan engine.Stats, 64)
	ended := make(chan error, 1)
	go func() {
		ended <- e.Stats(ctx, id, func(s engine.Stats) { samples <- s })
		close(samples)
	}()
	for range enough { // the file is written by now
		<-samples
	}
	// The two look at different moments, and the program gets what the machine has left.
	eventually.Poll(t, func() error {
		for len(samples) > 0 {
			<-samples
		}
		shown := showDockerStats(t, id)
		var s engine.Stats
		for range enough { // some of them are from meanwhile
			s = <-samples
		}
		return agree(t, s, shown)
	})
	cancel()
	<-ended
}

// agree fails unless our figures are those that Docker shows.
func agree(t *testing.T, s engine.Stats, shown dockerStats) (failed error) {
	t.Helper()
	fail := func(format string, args ...any) { failed = errors.Join(failed, fmt.Errorf(format, args...)) }
	usage, limit := both(t, shown.MemUsage, units.RAMInBytes)
	rx, tx := both(t, shown.NetIO, units.FromHumanSize)
	read, written := both(t, shown.BlockIO, units.FromHumanSize)
	cpu, err := strconv.ParseFloat(strings.TrimSuffix(shown.CPUPerc, "%"), 64)
	if err != nil {
		t.Fatalf("docker stats shows %q", shown.CPUPerc)
	}
	for _, f := range []struct {
		what           string
		ours, dockers  float64
		within, atMost float64 // relative, absolute
	}{
		{"memory", float64(s.Memory), usage, 0.02, 64 << 10},
		{"memory limit", float64(s.MemoryLimit), limit, 0, 0},
		{"network in", float64(s.NetworkRx), rx, 0.1, 2000},
		{"network out", float64(s.NetworkTx), tx, 0.1, 2000},
		{"read from disk", float64(s.BlockRead), read, 0.01, 64 << 10},
		{"written to disk", float64(s.BlockWrite), written, 0.01, 8 << 20}, // written back meanwhile
		{"CPU", s.CPUPercent, cpu, 0.5, 5},
	} {
		if math.Abs(f.ours-f.dockers) > f.within*f.dockers+f.atMost {
			fail("%s: %v, docker stats shows %v", f.what, f.ours, f.dockers)
		}
	}
	if want := fmt.Sprint(s.PIDs); shown.PIDs != want {
		fail("%s processes, docker stats shows %s", want, shown.PIDs)
	}
	if s.CPUPercent <= 0 || s.CPUPercent > 60 {
		fail("%v %% of a core for a program that has 30 at most", s.CPUPercent)
	}
	if s.Memory > 12<<20 {
		fail("%d bytes of memory: is the page cache among them?", s.Memory)
	}
	return failed
}
