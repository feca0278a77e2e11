package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestFaultOf holds the answers of engines 20.10 and 29 to starts and creations that fail.
func TestFaultOf(t *testing.T) {
	const (
		v20 = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
		v29 = "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: "
	)
	for _, c := range []struct {
		message string
		want    Fault
	}{
		{`invalid mount config for type "bind": bind source path does not exist: /srv/x`, FaultHost},
		{`error while creating mount source path '/srv/x': mkdir /srv: read-only file system`, FaultHost},
		{`error evaluating symlinks from mount source "/srv/x": lstat /srv/x: no such file or directory`, FaultHost},
		{`error while creating mount source path '/srv/x': stat /srv/x: transport endpoint is not connected`, FaultHost},
		{`unable to find user nobodyxx: no matching entries in passwd file`, FaultSpec},
		{`unable to find group nogrpxx: no matching entries in group file`, FaultSpec},
		{`failed to set user: unable to find user nobodyxx: no matching entries in passwd file`, FaultSpec},
		{v20 + `exec: "/bin/sh": stat /bin/sh: no such file or directory: unknown`, FaultSpec},
		{v29 + `exec: "/bin/sh": stat /bin/sh: no such file or directory`, FaultSpec},
		{v29 + `exec: "sh": executable file not found in $PATH`, FaultSpec},
		{v20 + `exec /bin/sh: exec format error: unknown`, FaultSpec},
		{v20 + `exec: "/sbin/docker-init": stat /sbin/docker-init: no such file or directory: unknown`, FaultUnknown},
		{`exec: "docker-init": executable file not found in $PATH`, FaultUnknown},
		{v20 + `error during container init: error mounting "/srv/f" to rootfs at "/etc": mount /srv/f:/etc (via /proc/self/fd/6), flags: 0x5000: not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)?`, FaultHost},
		{v29 + `error mounting "/srv/f" to rootfs at "/etc": mount src=/srv/f, dst=/etc, dstFd=/proc/self/fd/11, flags=MS_BIND|MS_REC: not a directory: Are you trying to mount a directory onto a file (or vice-versa)?`, FaultHost},
		{`driver failed programming external connectivity on endpoint lightd-a: Bind for 0.0.0.0:80 failed: port is already allocated`, FaultHost},
		{`driver failed programming external connectivity on endpoint lightd-a: Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use`, FaultHost},
		{`driver failed programming external connectivity on endpoint lightd-a: Error starting userland proxy: listen tcp4 10.9.9.9:80: bind: cannot assign requested address`, FaultHost},
		{`failed to set up container networking: driver failed programming external connectivity on endpoint lightd-a (1b2c): failed to bind host port for 0.0.0.0:80:172.18.0.2:80/tcp: address already in use`, FaultHost},
		{`failed to set up container networking: driver failed programming external connectivity on endpoint lightd-a (1b2c): failed to bind host port for 10.9.9.9:80:172.18.0.2:80/tcp: cannot assign requested address`, FaultHost},
		{`invalid mount config for type "bind": stat /srv/volumes/x: permission denied`, FaultHost},
		{v20 + `error during container init: error mounting "/srv/x" to rootfs at "/home/container": stat /srv/x: permission denied: unknown`, FaultHost},
		{v20 + `exec /app/data/entrypoint.sh: permission denied: unknown`, FaultUnknown},
		{`address already in use`, FaultUnknown},
		{`try again`, FaultUnknown},
	} {
		if got := FaultOf(fmt.Errorf("start container a: %w", errors.New(c.message))); got != c.want {
			t.Errorf("%s fault of %q, want %s", got, c.message, c.want)
		}
	}
	if FaultOf(nil) != FaultUnknown {
		t.Error("no error has a fault")
	}
}

// TestRunRemains holds what engines 20.10 and 28, and Podman with crun, answer to a start of an id that they have remains of.
func TestRunRemains(t *testing.T) {
	id := strings.Repeat("0f", 32)
	for message, want := range map[string]bool{
		"failed to start shim: mkdir /run/containerd/io.containerd.runtime.v2.task/moby/" + id + ": file exists: unknown":                             true,
		"failed to create task for container: failed to start shim: mkdir /run/containerd/io.containerd.runtime.v2.task/moby/" + id + ": file exists": true,
		"failed to create shim task: OCI runtime create failed: runc create failed: container with given ID already exists: unknown":                  true,
		"OCI runtime create failed: container with id exists: " + id + ": unknown":                                                                    true,
		"task " + id + ": already exists: unknown":                                              true,
		"task " + id + " already exists: unknown":                                               true,
		"AlreadyExists: container \"" + id + "\": already exists":                               true,
		"container `" + id + "` already exists":                                                 true,
		"endpoint with name lightd-a already exists in network lightd":                          false,
		`Conflict. The container name "/lightd-a" is already in use by container "` + id + `".`: false,
		"error while creating mount source path '/srv/x': mkdir /srv/x: file exists":            false,
		"": false,
	} {
		if got := RunRemains(fmt.Errorf("start container a: %w", errors.New(message))); got != want {
			t.Errorf("%t for %q", got, message)
		}
	}
	if RunRemains(nil) {
		t.Error("no error has remains")
	}
}
