package controller

import (
	"testing"

	"lightd/observed/status"
)

func TestRestartCause(t *testing.T) {
	var ran, asked, crashed, killed, stopping status.Status
	ran.Restarts, asked.Restarts, crashed.Restarts, killed.Restarts, stopping.Restarts = 2, 2, 3, 3, 2
	asked.Restarting = &status.RunID{ContainerID: "a"}
	crashed.LastExit = &status.Exit{Code: 1}
	killed.LastExit = &status.Exit{Code: 137, OOM: true}
	stopping.Stopping = &status.StopRequest{Unhealthy: true}
	for name, c := range map[string]struct {
		before, after status.Status
		want          string
	}{
		"nothing":        {ran, ran, ""},
		"request":        {ran, asked, restartRequest},
		"request so far": {asked, asked, ""},
		"crash":          {ran, crashed, restartCrash},
		"out of memory":  {ran, killed, restartOutOfMemory},
		"health check":   {stopping, killed, restartHealthCheck},
	} {
		if got := restartCause(c.before, c.after); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
