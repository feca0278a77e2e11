// Package health probes the processes of containers, as their specs say.
//
// What it promises:
//
//   - One goroutine waits for what is due; a container has none but while it is probed, and no timer. At most 64
//     connections and 8 commands are under way: who finds no room waits, and has not failed meanwhile.
//   - A probe belongs to one run of a process and to one check. When either is another one it is cut off, and
//     what it has found does not count.
//   - A connection goes to the address that the engine gave the container, to no other, without a proxy, and
//     follows no redirect. Of an answer no more than 16 KiB of head is read.
//   - Results are in memory. Changed is called when a result is another one, not for each probe.
//
// # Health checks
//
// A check finds out whether the process of a container does its work, where that it runs says too little:
//
//	health:
//	  tcp: 25565
//	  every: 10s
//	  on_failure: restart
//
//	tcp         a port of the container that takes a connection
//	http        {path: /, port: 8080, expect: 0}: a GET that is answered with
//	            the status of expect, or with 0 any from 200 to 399
//	command     run in the container by /bin/sh as the container's user:
//	            exit code 0
//	image       true: the HEALTHCHECK of the image, at the times given here
//	every       from the start of one probe to that of the next (10s, 1s to 1h)
//	timeout     what a probe may take (5s, 100ms to 1m)
//	after       how long after it is running the first one waits (0s, to 1h)
//	failures    how many in a row must fail (3, 1 to 100)
//	on_failure  none, or restart (none)
//
// One of tcp, http, command and image is needed. In Kubernetes every is periodSeconds, after is
// initialDelaySeconds, and failures is failureThreshold; in Compose every is interval, and failures is
// retries. One success is enough to be healthy.
//
// What is found is the condition Healthy, beside Running: True with ProbePassed, False with ProbeFailed and why,
// Unknown with Probing (nothing found yet), NotRunning or NotProbed. Its changes are the events Healthy and
// Unhealthy. Only these are recorded: a probe that finds the same again writes nothing. The condition decides
// nothing but on_failure: wait=running and the state do not depend on it.
//
// Probed is a process that runs and whose start pattern has matched: none that is paused, being stopped or
// installed, and none while the engine does not answer. The first probe waits up to 10 s longer, by chance, so
// that those of a node spread. A change of the check begins anew, and neither restarts nor recreates anything.
//
// With on_failure: restart an unhealthy process is stopped, as the spec says of a stop, and started again through
// the backoff of crashes: at once, then after 1 s doubling to 5 min. It needs another restart policy than never.
//
// TCP and HTTP go from the daemon to the container's own address, so they need the engine on the daemon's
// machine. A command that exceeds its time is killed with its process group; what it has put into a session of its own
// is not, and counts towards limits.pids. One that leaves something in the background ends when Docker gives up on the
// output of that, after 2 s: redirect it. A HEALTHCHECK that an
// image brings is never run by Docker; the condition shows it, and image: true has it run.
package health

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: health checks.
//
//go:embed doc.go
var Doc string
