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
//   - ports: a port of 0, or none, takes the lowest free one of the pool. host_port is another
//     way to write port. container_port is the same as port unless given.
//   - limits: memory and swap in bytes, cpu in cores, pids (512 unless given). More cores than the host
//     has are all of them: the write has a warning, and the spec keeps what was written. See below for the others.
//   - mount maps container paths to host paths inside mounts.allowed. Two sources may be equal, but
//     neither may lie inside the other unless both are read-only: whoever can write to the outer one
//     could replace the inner one by a link. {"source": "/srv/maps", "read_only": true} in place of the
//     host path keeps the container from writing there; engines before 25 leave file systems that are
//     mounted below the source writable.
//   - install_script runs once, as root, by /bin/sh or its own #! line, in a container without
//     ports. What it changes in the image is kept. What root created or changed in the volume since
//     it began (or since the first of several attempts that failed) is then given to the user that
//     the server runs as, and the volume's own directory too if nothing older is in it.
//   - install is the long form of install_script, and never beside it: see below.
//   - power is running or stopped. A spec without it leaves it as it is; a new container is stopped.
//   - restart says which ends of the program are followed by a start while power is running.
//     on-failure (the default): all but those of its own with exit code 0. A program that its user
//     ends in the console stays down until the next start; what crashed, what was stopped or killed
//     through Docker, and what ended with the engine or the machine comes back, whatever its exit
//     code. always: after each end. never: after none of its own, a crash included; only after one
//     that the engine or the machine forced by a signal. Ends in a row wait 1 s to 5 min.
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
//   - read_only: true makes the root file system of the server read-only. Its volume, what is mounted
//     and tmpfs stay writable; the install script writes as ever.
//   - tmpfs maps container paths to sizes, as in {"/tmp": "64m"}: file systems in memory, which begin
//     empty at each start; at most 16, from 64k up, apart from the paths of mount. Set-uid files and
//     devices are of no use in them. What is in them counts towards limits.memory.
//   - network is default (Lightd's own, on which no container reaches another one), none (loopback
//     alone; ports must be empty then), or one that the operator has made and listed in
//     network.allowed, on which containers may reach each other. The install script has the same
//     one, but with none the default one: packages come from somewhere, and what the script leaves
//     behind has no network. A name that is taken off the list leaves alone what there is: it can be
//     started and stopped, and the next change of its spec has to fit.
//   - user, tty (true) and init (true) are as in Docker. Where user is a number (1000, 1000:1000) and the
//     volume's own directory belongs to another one at a start, the volume with all that is in it is
//     given to that user before the program runs: once, and again when user changes. Files that come
//     later, or while the directory is theirs, keep their owners. Links are not followed, and set-uid
//     files lose that. A name is known to the image alone, and root writes anyway: for both nothing is
//     given, nor of a volume that a container with another user has too, nor by a daemon that is not
//     root. It takes about a second for 100,000 files; what takes over 2 min is continued with the next
//     attempt, as StepFailed says.
//   - image_policy is pinned (the default) or follow. With follow a tag that moved recreates the
//     container, unless an install script made its image.
//   - image_pull is missing (the default: an image that is not here is pulled), always (the registry is asked
//     before each new container and each installation too) or never: "lightd docs images".
//   - suspended: true stops the process, in its usual way, and refuses every start and restart (409,
//     "Container is suspended") until a write lifts it, as a PUT or an apply without it does. power stays as it is, and holds again then.
//     Installations and reinstalls go on, and so do all other changes; a stop or kill is taken, and a
//     power that a write of the spec names is kept for later. Nothing is recreated. Whoever may write the
//     spec lifts it: a tenant who must not has a token without the scope write.
//   - paused: true leaves the container alone; only a DELETE still acts.
//   - quota_exceeded is tell (the default) or stop: what happens while the volume is over its quota, see "lightd
//     docs quotas".
//   - health: how it is found out whether the process does its work: "lightd docs health".
//
// # Limits
//
// Limits change in place, without a restart, but for those that are taken away (all except pids) and for
// oom_disable: Docker has these for new containers alone, so that the container is recreated.
//
//	memory              bytes; 0 for no limit
//	swap                bytes beyond memory; 0 for none, -1 for no limit
//	cpu                 cores, as in 1.5; 0 for no limit
//	cpuset              CPUs of the host, as in "0-3,5"; "" for all
//	pids                processes and threads
//	io_weight           share of busy disks, 10 to 1000; 0 for none
//	memory_reservation  bytes that are taken last; 0 for none
//	oom_disable         true: wait at the limit of memory
//
// Docker's --memory-swap is the sum of memory and swap: memory 1Gi and swap 512Mi are --memory 1g
// --memory-swap 1536m there, swap 0 is the same number for both, and swap -1 is --memory-swap -1. Where
// containers.max_memory bounds swap, -1 is refused.
//
// What the kernel or its version of cgroups lacks, the engine discards: io_weight without the scheduler for
// it, oom_disable on version 2, swap where it is not counted. The process runs without it, the event
// CreationWarning has Docker's words, and "lightd drift ID" lists it as deferred. An update of limits
// is tried twice for it, and once more after the engine was away.
//
// # Installing with another image
//
// Panels install with an image that has the tools, and run with one that has the game:
//
//	install:
//	  script: |
//	    curl -sSLo server.jar "$SERVER_JAR_URL"
//	  image: ghcr.io/pterodactyl/installers:alpine
//	  entrypoint: ash
//	  mount: /mnt/server
//	  env: {SERVER_JAR_URL: "https://example.com/server.jar"}
//	  timeout: 30m
//
// All but script may be left out; "lightd convert egg" writes it of an egg. A change waits for the next
// reinstall, as one of install_script does, but for timeout, which counts at once while a script runs.
//
//   - image is another one for the installer, pulled as that of the server is, before anything is removed.
//     Nothing but what is in the volume is kept then: the server runs from its own image, and a change of that one
//     installs nothing again. What the script made as root goes to the user of the server as ever; to one
//     that has a name at the first start, by a daemon that is root, as only the server's image knows it.
//   - entrypoint is what the script is given to, in place of its #! line: a name in PATH or a path. The
//     image needs /bin/sh in any case.
//   - mount is where the volume is (/home/container), and where the script is started.
//   - env is added to the env of the server, which the installer has too, and wins over it.
//   - user is root, or a number. A number is given the volume before the script runs; afterwards
//     nothing goes to the user of the server but what a start gives to a numeric one.
//   - timeout is from 1s to 24h, in place of the operator's timeouts.install.
package desired

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: the fields of a spec.
//
//go:embed doc.go
var Doc string
