package streams

import (
	"time"

	"lightd/observed"
)

// Targets returns which containers an id has now; the live cache does. Get may be called with
// locks of its callers held, so it must not wait for anything that waits for a Notify.
type Targets interface {
	Get(id string) observed.Snapshot
}

// Target names one container, and how its output is framed.
type Target struct {
	ContainerID string
	TTY         bool
}

// TargetOf returns the target that c is.
func TargetOf(c *observed.Container) Target {
	return Target{ContainerID: c.ContainerID, TTY: c.TTY}
}

// Run names one run of a container. StartedAt is zero while it is not known.
type Run struct {
	Target
	StartedAt time.Time
}

// RunOf returns the present run of c.
func RunOf(c *observed.Container) Run {
	return Run{Target: TargetOf(c), StartedAt: c.StartedAt}
}

// Equal reports whether r and o are the same run.
func (r Run) Equal(o Run) bool { return r.Target == o.Target && r.StartedAt.Equal(o.StartedAt) }

// Find returns the container of a snapshot that has Docker's id, or nil.
func Find(s observed.Snapshot, containerID string) *observed.Container {
	switch {
	case s.Run != nil && s.Run.ContainerID == containerID:
		return s.Run
	case s.Install != nil && s.Install.ContainerID == containerID:
		return s.Install
	}
	return nil
}
