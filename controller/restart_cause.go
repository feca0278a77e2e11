package controller

import "lightd/observed/status"

// The causes of a restart.
const (
	restartRequest     = "request"
	restartHealthCheck = "health_check"
	restartOutOfMemory = "out_of_memory"
	restartCrash       = "crash"
)

// RestartCauses are all causes of a restart that Metrics is given.
func RestartCauses() []string {
	return []string{restartRequest, restartHealthCheck, restartOutOfMemory, restartCrash}
}

// restartCause returns why a decision has a process started again, empty where it does not: a client asked for
// it, or the process ended though it should run. It compares the statuses before and after the decision.
func restartCause(before, after status.Status) string {
	switch {
	case after.Restarting != nil && before.Restarting == nil:
		return restartRequest
	case after.Restarts <= before.Restarts:
		return ""
	case before.Stopping != nil && before.Stopping.Unhealthy:
		return restartHealthCheck
	case after.LastExit != nil && after.LastExit.OOM:
		return restartOutOfMemory
	}
	return restartCrash
}
