package plan

import (
	"cmp"
	"fmt"
	"slices"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/drift"
	"lightd/observed/status"
)

// Simulation is what would follow from an input until nothing is left to do.
type Simulation struct {
	Steps []Step `json:"plan"`
	// Restarts is true when a process that runs would be ended, Recreates when its
	// container would be removed and another one made.
	Restarts  bool `json:"restarts"`
	Recreates bool `json:"recreates"`
	// Keeps and Loses name the data that outlives the steps, and that does not.
	Keeps []string `json:"keeps"`
	Loses []string `json:"loses"`
	// Waits is what stands in the way of the rest; nil when nothing does.
	Waits *Blocker `json:"waits,omitempty"`
	// Attempt is when the first of the steps, or what stands in the way, is tried again.
	Attempt
}

// Blocker is something that no step removes.
type Blocker struct {
	Reason  status.Reason `json:"reason"`
	Message string        `json:"message"`
}

// maxSimulated bounds the steps of a Simulation. None is that long.
const maxSimulated = 64

// Simulate returns what would follow from in if every step had its effect, and programs
// and scripts ended well. It decides as Decide does, from what each step would leave
// behind. Where Docker is unreachable it uses the last observation.
func Simulate(in Input) Simulation {
	in.CreationMark = cmp.Or(in.CreationMark, "simulated") // what is created is recognized
	p := &simulation{in: in, before: in, unsure: map[string]bool{},
		out: Simulation{Steps: []Step{}, Keeps: []string{}, Loses: []string{}}}
	if p.assumeUnknown() {
		for range 4 * maxSimulated {
			if !p.advance() || len(p.out.Steps) == maxSimulated {
				break
			}
		}
	}
	p.summarize()
	return p.out
}

// simulation is a Simulation in the making. before is the input as it was given.
type simulation struct {
	in, before Input
	out        Simulation
	// unsure are the images that were never inspected. ended is true when the process that runs has.
	unsure map[string]bool
	ended  bool
}

// assumeUnknown fills in what is not known, and reports whether the rest makes sense.
func (p *simulation) assumeUnknown() bool {
	seen := &p.in.Seen
	recorded := ""
	if seen.Run != nil {
		recorded = seen.Run.ContainerID
	}
	switch {
	case !seen.EngineUp:
		p.out.Waits = &Blocker{status.ReasonEngineDown, "the engine does not answer"}
	case !seen.Known && p.in.Status.ContainerID != recorded:
		p.out.Waits = &Blocker{status.ReasonProgressing, "the container has not been looked at yet"}
	}
	if !seen.Known && p.in.Status.ContainerID != recorded {
		return false
	}
	seen.Known, seen.EngineUp, p.in.VerifyMounts = true, true, false
	p.in.Node.DrainTurn = p.in.Node.Cordon != nil && p.in.Node.Cordon.Drain
	if !p.in.Image.Known {
		p.unsure[p.in.Spec.Image], p.in.Image.Known = true, true
	}
	if !p.in.InstallImage.Known {
		p.unsure[p.in.Spec.Installation().Image], p.in.InstallImage.Known = true, true
	}
	if !p.in.Snapshot.Known {
		p.in.Snapshot = observed.Image{Known: true, Present: true}
	}
	if !p.in.RunImage.Known {
		p.in.RunImage = observed.Image{Known: true, Present: true}
	}
	return true
}

// advance decides once, and lets what was decided happen. It reports whether anything did.
func (p *simulation) advance() bool {
	r := newPlanner(p.in)
	r.observe()
	n := r.next()
	if n.step != nil {
		r.recordIntent(*n.step)
	}
	r.setConditions(n)
	p.in.Status, p.in.PriorEvents = r.st, nil
	if n.step == nil {
		return p.wait(n)
	}
	step := *n.step
	if step.Kind == MeasureInstallation { // it changes nothing, and how often it is repeated is no plan
		p.apply(step)
		return true
	}
	p.noteBackoff(step)
	if step.Kind == PullImage && p.unsure[step.Image] {
		step.Reason = "it is not known whether image " + step.Image + " is on this machine"
	}
	p.out.Steps = append(p.out.Steps, step)
	p.apply(step)
	return step.Kind != Finalize
}

// noteBackoff names what the first step waits for when it has failed before.
func (p *simulation) noteBackoff(step Step) {
	held, failed := p.in.Held[step.Kind]
	if !failed || len(p.out.Steps) > 0 {
		return
	}
	p.out.Attempt = held
	if c := p.before.Status.Get(status.Synced); c.Reason != status.ReasonProgressing {
		p.out.Waits = &Blocker{c.Reason, c.Message}
	}
}

// wait lets time go by where that is all it takes.
func (p *simulation) wait(n next) bool {
	seen := &p.in.Seen
	if len(p.out.Steps) == 0 && p.out.Attempt == (Attempt{}) {
		p.out.Attempt = n.attempt
	}
	switch {
	case n.wait == "" && n.attempt == (Attempt{}):
		return false
	case n.wait == "", n.wait == status.ReasonBackOff, n.wait == status.ReasonProgressing && n.attempt != (Attempt{}):
		p.in.Now = p.in.Now.Add(n.after)
		return true
	case n.wait != status.ReasonProgressing && n.wait != status.ReasonDeleting:
		if p.out.Waits == nil {
			p.out.Waits = &Blocker{n.wait, n.message}
		}
		if n.pending != "" && n.attempt != (Attempt{}) && len(p.out.Steps) == 0 {
			p.out.Steps = append(p.out.Steps, Step{Kind: n.pending, Reason: "tried again after: " + n.message})
		}
		return false
	case seen.Install != nil && seen.Install.Phase == observed.Removing:
		seen.Install = nil
	case seen.Run != nil && seen.Run.Phase == observed.Removing:
		seen.Run = nil
	case seen.Install.Running():
		p.exit(&seen.Install, 0)
	case p.in.Status.Stopping != nil && seen.Run.Running():
		p.end(143)
	case p.in.Image.Pulling:
		p.in.Image.Pulling = false
		p.pulled(p.in.Spec.Image)
	case p.in.InstallImage.Pulling:
		p.in.InstallImage.Pulling = false
		p.pulled(InstallImage(p.in.Spec, p.in.Status))
	default:
		return false
	}
	return true
}

// apply changes the input to what it would be after a step. A simulation has no step without a
// case: VerifyMounts is not decided in one, and Finalize ends it.
func (p *simulation) apply(s Step) {
	seen, st := &p.in.Seen, &p.in.Status
	switch s.Kind {
	case PullImage:
		p.pulled(s.Image)
	case CreateInstallContainer:
		seen.Install = p.fakeContainer(observed.RoleInstall, s.Image)
	case StartInstallScript:
		p.start(&seen.Install)
		p.exit(&seen.Install, 0)
	case MeasureInstallation:
		st.Install.MeasuredAt, st.Install.Measured = p.in.Now, !seen.Install.Running()
	case KillInstallScript:
		p.exit(&seen.Install, 137)
	case KeepInstallation:
		st.Install.Phase, st.Install.OutputSaved = status.InstallKept, true
		if st.Install.Separate {
			break
		}
		st.Install.Snapshot = "the installation"
		p.in.Snapshot = observed.Image{Known: true, Present: true}
	case SaveInstallOutput:
		st.Install.OutputSaved = true
	case RemoveInstallContainer:
		seen.Install = nil
	case RestoreSnapshot, LoadSnapshot:
		p.in.Snapshot.Present = true
	case WriteEntrypoint:
		p.in.EntrypointOK = true
	case CheckHost:
		p.in.Host = HostCheck{Hash: p.in.Spec.Hash((&planner{in: p.in, st: *st}).image()), At: p.in.Now}
	case CreateContainer:
		seen.Run = p.fakeContainer(observed.RoleRun, s.Image)
	case UpdateLimits:
		now := changed(&seen.Run)
		now.Limits, now.Enforced, now.RestartPolicy = p.in.Spec.Limits, nil, blueprint.RestartPolicy
	case StartContainer:
		p.start(&seen.Run)
		p.in.Matched, p.in.Health = true, observed.Health{}
	case UnpauseContainer:
		p.unpause(s.Target)
	case RenameContainer:
		changed(&seen.Run).Name = observed.RunName(p.in.Spec.InternalID)
	case StopContainer:
		st.Stopping.Sent = true
		p.end(143)
	case KillContainer:
		st.Stopping.KilledAt = p.in.Now
		p.end(137)
	case RemoveContainer:
		seen.Run = nil
	case ReleasePorts:
		p.releasePorts()
	}
}

func (p *simulation) pulled(ref string) {
	if ref == p.in.Spec.Image {
		p.in.Image.Present, p.in.Image.PullError, p.in.Image.PulledAt = true, "", p.in.Now
	}
	if ref == InstallImage(p.in.Spec, p.in.Status) {
		p.in.InstallImage.Present, p.in.InstallImage.PullError, p.in.InstallImage.PulledAt = true, "", p.in.Now
	}
}

func (p *simulation) unpause(target string) {
	for _, c := range []**observed.Container{&p.in.Seen.Run, &p.in.Seen.Install} {
		if *c != nil && (*c).ContainerID == target {
			changed(c).Phase = observed.Running
		}
	}
}

func (p *simulation) releasePorts() {
	free := Releasable(p.in.Spec, p.in.Seen.Run)
	p.in.Spec.Releasing = slices.DeleteFunc(slices.Clone(p.in.Spec.Releasing), func(port desired.Port) bool {
		return slices.Contains(free, port.Endpoint())
	})
}

// fakeContainer is a container as a step makes it.
func (p *simulation) fakeContainer(role observed.Role, ref string) *observed.Container {
	id, install := fmt.Sprintf("projected-%d", len(p.out.Steps)), p.in.Status.Install
	if role == observed.RoleInstall {
		b, image := blueprint.Install(p.in.Spec, p.in.HostPaths, ref, install.Request).WithCreationMark(p.in.Status.CreationMark), p.in.InstallImage
		if !install.Separate {
			image = p.in.Image
			b = b.WithImageVolumes(p.in.HostPaths, image.Volumes)
		}
		return b.AsCreated(id, image)
	}
	image := p.in.Image
	if ref == install.Snapshot {
		image = p.in.Snapshot
	}
	return blueprint.Run(p.in.Spec, p.in.HostPaths, ref, install.Request).
		WithImageVolumes(p.in.HostPaths, image.Volumes).WithCreationMark(p.in.Status.CreationMark).AsCreated(id, image)
}

func (p *simulation) start(c **observed.Container) {
	now := changed(c)
	now.Phase, now.StartedAt, now.Published = observed.Running, p.in.Now, now.Binds
}

func (p *simulation) exit(c **observed.Container, code int) {
	now := changed(c)
	now.Phase, now.FinishedAt, now.ExitCode, now.OOMKilled = observed.Exited, p.in.Now, code, false
}

// end is the end of the process.
func (p *simulation) end(code int) {
	p.exit(&p.in.Seen.Run, code)
	p.ended = true
}

// changed puts a copy in the place of a container that others read.
func changed(c **observed.Container) *observed.Container {
	now := **c
	*c = &now
	return &now
}

func (p *simulation) includes(kinds ...Kind) bool {
	return slices.ContainsFunc(p.out.Steps, func(s Step) bool { return slices.Contains(kinds, s.Kind) })
}

// summarize describes what the steps mean for the process and its data.
func (p *simulation) summarize() {
	was, install := p.before.Seen.Run, p.before.Status.Install
	p.out.Restarts = was.Running() && p.ended
	p.out.Recreates = was != nil && p.includes(CreateContainer)
	p.out.Keeps = append(p.out.Keeps, "volume "+p.before.Spec.VolumeID)
	if was != nil && p.includes(CreateContainer, RemoveContainer) {
		p.out.Loses = append(p.out.Loses, "what the process wrote outside its volume and mounts")
	}
	p.summarizeVolumes()
	if install.Snapshot == "" {
		return
	}
	kept := "what the install script changed outside the volume"
	switch {
	case p.before.Spec.Deleting, p.in.Status.Install.Request != install.Request, install.RunImage(p.before.Spec.Image) != install.Snapshot:
		p.out.Loses = append(p.out.Loses, kept)
	default:
		p.out.Keeps = append(p.out.Keeps, kept)
	}
}

// summarizeVolumes describes what becomes of the data below the VOLUME paths of the image.
func (p *simulation) summarizeVolumes() {
	was := p.before.Seen.Run
	if was == nil {
		return
	}
	for _, m := range was.Mounts {
		name := "what is below " + m.Target + ", a VOLUME of the image"
		switch {
		case drift.IsAnonymous(m) && p.includes(RemoveContainer):
			p.out.Loses = append(p.out.Loses, name)
		case !blueprint.IsImageVolume(m):
		case p.before.Spec.Deleting:
			p.out.Loses = append(p.out.Loses, name)
		default:
			p.out.Keeps = append(p.out.Keeps, name)
		}
	}
}
