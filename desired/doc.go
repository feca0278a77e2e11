// Package desired holds what clients asked for: the spec of a container, its
// defaults, its validation, and the ports that it claims.
//
// Everything here is a value or a pure function. What a spec means for Docker is
// decided elsewhere; that a spec is well-formed is decided here and only here, so
// that every way of writing one passes the same checks. Package desired/mountsource
// compares mount sources with the host, and package desired/store keeps the values.
//
// # Fields of a spec
//
// A spec needs internal_id, image, volume_id and startup_command. "lightd explain" lists all fields
// with their types and defaults. What to know beyond that:
//
//   - internal_id matches [a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}. In Docker the container is called
//     lightd-<internal_id>.
//   - volume_id is mounted at /home/container.
//   - startup_command is run by /bin/sh in /home/container. A stop ends the container when
//     everything that the command started has ended, in the background too, or the time is up.
//   - start_pattern is an RE2 expression. The container is running once a line of output matches, as
//     a terminal shows it: carriage returns and escape sequences are interpreted, typed input is left
//     out. Without a pattern it is running as soon as the process is up.
//   - ports: a port of 0, or none, takes the lowest free one of the pool. container_port is the same
//     as port unless given.
//   - limits: memory and swap in bytes, cpu in cores, pids (512 unless given).
//   - mount maps container paths to host paths inside mounts.allowed. Two sources may be equal, but
//     neither may lie inside the other: whoever has the outer one could replace the inner one by a
//     link.
//   - install_script runs once, as root, by /bin/sh or its own #! line, in a container without
//     ports. What it changes in the image is kept. What root created or changed in the volume since
//     it began (or since the first of several attempts that failed) is then given to the user that
//     the server runs as, and the volume's own directory too if nothing older is in it. Other files
//     stay as they are.
//   - power is running or stopped. A spec without it leaves it as it is; a new container is stopped.
//   - restart is always (the default), on-failure or never.
//   - stop has a command, a signal and a timeout (10s). The command is written to the standard input
//     as a line, then the signal is sent, then SIGKILL after timeout. The last quarter of timeout,
//     at most 5 s, is for the signal. An empty signal is the image's STOPSIGNAL, else SIGTERM; names
//     and numbers are as in Docker (SIGRTMIN+3, term, 15). The commands ^C, ^\ and ^SIGTERM are
//     signals (^C is SIGINT) and no text.
//   - env: a name that /bin/sh does not accept, such as a.b, reaches the program only where that
//     shell is bash; dash and BusyBox drop it.
//   - labels stay in Lightd; selectors use them.
//   - hostname has letters, digits and -, with dots between, at most 63 bytes. By default it is
//     internal_id with - for _ and for dots. A container made by an earlier version gets it when it
//     is recreated.
//   - user, tty (true) and init (true) are as in Docker.
//   - image_policy is pinned (the default) or follow. With follow a tag that moved recreates the
//     container, unless an install script made its image.
//   - paused: true leaves the container alone; only a DELETE still acts.
package desired

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: the fields of a spec.
//
//go:embed doc.go
var Doc string
