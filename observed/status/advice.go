package status

import (
	"strings"

	"lightd/observed"
)

// Advice is what is done about a reason. Of what is as it should be, or ends by itself, both are empty.
type Advice struct {
	// Does is what the daemon does by itself.
	Does string
	// Can is what a person can do. ID and VOLUME stand for those of the container.
	Can string
}

// Advice returns what is done about r.
func (r Reason) Advice() Advice { return advice[r] }

// Advice returns what is done about c: where its message says why an image could not be pulled, or what has a port,
// what can be done about that.
func (c Condition) Advice() Advice {
	switch a := c.Reason.Advice(); c.Reason {
	case ReasonImageUnavailable:
		return a.pullFault(observed.PullFaultIn(c.Message))
	case ReasonPortUnavailable:
		return a.portHolder(c.Message)
	default:
		return a
	}
}

// pullFault returns a with what is done about a fault of a pull; fault is empty where none is known.
func (a Advice) pullFault(fault observed.PullFault) Advice {
	if fault == "" {
		return a
	}
	a.Does, a.Can = "Lightd tries again every 30 s", fault.Remedy()
	if fault.Answered() {
		a.Does = "Lightd tries again after 30 s, doubling to 5 min"
	}
	return a
}

// portHolder returns a with what can be done about the holder that message names.
func (a Advice) portHolder(message string) Advice {
	switch {
	case strings.Contains(message, "does not have that address"), strings.Contains(message, "cannot assign requested address"):
		return Advice{"Lightd tries again every 15 s", `give the machine that address, or the container another one with "lightd rebind ID -p ADDRESS:PORT"`}
	case strings.Contains(message, "by docker-proxy (pid "):
		a.Can = `stop the container that "docker ps" shows with that port, or take another one with "lightd rebind ID -p PORT"; where none has it, the engine holds the port until it is restarted`
	case strings.Contains(message, "(pid "):
		a.Can = `end that program, or take another port with "lightd rebind ID -p PORT"`
	}
	return a
}

// OutOfMemory returns a with what can be done about a process that the kernel ended for memory; limited is
// true where the container has a limit of it.
func (a Advice) OutOfMemory(limited bool) Advice {
	a.Can = "the machine has too little memory: end something on it, or bound its containers with limits.memory"
	if limited {
		a.Can = `give it more with limits.memory of the spec ("lightd edit ID"), or have the program take less`
	}
	return a
}

// OverQuota returns a with what is done about a process whose volume is over its quota: stops is true where the spec
// says to stop it, and wanted where it is to run.
func (a Advice) OverQuota(stops, wanted bool) Advice {
	switch {
	case !stops:
		a.Does = "Lightd stops nothing, as quota_exceeded of the spec is tell"
	case wanted:
		a.Does = "Lightd starts it once the volume is below 95 % of its quota"
	default:
		a.Does = "nothing starts it until the volume is below 95 % of its quota"
	}
	return a
}

// advice has a row for every reason that there is.
var advice = map[Reason]Advice{
	ReasonInstalling:          {},
	ReasonInstalled:           {},
	ReasonInstallScriptFailed: {Does: "Lightd does not run it again by itself", Can: `read its output with "lightd logs --install ID", correct the script with "lightd edit ID", and run "lightd reinstall ID"`},
	ReasonInstallTimeout:      {Does: "Lightd does not run it again by itself", Can: `see where it hung with "lightd logs --install ID", or raise install.timeout of the spec (else timeouts.install of the daemon counts); then "lightd reinstall ID"`},
	ReasonInstallInterrupted:  {Does: "Lightd does not repeat a script that was cut off", Can: `run it again with "lightd reinstall ID"`},
	ReasonStopped:             {},
	ReasonSuspended:           {Can: `lift it with "lightd patch ID -p '{suspended: false}'"`},
	ReasonStarting:            {},
	ReasonStarted:             {},
	ReasonStopping:            {},
	ReasonExited:              {Can: `read what it printed with "lightd logs ID"; "lightd start ID" starts it`},
	ReasonBackOff:             {Does: "each restart waits longer, up to 5 min", Can: `read why it ends with "lightd logs ID"; "lightd start ID" starts it now`},
	ReasonWaitingForPattern:   {Does: "Lightd goes on matching its output", Can: `compare start_pattern with what it prints ("lightd logs ID"), and correct it with "lightd edit ID"`},
	ReasonPatternMatched:      {},
	ReasonNoPattern:           {},
	ReasonProbing:             {},
	ReasonProbePassed:         {},
	ReasonProbeFailed:         {Does: "Lightd repeats the check as the spec says", Can: `read what the program prints with "lightd logs ID", and compare "health" in the spec with it`},
	ReasonNotRunning:          {},
	ReasonNotProbed:           {},
	ReasonOverQuota:           {Can: `delete files of the volume, or raise its quota with "lightd volume quota VOLUME SIZE"`},
	ReasonWithinQuota:         {},
	ReasonNotMeasured:         {},
	ReasonSynced:              {},
	ReasonProgressing:         {},
	ReasonPaused:              {Does: "Lightd touches nothing", Can: `end that with "lightd patch ID -p '{paused: false}'"`},
	ReasonDeleting:            {},
	ReasonEngineDown:          {Does: "what runs goes on running, and Lightd connects again by itself", Can: `"systemctl status docker" on the daemon's machine shows why; start it, or, where it hangs, restart it (without live-restore that ends containers, which Lightd starts again)`},
	ReasonStepFailed:          {Does: "Lightd tries again after 0.5 s, doubling to 5 min", Can: `read more in the log of the engine on the daemon's machine with "journalctl -u docker"`},
	ReasonImageUnavailable:    {Does: "Lightd tries again every 30 s, or up to 5 min apart where the registry refuses", Can: `check the name of the image; "docker pull" of it on the daemon's machine shows more; for a private registry, see "lightd docs registries"; or load it with "docker load"`},
	ReasonImageNotPresent:     {Does: "Lightd goes on as soon as the image is there", Can: `put the image on the daemon's machine with "docker load" or "docker pull", or let the spec have "image_pull: missing"`},
	ReasonPortUnavailable:     {Does: "Lightd tries again as soon as the port is free, and every 15 s", Can: `"ss -ltunp" shows what has the port: end it, or take another port with "lightd rebind ID -p PORT"; where it shows nothing, the engine holds the port until it is restarted`},
	ReasonPortNotPublished:    {Does: "Lightd leaves the process running", Can: `see whether the engine publishes ports at all, and the networks of the container in "docker inspect"`},
	ReasonLimitNotEnforced:    {Does: "Lightd requests the limit again after a minute, doubling to an hour", Can: `see the warnings of "docker info" on the daemon's machine; "lightd restart ID" removes a limit that somebody wrote by hand`},
	ReasonMountUnavailable:    {Does: "Lightd tries again every 15 s", Can: `create or mount what is missing on the daemon's machine, and put back what a link replaced; where a directory was exchanged, as by a restore, "lightd restart ID" mounts the present one`},
	ReasonNetworkUnavailable:  {Does: "Lightd tries again every 15 s", Can: `where it is the network "lightd", remove the other one of that name with "docker network rm"; make one that the spec names with "docker network create"`},
	ReasonMountEscaped:        {Does: "Lightd killed the process, and starts it again after 15 s, doubling", Can: `find out on the daemon's machine who replaced the source, or put a link there; after a rename of your own nothing is to be done`},
	ReasonNameTaken:           {Does: "Lightd leaves the other container alone, and tries the name again every 15 s", Can: `"docker rename" or "docker rm" the container that has the name`},
	ReasonRefused:             {Does: "Lightd tries nothing until the spec changes", Can: `correct the spec as the message says with "lightd edit ID"; "lightd explain" has every field`},
	ReasonImageUnsuitable:     {Does: "Lightd tries nothing until the spec, or what the tag means, changes", Can: `take an image that has /bin/sh and is made for this machine: "lightd edit ID"`},
	ReasonImageNotAllowed:     {Does: "Lightd checks it again every 15 s, a registry every 30 s", Can: `take another image ("lightd edit ID"), or have the operator of the node list its registry in images.allowed`},
	ReasonInstallFailed:       {Does: "Lightd tries nothing until a reinstall, or another image"},
	ReasonInstallLost:         {Does: "a container that is there goes on", Can: `load the image again if you have it, else "lightd reinstall ID"`},
	ReasonDiskFull:            {Does: "Lightd tries again every 4 s; stops and deletions work", Can: `make room on the disk that the message names`},
	ReasonNodeCordoned:        {Does: "Lightd starts, pulls, installs and recreates nothing until the cordon ends; stops and deletions work", Can: `end it with "lightd uncordon"`},
	ReasonNodeDrained:         {Does: "Lightd stops what runs, and starts nothing until the cordon ends", Can: `"lightd uncordon" starts all that should run`},
	// What to do is in the message of both: desired.DiskFullError.
	ReasonRecording:  {Does: "Lightd heals what runs, stops and deletes, and refuses other changes until there is room"},
	ReasonUnrecorded: {Does: "Lightd heals what runs, and records what it decides once there is room"},
}
