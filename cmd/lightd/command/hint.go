package command

import (
	"strings"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/observed/status"
)

// none marks a reason that calls for nothing: it is as it should be, or ends by itself.
const none = ""

// hints is what a person can do about a condition, for every reason that there is. ID stands for
// the container.
var hints = map[status.Reason]string{
	status.ReasonInstalling:          none,
	status.ReasonInstalled:           none,
	status.ReasonInstallScriptFailed: `read what it printed with "lightd logs --install ID", mend the script, and then "lightd reinstall ID"`,
	status.ReasonInstallTimeout:      `see where it hung with "lightd logs --install ID"; the longest time is install.timeout of the spec, else timeouts.install of the daemon; then "lightd reinstall ID"`,
	status.ReasonInstallInterrupted:  `the engine or the machine went down during it, and a script never runs twice by itself: "lightd reinstall ID"`,

	status.ReasonStopped:           none,
	status.ReasonSuspended:         `nothing starts until the spec says "suspended: false"`,
	status.ReasonStarting:          none,
	status.ReasonStarted:           none,
	status.ReasonStopping:          none,
	status.ReasonExited:            `read what it printed with "lightd logs ID"; "lightd start ID" starts it`,
	status.ReasonBackOff:           `read why it ends with "lightd logs ID"; "lightd start ID" tries it at once`,
	status.ReasonWaitingForPattern: `the process is up, and no line has matched start_pattern: compare it with "lightd logs ID"`,
	status.ReasonPatternMatched:    none,
	status.ReasonNoPattern:         none,

	status.ReasonProbing:     none,
	status.ReasonProbePassed: none,
	status.ReasonProbeFailed: `the message says what fails; read what the program prints with "lightd logs ID", and compare "health" in the spec with it`,
	status.ReasonNotRunning:  none,
	status.ReasonNotProbed:   none,

	status.ReasonOverQuota:   `delete files of the volume, or raise its quota: "lightd volume quota VOLUME SIZE"; what was stopped for it starts again by itself`,
	status.ReasonWithinQuota: none,
	status.ReasonNotMeasured: none,

	status.ReasonSynced:             none,
	status.ReasonProgressing:        none,
	status.ReasonPaused:             `nothing is touched until the spec says "paused: false"`,
	status.ReasonDeleting:           none,
	status.ReasonEngineDown:         `see to the engine on the daemon's machine: "systemctl status docker"; nothing is lost meanwhile`,
	status.ReasonStepFailed:         `Docker failed, and is tried again by itself; its own log says more: "journalctl -u docker"`,
	status.ReasonImageUnavailable:   `check the name of the image and whether the machine reaches its registry: "docker pull IMAGE"; or load it with "docker load"`,
	status.ReasonPortUnavailable:    `find who has the port with "ss -ltnup", and end that; or give it another one with "lightd rebind ID -p PORT"`,
	status.ReasonPortNotPublished:   `the engine publishes no ports: see its configuration, and the networks of the container in "docker inspect"`,
	status.ReasonLimitNotEnforced:   `see the warnings of "docker info" on the daemon's machine; a restart takes away what somebody wrote by hand: "lightd restart ID"`,
	status.ReasonMountUnavailable:   `on the daemon's machine, make or mount what is missing; what was replaced by a link, put back as it was`,
	status.ReasonNetworkUnavailable: `of Lightd's own network, "docker network rm" the one in its place; the operator's, "docker network create" it; it is tried again within 15 s`,
	status.ReasonNameTaken:          `"docker rename" or "docker rm" the container that has the name`,
	status.ReasonRefused:            `change the spec as the message says, and apply it; "lightd explain" has every field`,
	status.ReasonImageUnsuitable:    `take an image that has /bin/sh and is made for this machine, and apply the spec with it`,
	status.ReasonImageNotAllowed:    `take another image, and apply the spec with it; or have the operator of the node allow this one`,
	status.ReasonInstallFailed:      none, // the reason of the condition Installed has the hint
	status.ReasonInstallLost:        `load the image again if you have it, else "lightd reinstall ID"`,

	"MountEscaped": `somebody put a link in the way of a mount: look at the source on the daemon's machine before you start it again`,
	"Recording":    none,
	"Unrecorded":   `make room on the disk that the message names; what is shown is not recorded yet`,
	"DiskFull":     `make room on the disk that the message names; stopping and deleting go on meanwhile`,
}

// hintsFor are what can be done about a container, once for each reason, in the order of its
// conditions. What is as it should be has none.
func hintsFor(c api.Container) []string {
	var found []string
	seen := map[status.Reason]bool{}
	for _, condition := range c.Conditions {
		if seen[condition.Reason] {
			continue
		}
		seen[condition.Reason] = true
		text := hints[condition.Reason]
		if condition.Reason == status.ReasonExited && c.Spec().EffectivePower() != desired.PowerRunning {
			continue // it was to end
		}
		if text != none {
			found = append(found, string(condition.Reason)+": "+strings.ReplaceAll(strings.ReplaceAll(text, "ID", c.InternalID), "IMAGE", c.Image))
		}
	}
	return found
}
