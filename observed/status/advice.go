package status

import "lightd/observed"

// Advice is what is done about a reason. Of what is as it should be, or ends by itself, both are empty.
type Advice struct {
	// Does is what the daemon does by itself.
	Does string
	// Can is what a person can do. ID and VOLUME stand for those of the container.
	Can string
}

// Advice returns what is done about r.
func (r Reason) Advice() Advice { return advice[r] }

// Advice returns what is done about c: where its message says why an image could not be pulled, what can be done
// about that.
func (c Condition) Advice() Advice {
	a, fault := c.Reason.Advice(), observed.PullFaultIn(c.Message)
	if c.Reason != ReasonImageUnavailable || fault == "" {
		return a
	}
	a.Does, a.Can = "it is tried again every 30 s", fault.Remedy()
	if fault.Answered() {
		a.Does = "it is tried again after 30 s, and then ever later, up to 5 min apart"
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
		a.Does = "nothing is stopped for it, as quota_exceeded of the spec is tell"
	case wanted:
		a.Does = "it starts by itself once the volume is below 95 % of its quota"
	default:
		a.Does = "nothing starts it until the volume is below 95 % of its quota"
	}
	return a
}

// advice has a row for every reason that there is.
var advice = map[Reason]Advice{
	ReasonInstalling:          {},
	ReasonInstalled:           {},
	ReasonInstallScriptFailed: {Does: "nothing is tried again by itself", Can: `read what it printed with "lightd logs --install ID", mend the script, and then "lightd reinstall ID"`},
	ReasonInstallTimeout:      {Does: "nothing is tried again by itself", Can: `see where it hung with "lightd logs --install ID"; the longest time is install.timeout of the spec, else timeouts.install of the daemon; then "lightd reinstall ID"`},
	ReasonInstallInterrupted:  {Does: "a script that was cut off by the engine or the machine never runs twice by itself", Can: `run it again with "lightd reinstall ID"`},
	ReasonStopped:             {},
	ReasonSuspended:           {Does: "every start is refused", Can: `lift it by a write with "suspended: false"`},
	ReasonStarting:            {},
	ReasonStarted:             {},
	ReasonStopping:            {},
	ReasonExited:              {Can: `read what it printed with "lightd logs ID"; "lightd start ID" starts it`},
	ReasonBackOff:             {Does: "it is started again ever later, up to 5 min apart", Can: `read why it ends with "lightd logs ID"; "lightd start ID" tries it at once`},
	ReasonWaitingForPattern:   {Does: "the output goes on being matched", Can: `compare start_pattern with what it prints ("lightd logs ID"), and apply the spec with one that matches`},
	ReasonPatternMatched:      {},
	ReasonNoPattern:           {},
	ReasonProbing:             {},
	ReasonProbePassed:         {},
	ReasonProbeFailed:         {Does: "it is checked again as the spec says", Can: `read what the program prints with "lightd logs ID", and compare "health" in the spec with it`},
	ReasonNotRunning:          {},
	ReasonNotProbed:           {},
	ReasonOverQuota:           {Can: `delete files of the volume, or raise its quota with "lightd volume quota VOLUME SIZE"`},
	ReasonWithinQuota:         {},
	ReasonNotMeasured:         {},
	ReasonSynced:              {},
	ReasonProgressing:         {},
	ReasonPaused:              {Does: "nothing is touched", Can: `end that by a write with "paused: false"`},
	ReasonDeleting:            {},
	ReasonEngineDown:          {Does: "it is asked again and again, and what runs goes on running", Can: `see on the daemon's machine with "systemctl status docker" why, and start it, or restart one that hangs with "systemctl restart docker"`},
	ReasonStepFailed:          {Does: "it is tried again with growing pauses", Can: `read more in the log of the engine on the daemon's machine with "journalctl -u docker"`},
	ReasonImageUnavailable:    {Does: "it is tried again every 30 s, and at most every 5 min where the registry refuses", Can: `check the name of the image; "docker pull" on the daemon's machine shows whether it gets it; for a private registry, see "lightd docs registries"; or load it with "docker load"`},
	ReasonImageNotPresent:     {Does: "it goes on as soon as the image is there", Can: `put the image on the daemon's machine with "docker load" or "docker pull", or let the spec have "image_pull: missing"`},
	ReasonPortUnavailable:     {Does: "it is tried again as soon as the port is free, and every 15 s", Can: `end what has the port ("ss -ltunp" shows it), or give it another one with "lightd rebind ID -p PORT"; where nothing has it, the engine has kept it, and frees it when it is restarted`},
	ReasonPortNotPublished:    {Does: "the process is left running", Can: `see whether the engine publishes ports at all, and the networks of the container in "docker inspect"`},
	ReasonLimitNotEnforced:    {Does: "Docker is asked again after a minute, doubling to an hour", Can: `see the warnings of "docker info" on the daemon's machine; a restart takes away what somebody wrote by hand: "lightd restart ID"`},
	ReasonMountUnavailable:    {Does: "it is tried again every 15 s", Can: `make or mount what is missing on the daemon's machine, and put back what a link replaced; a process with a directory of before, as after a restore, gets the present one with "lightd restart ID"`},
	ReasonNetworkUnavailable:  {Does: "it is tried again every 15 s", Can: `of Lightd's own network, "docker network rm" the one in its place; the operator's, "docker network create" it`},
	ReasonMountEscaped:        {Does: "the process was killed, and is started again ever later once the host is right", Can: `see on the daemon's machine who put something else, or a link, at the source; a rename that was yours needs nothing: the next start has what is there then`},
	ReasonNameTaken:           {Does: "the other container is left alone, and the name is tried again every 15 s", Can: `"docker rename" or "docker rm" the container that has the name`},
	ReasonRefused:             {Does: "nothing is tried until the spec changes", Can: `change the spec as the message says, and apply it; "lightd explain" has every field`},
	ReasonImageUnsuitable:     {Does: "nothing is tried until the spec, or what the tag means, changes", Can: `take an image that has /bin/sh and is made for this machine, and apply the spec with it`},
	ReasonImageNotAllowed:     {Does: "it is checked again every 15 s, a registry every 30 s", Can: `take another image, and apply the spec with it; or have the operator of the node allow this one`},
	ReasonInstallFailed:       {Does: "nothing is tried until a reinstall, or another image"},
	ReasonInstallLost:         {Does: "a container that is there goes on", Can: `load the image again if you have it, else "lightd reinstall ID"`},
	ReasonDiskFull:            {Does: "it is tried again every 4 s, and stopping and deleting go on", Can: `make room on the disk that the message names`},
	ReasonNodeCordoned:        {Does: "nothing is started, pulled, installed or recreated until that ends; stops and deletions go on", Can: `end it with "lightd uncordon"`},
	ReasonNodeDrained:         {Does: "what runs is stopped, some at once, and nothing is started until that ends", Can: `start all that should run again with "lightd uncordon"`},
	ReasonRecording:           {Does: "what runs goes on and is healed, and stopping and deleting go on", Can: `make room on the disk that the message names`},
	ReasonUnrecorded:          {Does: "what is decided is recorded once there is room", Can: `make room on the disk that the message names`},
}
