package engine

import (
	"regexp"
	"slices"
	"strings"
)

// Fault is what has to change before a creation or start that the engine refused can work.
type Fault int

// The faults.
const (
	// FaultUnknown: the response does not show it. It may work another time.
	FaultUnknown Fault = iota
	// FaultHost: the host lacks something, a mount source for instance.
	FaultHost
	// FaultSpec: the same container will be refused again.
	FaultSpec
)

// String returns the name of f.
func (f Fault) String() string {
	return [...]string{"unknown", "host", "spec"}[f]
}

// faultTexts are parts of the engine's messages that identify a fault, first match first.
// The engine has a class for none of them: a missing mount source and a missing program are
// both "invalid parameter", an unknown user is an internal error.
var faultTexts = []struct {
	text  string
	fault Fault
}{
	{"bind source path does not exist", FaultHost},
	{"error evaluating symlinks from mount source", FaultHost},
	{"error while creating mount source path", FaultHost},
	{"failed to mount local volume", FaultHost},
	{"Are you trying to mount a directory onto a file", FaultHost}, // a source that became the other one
	{"stale file handle", FaultHost},
	{"transport endpoint is not connected", FaultHost},
	{"docker-init", FaultUnknown}, // the engine's own program, which an update may be replacing
	{"no matching entries in passwd file", FaultSpec},
	{"no matching entries in group file", FaultSpec},
	{"uids and gids must be in range", FaultSpec},
	{"executable file not found in $PATH", FaultSpec},
}

// FaultOf returns whose fault it is that a creation or start was refused, by the text of the
// engine's answer. It is the only place that reads such texts, and for where neither the
// class of the error nor the host itself answers.
func FaultOf(err error) Fault {
	if err == nil {
		return FaultUnknown
	}
	message := err.Error()
	switch {
	case ImageUnsuitable(err):
		return FaultSpec
	case PortUnavailable(err), MountDenied(err):
		return FaultHost
	}
	for _, known := range faultTexts {
		if strings.Contains(message, known.text) {
			return known.fault
		}
	}
	return FaultUnknown
}

// PortUnavailable reports whether a start was refused because a host port is not free: another
// container has it, or another program of the engine's host.
func PortUnavailable(err error) bool {
	if err == nil {
		return false
	}
	message := err.Error()
	if strings.Contains(message, "port is already allocated") {
		return true
	}
	return slices.ContainsFunc([]string{"address already in use", "cannot assign requested address"}, func(text string) bool {
		return strings.Contains(message, "bind: "+text) ||
			strings.Contains(message, text) && (strings.Contains(message, "host port") || strings.Contains(message, "on TCP socket")) // Docker 28 and later
	})
}

// MountDenied reports whether the engine lacks the right to reach a mount source, as a rootless one and one that maps
// users do where a directory above it is closed to them.
func MountDenied(err error) bool {
	if err == nil {
		return false
	}
	message := err.Error()
	return strings.Contains(message, "permission denied") &&
		(strings.Contains(message, "invalid mount config") || strings.Contains(message, "error mounting") || strings.Contains(message, "creating mount source path"))
}

// RunRemains reports whether a start was refused because the engine has remains of an earlier run of the container: a
// task or a directory that containerd kept when it, the engine or the machine went down in the middle of a start or an
// end (moby/moby#50040, docker/for-linux#211). A container of another id has none.
func RunRemains(err error) bool {
	if err == nil {
		return false
	}
	message := err.Error()
	return strings.Contains(message, "failed to start shim") && strings.Contains(message, "file exists") ||
		runRemains.MatchString(message)
}

// runRemains matches what containerd, runc and crun say of an id that they know. A name that is taken is none of these.
var runRemains = regexp.MustCompile(`container with (given ID already|id) exists|(?i:task|container)[ :]+[` + "`" + `"]?[0-9a-f]{64}[` + "`" + `"]?:? already exists`)

// ImageUnsuitable reports whether a start was refused because the image has no shell, or its
// programs are for another architecture.
func ImageUnsuitable(err error) bool {
	if err == nil {
		return false
	}
	message := err.Error()
	return strings.Contains(message, `exec: "/bin/sh": stat /bin/sh: no such file or directory`) ||
		strings.Contains(message, "exec format error")
}
