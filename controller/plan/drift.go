package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/drift"
	"lightd/observed/status"
)

// Field is one that differs from the spec, and what becomes of it.
type Field struct {
	// Path is in the words of the spec, dotted.
	Path string `json:"path"`
	// Desired and Observed are nil for what is not there.
	Desired  any `json:"desired"`
	Observed any `json:"observed"`
	// Since is when it was first seen to differ.
	Since time.Time `json:"since"`
	// Step is what fixes it; empty when nothing is done about it. A recreated container is
	// named by its CreateContainer.
	Step Kind       `json:"step"`
	Kind drift.Kind `json:"kind"`

	// futile is true when the container was recreated for it, which did not help.
	futile bool
}

// The paths of what is not a field of a container in Docker.
const (
	pathPower        = "power"
	pathRestart      = "restart"
	pathEntrypoint   = "entrypoint.sh"
	pathInstallation = "installation"
	pathPublished    = "ports.published"
	pathContainerID  = "container_id"
)

// Drift returns where what is seen differs from what should be, by the same reading that
// Decide acts on: a container that Decide calls synced has no field of kind drift.Spec, and
// one that it takes a step for has the field that the step is for, but for ports that are
// only given back. known is false when Docker cannot be seen.
func Drift(in Input) (fields []Field, known bool) {
	if !in.Seen.Known || !in.Seen.EngineUp {
		return nil, false
	}
	r := newPlanner(in)
	r.observe()
	return r.report(), true
}

// noteDrift records since when what differs does.
func (r *planner) noteDrift() {
	r.st.Differs = nil
	for _, f := range r.report() {
		if r.st.Differs == nil {
			r.st.Differs = map[string]time.Time{}
		}
		r.st.Differs[f.Path] = f.Since
	}
	if r.in.Seen.Run != nil && r.fits() {
		// What is gone, it helped against.
		r.st.IneffectiveFixes = slices.DeleteFunc(slices.Clone(r.st.IneffectiveFixes), func(reason string) bool {
			return !slices.Contains(r.reasons(), reason)
		})
		if len(r.st.IneffectiveFixes) == 0 {
			r.st.IneffectiveFixes, r.st.RecreatedFrom = nil, ""
		}
	}
}

// report lists what differs, each with its time and its step.
func (r *planner) report() []Field {
	var list []Field
	switch {
	case r.in.Spec.Deleting:
		list = []Field{{Path: drift.Presence, Desired: false, Observed: true, Step: RemoveContainer, Kind: drift.Spec}}
	case r.in.Spec.Requests.Install > r.st.Install.Request: // it is paused, or the node cordoned
		list = []Field{{Path: pathInstallation, Desired: r.in.Spec.Requests.Install, Observed: r.st.Install.Request, Kind: drift.Spec}}
	case r.st.Install.Phase != status.InstallDone:
		list = []Field{{Path: pathInstallation, Desired: string(status.InstallDone), Observed: string(r.st.Install.Phase), Kind: drift.Spec}}
		n := r.nextActive()
		if list[0].Step = n.pending; n.step != nil {
			list[0].Step = n.step.Kind
		}
	case r.in.Seen.Run == nil:
		list = []Field{{Path: drift.Presence, Desired: true, Observed: false, Step: CreateContainer, Kind: drift.Spec}}
	default:
		list = slices.Concat(r.fields(), r.independentDrift(), r.process())
	}
	hopeless := r.unfixable()
	for i := range list {
		f := &list[i]
		if f.Since = r.in.Status.Differs[f.Path]; f.Since.IsZero() {
			f.Since = r.in.Now
		}
		if hopeless && f.Kind == drift.Spec {
			f.Step = ""
		}
	}
	return list
}

// unfixable reports whether nothing is done until there is an external change.
func (r *planner) unfixable() bool {
	if r.in.Spec.Deleting {
		return false
	}
	if r.in.Node.Cordon != nil && !r.in.Spec.Paused {
		n := r.nextCordoned()
		return n.step == nil && n.wait.HeldByNode()
	}
	n := r.nextActive()
	return n.step == nil && n.upToDate && n.wait != "" && n.wait != status.ReasonBackOff && n.wait != status.ReasonMountEscaped
}

// fields are what Docker shows of the runtime container otherwise than its spec makes it,
// without their times.
func (r *planner) fields() []Field {
	run := r.in.Seen.Run
	if r.compared || run == nil {
		return r.differing
	}
	r.compared = true
	from := r.sourceImage(run)
	want := blueprint.Run(r.in.Spec, r.in.HostPaths, r.image(), r.st.Install.Request).WithImageVolumes(r.in.HostPaths, from.Volumes)
	for _, d := range drift.Compare(want, *run, from) {
		f := Field{Path: d.Path, Desired: d.Desired, Observed: d.Observed, Kind: drift.Spec}
		if f.Step = r.fixFor(d); f.Step == "" {
			f.Kind = drift.Deferred
		}
		r.differing = append(r.differing, f)
	}
	if r.boundsSwapAgain() && !r.discarded(drift.Swap) {
		r.differing = append(r.differing, Field{Path: drift.Swap, Desired: r.in.Spec.Limits.Swap, Observed: run.Limits.Swap, Kind: drift.Spec, Step: UpdateLimits})
	}
	r.differing = append(r.differing, r.unenforced(r.differing)...)
	if r.untilUpdate() > 0 {
		for i := range r.differing {
			if f := &r.differing[i]; f.Step == UpdateLimits && slices.Contains(limitPaths, f.Path) {
				f.Step = ""
			}
		}
	}
	if r.tagMoved() {
		f := Field{Path: drift.Image, Desired: r.in.Image.ImageID, Observed: run.ImageID, Kind: drift.MovedTag}
		if r.in.Spec.ImagePolicy == desired.ImageFollow {
			f.Step, f.Kind = CreateContainer, drift.Spec
		}
		r.differing = append(r.differing, f)
	}
	if r.fits() && run.ContainerID != r.st.RecreatedFrom && !slices.ContainsFunc(r.reasons(), func(reason string) bool { return !slices.Contains(r.st.IneffectiveFixes, reason) }) {
		// It was recreated for these very reasons, and shows the same again.
		for i := range r.differing {
			if f := &r.differing[i]; f.Step == CreateContainer {
				f.Step, f.futile = "", true
				if !ownMount(f.Path) {
					f.Kind = drift.Deferred
				}
			}
		}
	}
	return r.differing
}

// ownMount reports whether a field is the mount of a directory of ours: with another one the
// container works on foreign data, so its recreation is never deferred.
func ownMount(path string) bool {
	return path == "mount."+blueprint.Home || path == "mount."+blueprint.Data
}

// misplaced returns where a container has another directory for one of ours: it was recreated for
// that, or the directory was replaced under its process; empty when nowhere.
func (r *planner) misplaced() string {
	for _, f := range r.fields() {
		if f.futile && ownMount(f.Path) {
			return fmt.Sprintf("%s is %v and must be %v", f.Path, f.Observed, f.Desired)
		}
	}
	for _, m := range r.replaced() {
		return fmt.Sprintf("the process has the directory mounted at %s that was at %s, where %s is now: "+
			"put the directory back, or restart the container to use what is there", m.Target, m.Source, m.Found)
	}
	return ""
}

// replaced are the directories of ours that the process has mounted and that are not at their
// paths any more. The process is not ended for it: what it writes goes where its data is.
func (r *planner) replaced() []ReplacedMount {
	run := r.in.Seen.Run
	return slices.DeleteFunc(slices.Clone(r.in.Replaced), func(m ReplacedMount) bool {
		return !run.Running() || !m.Run.Is(status.RunOf(run))
	})
}

// reasons are those for which the container should be recreated, in words that distinguish
// one recreation from the next: a tag may move twice.
func (r *planner) reasons() []string {
	var list []string
	for _, f := range r.fields() {
		switch {
		case f.Step != CreateContainer && !f.futile:
		case f.Path == drift.Image:
			list = append(list, fmt.Sprint(f.Path, "=", f.Desired))
		default:
			list = append(list, f.Path)
		}
	}
	return list
}

// sourceImage returns what is known of the very image that a container was made from.
func (r *planner) sourceImage(run *observed.Container) observed.Image {
	for _, known := range []observed.Image{r.in.Image, r.in.Snapshot, r.in.RunImage} {
		if known.Present && known.ImageID == run.ImageID {
			return known
		}
	}
	return observed.Image{}
}

// fixFor returns the step that fixes a difference; empty when no step is worth it.
// Docker changes limits in place, but takes none away, except of processes.
func (r *planner) fixFor(d drift.Difference) Kind {
	limits := r.in.Spec.Limits
	switch {
	case d.Deferred(), d.Path == drift.Hostname && r.in.Spec.Hostname == "" && r.fits():
		return "" // a host name that Docker chose for a container of an earlier version
	case r.discarded(d.Path):
		return ""
	case d.Path == drift.Name:
		return RenameContainer
	case !canUpdate(d.Path, limits):
		return CreateContainer
	case d.Path == drift.RestartPolicy, slices.Contains(limitPaths, d.Path):
		return UpdateLimits
	}
	return CreateContainer
}

// fixedBy returns the fields that a step puts right.
func (r *planner) fixedBy(step Kind) []Field {
	var list []Field
	for _, f := range r.fields() {
		if f.Step == step {
			list = append(list, f)
		}
	}
	return list
}

// independentDrift are what belongs to a runtime container and is not in Docker's description of it.
func (r *planner) independentDrift() []Field {
	var list []Field
	run := r.in.Seen.Run
	if run.Phase == observed.Dead || run.Phase == observed.Removing {
		list = append(list, Field{Path: drift.Presence, Desired: true, Observed: string(run.Phase), Step: CreateContainer, Kind: drift.Spec})
	}
	if r.unknownRun() {
		list = append(list, Field{Path: pathContainerID, Desired: "one that this daemon created", Observed: run.ContainerID, Step: CreateContainer, Kind: drift.Spec})
	}
	if r.snapshotUntagged() && r.in.RunImage.Known {
		f := Field{Path: pathInstallation, Desired: r.image(), Kind: drift.Spec}
		switch {
		case r.in.RunImage.Present:
			f.Step = RestoreSnapshot
		case r.in.Copy.Present:
			f.Step = LoadSnapshot
		}
		list = append(list, f)
	}
	if escape := r.st.MountEscape; escape != nil {
		list = append(list, Field{Path: "mount." + escape.Target, Desired: escape.Source, Observed: escape.Found, Step: StartContainer, Kind: drift.Spec})
	}
	for _, m := range r.replaced() {
		list = append(list, Field{Path: "mount." + m.Target, Desired: m.Source, Observed: "the directory that was there before " + m.Found, Kind: drift.Spec})
	}
	if len(r.unpublished()) > 0 {
		list = append(list, Field{Path: pathPublished, Desired: r.in.Spec.Ports, Observed: append([]desired.Port{}, run.Published...), Kind: drift.Spec})
	}
	if !r.in.EntrypointOK {
		list = append(list, Field{Path: pathEntrypoint, Desired: "in place", Observed: "missing or altered", Step: WriteEntrypoint, Kind: drift.Spec})
	}
	return list
}

// process is what the process should be doing and does not.
func (r *planner) process() []Field {
	spec, run := r.in.Spec, r.in.Seen.Run
	f := Field{Path: pathPower, Desired: string(r.in.EffectivePower()), Observed: string(desired.PowerStopped), Kind: drift.Spec}
	switch {
	case run.Phase == observed.Paused:
		f.Observed = string(observed.Paused)
	case run.Running() && r.in.EffectivePower() == desired.PowerRunning && spec.Requests.Restart > r.st.RestartHandled:
		f.Path, f.Desired, f.Observed = pathRestart, spec.Requests.Restart, r.st.RestartHandled
	case run.Running():
		f.Observed = string(desired.PowerRunning)
	}
	request := r.st.Stopping
	switch n := r.power(); {
	case n.step != nil:
		f.Step = n.step.Kind
	case n.wait == status.ReasonBackOff, n.wait == status.ReasonMountEscaped:
		f.Step = StartContainer
	case run.Phase == observed.Paused && n.wait == "":
		f.Step, f.Kind = UnpauseContainer, drift.Deferred
	case n.wait != "":
		f.Step = StopContainer
	case request != nil && run.Running() && request.Run.Is(status.RunOf(run)):
		f.Observed, f.Step = "stopping", StartContainer
	default:
		return nil
	}
	return []Field{f}
}

// reasonOf lists what is changed in place: from the observed value to the wanted one.
func reasonOf(fields []Field) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = fmt.Sprintf("%s from %v to %v", strings.TrimPrefix(f.Path, "limits."), limitText(f.Path, f.Observed), limitText(f.Path, f.Desired))
	}
	return strings.Join(parts, ", ")
}

// maxNamed is how many fields a reason names.
const maxNamed = 4

// changedReason names what the spec has changed.
func changedReason(differ []Field) string {
	named := slices.DeleteFunc(slices.Clone(differ), func(f Field) bool { return f.Path == drift.Hash })
	switch more := len(named) - maxNamed; {
	case len(named) == 0: // Docker shows nothing of it
		return "the spec changed in what only a new container can have"
	case more > 0:
		return fmt.Sprintf("%s and %d more changed", pathsOf(named[:maxNamed]), more)
	}
	return pathsOf(named) + " changed"
}

func pathsOf(fields []Field) string {
	paths := make([]string, len(fields))
	for i, f := range fields {
		paths[i] = f.Path
	}
	return strings.Join(paths, ", ")
}
