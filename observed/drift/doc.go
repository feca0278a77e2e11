// Package drift says where a container of Docker differs from what it should be made as,
// field by field.
//
// It is pure: it compares a blueprint with an observation, and the same two have the same
// result. Package controller/plan decides what is done about a difference, for the controller
// and for a report.
//
// A value that Docker shows and the spec does not have may be a secret: values of observed
// environment variables are never shown.
//
// # Drift
//
// GET /containers/:id/drift ("lightd drift ID") compares what Docker shows of a container with what
// its spec asks for. It reads from memory and calls nothing in Docker. Of a paused container that
// somebody renamed:
//
//	{
//	  "internal_id": "my-server-001",
//	  "in_sync": false, "known": true, "paused": true,
//	  "fields": [{
//	    "path": "name",
//	    "desired": "lightd-my-server-001", "observed": "lightd-x",
//	    "since": "2026-11-26T02:38:30.513823293Z",
//	    "step": "RenameContainer", "kind": "spec"
//	  }]
//	}
//
// All that Docker shows is compared: image, startup_command, entrypoint, command, env.KEY, user,
// hostname, read_only, tmpfs./path, working_dir, tty, init, mount./path, ports, limits.*, networks, healthcheck, name, our labels, and
// Docker's own restart_policy; and of what separates it from the host ("lightd docs isolation")
// capabilities, no_new_privileges, ipc, cgroupns and privileges, which lists all that was given
// beyond: privileged, pid=host, device=/dev/sda, security_opt=seccomp=unconfined. Besides there are
// presence, power (the process), entrypoint.sh (the file), container_id (somebody else created the
// container, with our labels), restart (a requested one) and installation (one that runs or failed).
//
// "step" is the step that fixes the difference: CreateContainer where the container is recreated,
// empty where nothing is done. "since" survives a restart of the daemon. The value of an environment
// variable that only Docker shows is "(hidden)", and to a token without write that of the spec is too.
// While Docker cannot be reached, "known" is false and nothing is reported as different or in sync.
//
// The kind of a difference:
//
//   - spec: it is fixed.
//   - moved_tag: the tag means another image now, and image_policy is pinned. It is only reported.
//   - deferred: it is fixed when the container is next recreated, and is not worth that alone: log.*,
//     stop.signal, the hostname, the healthcheck and the network of a container made by an earlier version,
//     a network that somebody added, less isolation from the host in a container made by an earlier version (no more than
//     Docker gives by default), and what a recreation did not change. A pause (power) of less than a minute is deferred
//     too.
//
// GET /drift ("lightd drift") has the containers that are not in sync, and counts in_sync, drifted
// (with a field of kind spec), moved_tag, deferred and unknown. "foreign" lists the containers of
// other Lightd instances on the engine; those of a lost data directory are among them.
package drift

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: drift.
//
//go:embed doc.go
var Doc string
