package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lightd/desired"
	"lightd/observed/usage"
)

// Each is what is shown of each container by its id, where the operator asks for it.
type Each struct {
	On func() bool
	// Usage returns what the processes of containers use; those that do not run are left out.
	Usage func(ctx context.Context, ids []string) map[string]usage.Figures
	// VolumeSize is the last measurement of a volume.
	VolumeSize func(id string) (bytes int64, measured bool)
	// Matter says what is the matter with a container; nothing where all is well.
	Matter func(desired.Container) string
}

// measureWithin bounds the measurement for one answer.
const measureWithin = 5 * time.Second

var (
	stateDesc        = describe("container_state", "1 for the state of a container.", "container", "state")
	matterDesc       = describe("container_attention", "1 for a container that somebody should look at, with why.", "container", "summary")
	restartsDesc     = describe("container_restarts_total", "Starts that followed an end nobody asked for.", "container")
	coresDesc        = describe("container_cpu_cores", "Cores that it uses.", "container")
	memoryDesc       = describe("container_memory_bytes", "Memory that it uses.", "container")
	limitDesc        = describe("container_memory_limit_bytes", "Its limit of memory; 0 where it has none.", "container")
	receivedDesc     = describe("container_network_receive_bytes_total", "Received since its start.", "container")
	transmittedDesc  = describe("container_network_transmit_bytes_total", "Sent since its start.", "container")
	readDesc         = describe("container_block_read_bytes_total", "Read from disks since its start.", "container")
	writtenDesc      = describe("container_block_write_bytes_total", "Written to disks since its start.", "container")
	volumeOfEachDesc = describe("container_volume_bytes", "Size of its volume, as it was measured last.", "container")
)

func (e Each) describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		stateDesc, matterDesc, restartsDesc, coresDesc, memoryDesc, limitDesc, receivedDesc, transmittedDesc, readDesc, writtenDesc, volumeOfEachDesc,
	} {
		to <- d
	}
}

// collect shows the containers of a state.
func (e Each) collect(s State, gauge, counter func(*prometheus.Desc, float64, ...string)) {
	all := s.Containers()
	ids := make([]string, len(all))
	for i, c := range all {
		ids[i] = c.InternalID
	}
	ctx, cancel := context.WithTimeout(context.Background(), measureWithin)
	defer cancel()
	figures := e.Usage(ctx, ids)
	for _, c := range all {
		id := c.InternalID
		st, _ := s.Status(id)
		gauge(stateDesc, 1, id, string(s.StateOf(st)))
		counter(restartsDesc, float64(st.Restarts), id)
		if why := e.Matter(c); why != "" {
			gauge(matterDesc, 1, id, why)
		}
		if size, measured := e.VolumeSize(c.VolumeID); measured {
			gauge(volumeOfEachDesc, float64(size), id)
		}
		f, running := figures[id]
		if !running || f.At.IsZero() {
			continue
		}
		gauge(coresDesc, f.CPUUsage/100, id)
		gauge(memoryDesc, float64(f.MemoryUsage), id)
		gauge(limitDesc, float64(c.Limits.Memory), id) // the engine shows the memory of the machine where there is none
		counter(receivedDesc, float64(f.NetworkRx), id)
		counter(transmittedDesc, float64(f.NetworkTx), id)
		counter(readDesc, float64(f.BlockRead), id)
		counter(writtenDesc, float64(f.BlockWrite), id)
	}
}
