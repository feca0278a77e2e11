package drift

import (
	"slices"

	"lightd/observed"
)

// security compares what separates a container from the host.
func (c *comparison) security() {
	want, have := c.want.Security, c.have.Security
	if !slices.Equal(want.Capabilities, have.Capabilities) {
		c.differ(Capabilities, orEmpty(want.Capabilities), orEmpty(have.Capabilities))
	}
	scalar(c, NoNewPrivileges, want.NoNewPrivileges, have.NoNewPrivileges)
	scalar(c, IPC, want.IPC, have.IPC)
	scalar(c, Cgroupns, want.Cgroupns, have.Cgroupns)
	if !slices.Equal(want.Privileges, have.Privileges) {
		c.differ(Privileges, orEmpty(want.Privileges), orEmpty(have.Privileges))
	}
}

// engineDefault reports whether a container has no more than the engine gives where nothing is
// asked for: it was made by an earlier version, or the operator has changed the capabilities since.
// One that has more is recreated.
func (d Difference) engineDefault() bool {
	switch d.Path {
	case Capabilities:
		want, _ := d.Desired.([]string)
		have, _ := d.Observed.([]string)
		return !slices.ContainsFunc(have, func(one string) bool {
			return !slices.Contains(want, one) && !slices.Contains(observed.EngineCapabilities(), one)
		})
	case NoNewPrivileges:
		return d.Observed == false
	case IPC:
		return d.Observed == "" || d.Observed == "shareable"
	case Cgroupns:
		return d.Observed == "" || d.Observed == "host"
	}
	return false
}
