package simengine

import "github.com/docker/docker/api/types/versions"

// How later releases of Docker differ from 20.10, by the API version that came with
// the first of them. A Sim does it when it has that version. The suite of scenarios checks
// each of these against the engine that it runs on.
const (
	// Since 23.0 a container has left its networks when its end is emitted, and not after.
	leavesFirst = "1.42"
	// Since 23.0 a log ends where it is damaged; before, some lines behind that were left out. Of 26.1 every other
	// answer ends with an error there, ahead of some lines before it; a Sim does not do that.
	endsAtDamage = "1.42"
	// Since 23.0 a terminal has the size of HostConfig.ConsoleSize from its start on.
	startsWithSize = "1.42"
	// Since 25.0 a container without a restart policy shows the policy "no".
	namesNoRestart = "1.44"
	// Since 26.1 a container on the default network shows that it is on "bridge".
	namesBridge = "1.45"
	// Since 28.0 a client's disconnect is emitted once, no longer twice, and not at all where the
	// container does not run.
	disconnectsOnce = "1.48"
	// Since 29.0 a network that a start could not join, as when a port is busy, is no longer one
	// of the container's: its next start goes well, without that network and without ports.
	forgetsUnjoined = "1.52"
)

// sinceLocked reports whether it does things as the release that came with an API version. The
// caller holds the lock.
func (s *Sim) sinceLocked(version string) bool {
	return versions.GreaterThanOrEqualTo(s.apiVersion, version)
}
