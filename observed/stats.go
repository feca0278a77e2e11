package observed

import "time"

// Sample is what a running container has used up to one time.
type Sample struct {
	At time.Time
	// CPU is the processor time of all its processes since the start.
	CPU time.Duration
	// Stats lacks the CPU usage, which is of the time between two samples.
	Stats
}

// Stats are the figures of a running container at one time.
type Stats struct {
	// CPUUsage is in percent of one core, in hundredths: what differs by less is no news.
	CPUUsage float64 `json:"cpu_usage"`
	// The others are in bytes; those of network and blocks since the start.
	MemoryUsage uint64 `json:"memory_usage"`
	MemoryLimit uint64 `json:"memory_limit"`
	NetworkRx   uint64 `json:"network_rx"`
	NetworkTx   uint64 `json:"network_tx"`
	BlockRead   uint64 `json:"block_read"`
	BlockWrite  uint64 `json:"block_write"`
}
