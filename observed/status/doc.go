// Package status is what is recorded of a container: its conditions with their reasons, what
// its process does, and how far an installation is. Package records stores it.
//
// # States
//
// install_state is installing, ready or failed. It follows from the condition Installed, and is
// failed too where Docker refuses the container as specified. state is what the process does:
//
//	offline    there is no process
//	starting   it starts, or its start pattern has not matched yet
//	running    the start pattern has matched, or there is none
//	stopping   it was asked to end
//	backoff    it ended several times in a row; the next start waits
//	unknown    the engine cannot be reached
//
// While the engine cannot be reached, Started, Running, Healthy and Synced are Unknown with the reason
// EngineUnavailable.
//
// summary says all that in one sentence for a person: how the container is, since when and why, what the
// daemon does about it, and what can be done. "lightd describe" begins with it, and "lightd get -o wide"
// ends with it. It has nothing of what programs and scripts print, as a token with the scope read sees it:
// "lightd describe" shows that right below it to those who may.
//
// # Conditions
//
// Conditions say why. Reasons are stable words; messages are for people, and change only when the
// cause does.
//
//   - Installed: the installation is complete. False with Installing, InstallScriptFailed,
//     InstallTimeout, InstallInterrupted, MountEscaped, RefusedByEngine or ImageUnsuitable.
//   - Started: the process is up. True with Started or Stopping; False with Stopped (it never ran),
//     Suspended (as the spec says), OverQuota, NodeCordoned or NodeDrained (it would be started
//     otherwise), Starting, BackOff or Exited.
//   - Running: the start pattern has matched too. True with PatternMatched or NoPattern; False as
//     Started, and with WaitingForPattern.
//   - Healthy: the health check passes; absent where neither the spec nor the image has one. True with
//     ProbePassed, False with ProbeFailed; Unknown with Probing (no result yet), NotRunning, or
//     NotProbed (the image has a HEALTHCHECK that the spec leaves alone). See "lightd docs health".
//   - Synced: Docker is as the spec says. False with a reason of the next section.
//   - QuotaExceeded: the volume is over its quota; absent where it has none. True with OverQuota, False with
//     WithinQuota, Unknown with NotMeasured. With quota_exceeded: stop in the spec, Started and Running are
//     False with OverQuota meanwhile. See "lightd docs quotas".
//   - DiskFull: present only while the disk of the data directory is full. True with Recording, or
//     with Unrecorded where the status is shown from memory.
//
// Where a failed step, a backoff or the host delays the next step, GET /containers/:id and its plan
// have next_attempt_at, and attempt, the number of that try. A watch has neither: a try that fails
// like the one before makes no revision.
//
// # Why Synced is False
//
//   - Progressing: a step is running or waits for its turn. The message says which, and every 2 s
//     how far a pull is.
//   - BackOff: the process ends again and again. The next start waits 1 s, doubling to 5 min; a
//     start request ends the wait.
//   - ImageUnavailable: pulled, or loaded from its copy, again every 30 s, and at once after a write
//     or a start; after the same answer of a registry 30 s later, doubling to 5 min. A container that
//     exists stays as it is. The message is one of few sentences; what the engine answered is in the
//     log of the daemon alone. See "lightd docs images".
//   - ImageNotPresent: the image is not on the machine, and image_pull of the spec is never. It goes on
//     as soon as somebody loads or pulls the image.
//   - PortUnavailable, MountUnavailable: something on the host is in the way. It is checked every
//     15 s; the old container is untouched.
//   - PortNotPublished: the process runs, and the engine does not publish one of its ports (a
//     container of an earlier version, where its daemon.json has "bridge": "none", for instance).
//     Nothing is restarted.
//   - LimitNotEnforced: the process runs, and the kernel enforces another limit of memory, CPU or
//     processes than the spec has, although Docker was asked to change it. The request is repeated
//     after a minute, doubling to an hour.
//   - MountEscaped: what was mounted is not what the path led to before the start. The process was
//     killed at once. It is started again after 15 s, doubling to 5 min, once the host is right again,
//     or at once with another spec.
//   - NameTaken: a container of somebody else has the name. It is left alone until it gives the name
//     back.
//   - DiskFull: a disk is full; the message says which. Repeated every 4 s.
//   - StepFailed: Docker failed. Repeated with growing pauses.
//   - RefusedByEngine: Docker rejects the spec (an unknown user, for instance). Nothing happens until
//     the spec changes.
//   - ImageUnsuitable: the image has no /bin/sh, or is for another architecture. Nothing happens
//     until the spec changes, or what its tag means.
//   - NetworkUnavailable: the network that the container is on cannot be made, somebody else has
//     made one of its name, or one that the spec names is not there. It is tried again every 15 s.
//   - ImageNotAllowed: the image is what another container's installation left, or comes from where
//     the operator allows none from: a registry whose name leads to an address that is not public,
//     for instance. It is checked every 15 s, a registry every 30 s; a container that exists stays as it is.
//   - InstallationFailed: nothing happens until a reinstall, or another image.
//   - InstallationLost: the image with the result of the install script is gone, and so is its copy
//     in the data directory. An existing container goes on; a new one needs a "docker load" or a
//     reinstall.
//   - Paused, Deleting: as the spec says.
//   - NodeCordoned, NodeDrained: the operator has put the node out of service. What the spec lacks waits
//     until that ends. See "lightd docs node".
//
// # Events
//
// An event has a seq that only grows, and is written in one transaction with the change that it
// reports. The newest 1,000 events of each container are kept, for 7 days, and the newest 20,000 of all
// containers together that are deleted.
//
//   - Installation, in this order: Started, CreatingContainer, ContainerCreated,
//     RunningInstallScript, InstallScriptComplete, SettingUpEntrypoint, Ready; or Error at any point.
//     Around it: PullingImage, ImagePulled, ReinstallStarted.
//   - Process: Starting, Running, Stopping, Exited, OOMKilled (of an installation too), BackOff, and
//     PIDsLimitReached, once a run, when the container is next inspected. Healthy and Unhealthy:
//     what the health check finds has changed.
//   - What keeps it from its spec, once for each cause: PullFailed (of image_pull: always too, where the
//     image that is here is used), StepFailed (Docker failed),
//     Blocked (a port, mount, network, name, image or limit that only somebody else can provide).
//   - Changes: RebindStarted, RemovingOldContainer, LimitsUpdated, CreationWarning (a warning of the
//     engine at a creation or a change of limits), VolumeOwnerChanged (the volume, with all that is in it, was given to the
//     user of the spec).
//   - From outside: ContainerLost, DriftDetected, SnapshotNotCopied, MountEscaped.
//   - Suspended and Unsuspended: the spec says so, and no longer.
//   - QuotaExceeded and QuotaRecovered: the volume is over its quota, and no longer.
//   - End: Deleting, Deleted.
//   - Of the node, with an empty internal_id: DiskLow, DiskFull, DiskRecovered, FirewallMissing,
//     FirewallRestored, NodeCordoned (a cordon was written or changed), NodeDrained (a drain has left
//     nothing running), NodeUncordoned, ImageRemoved (it was unused: "lightd docs images").
package status

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: states, conditions and events.
//
//go:embed doc.go
var Doc string
