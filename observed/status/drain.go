package status

// DrainReason is why a drain of the node waits for a container.
type DrainReason string

// The reasons.
const (
	// DrainRunning is a process that is to be stopped, DrainStopping one whose stop has begun, and DrainKilled one that
	// SIGKILL is to end.
	DrainRunning  DrainReason = "Running"
	DrainStopping DrainReason = "Stopping"
	DrainKilled   DrainReason = "Killed"
	// DrainInstalling is an install script that runs, which no drain stops.
	DrainInstalling DrainReason = "Installing"
	// DrainStarting is a process or an install script whose start the engine was asked for.
	DrainStarting DrainReason = "Starting"
	// DrainUnobserved is a container of which it is not known whether anything runs: the engine is away, or it was not
	// inspected since something was done to it.
	DrainUnobserved DrainReason = "Unobserved"
)

// Drain is what a drain of the node waits for, or would wait for. Paused containers are left alone.
type Drain struct {
	// Running is how many processes and install scripts run.
	Running int
	// Remaining are the containers, in the order of their ids.
	Remaining []DrainHolder
}

// DrainHolder is a container that a drain waits for.
type DrainHolder struct {
	InternalID string      `json:"internal_id"`
	Reason     DrainReason `json:"reason"`
}
