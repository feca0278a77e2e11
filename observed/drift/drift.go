package drift

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strings"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/blueprint"
)

// Kind is what becomes of a difference.
type Kind string

// The kinds of difference.
const (
	// Spec is acted upon.
	Spec Kind = "spec"
	// MovedTag is a tag that is pinned and points to another image than the container runs.
	MovedTag Kind = "moved_tag"
	// Deferred is fixed when the container is next recreated, and not worth that alone. The
	// pause of a process is ended when it has lasted for a while.
	Deferred Kind = "deferred"
)

// Hidden stands for the value of an environment variable that Docker shows otherwise than
// the spec: it may be a secret.
const Hidden = "(hidden)"

// envPrefix is what the paths of the environment begin with.
const envPrefix = "env."

// OfEnv reports whether a path is that of a variable of the environment.
func OfEnv(path string) bool { return strings.HasPrefix(path, envPrefix) }

// The paths of fields that other packages refer to. They are the names of the spec where it
// has one.
const (
	Presence      = "presence"
	Name          = "name"
	Image         = "image"
	Networks      = "networks"
	Memory        = "limits.memory"
	Swap          = "limits.swap"
	CPU           = "limits.cpu"
	PIDs          = "limits.pids"
	CPUSet        = "limits.cpuset"
	IOWeight      = "limits.io_weight"
	Reservation   = "limits.memory_reservation"
	OOMDisable    = "limits.oom_disable"
	RestartPolicy = "restart_policy"
	StopSignal    = "stop.signal"
	Hostname      = "hostname"
	Hash          = "labels." + observed.LabelHash

	Capabilities    = "capabilities"
	NoNewPrivileges = "no_new_privileges"
	IPC             = "ipc"
	Cgroupns        = "cgroupns"
	Privileges      = "privileges"
	Healthcheck     = "healthcheck"

	logPrefix    = "log."
	volumePrefix = "image_volume."
)

// Difference is one field that Docker shows otherwise than it should be. Nil stands for
// what is not there.
type Difference struct {
	// Path is dotted, as in limits.memory.
	Path              string
	Desired, Observed any
	// deferred is what decides about the paths networks and healthcheck: the container works as it is.
	deferred bool
}

// Deferred reports whether d can wait until the container is recreated for another reason. So
// can a network that another client added: all that the spec has works. A volume that Docker
// created by itself, which earlier versions left to it, holds data that would go with the container.
func (d Difference) Deferred() bool {
	switch d.Path {
	case Networks, Healthcheck:
		return d.deferred
	case Capabilities, NoNewPrivileges, IPC, Cgroupns, Privileges:
		return d.engineDefault()
	}
	return d.Path == StopSignal || strings.HasPrefix(d.Path, logPrefix) || strings.HasPrefix(d.Path, volumePrefix)
}

// Compare returns where have differs from what want would create, in a fixed order. image is
// what is known of the very image that have was created from; where nothing is, what only the
// image explains is not compared.
//
// Not compared are the generation and the number of the installation among the labels: they
// record when a container was created, and it is up to date all the same. The hash is reported
// where nothing else shows what is different.
func Compare(want blueprint.Blueprint, have observed.Container, image observed.Image) []Difference {
	c := &comparison{want: want, have: have, image: image}
	scalar(c, Name, want.Name, have.Name)
	scalar(c, Image, want.Image, have.Image)
	c.process()
	c.env()
	c.mounts()
	c.fileSystems()
	c.ports()
	c.labels()
	if hash := want.Labels[observed.LabelHash]; len(c.found) == 0 || c.onlyName() {
		scalar(c, Hash, hash, have.Hash)
	}
	c.limits()
	scalar(c, RestartPolicy, want.RestartPolicy, have.RestartPolicy)
	c.stopSignal()
	scalar(c, logPrefix+"driver", want.Log.Driver, have.Log.Driver)
	scalar(c, logPrefix+"max_size", want.Log.MaxSize, have.Log.MaxSize)
	scalar(c, logPrefix+"max_file", want.Log.MaxFile, have.Log.MaxFile)
	c.networks()
	c.healthcheck()
	c.security()
	return c.found
}

// comparison is a Compare in the making.
type comparison struct {
	want  blueprint.Blueprint
	have  observed.Container
	image observed.Image
	found []Difference
}

func (c *comparison) differ(path string, desired, observed any) {
	c.found = append(c.found, Difference{Path: path, Desired: desired, Observed: observed})
}

// scalar compares without a conversion to any, which is made for a difference alone.
func scalar[T comparable](c *comparison, path string, desired, observed T) {
	if desired != observed {
		c.differ(path, desired, observed)
	}
}

// onlyName reports whether the name is all that was found to differ so far: Docker can change it
// without a recreation.
func (c *comparison) onlyName() bool { return len(c.found) == 1 && c.found[0].Path == Name }

// process compares what is run, and as what.
func (c *comparison) process() {
	if !slices.Equal(c.want.Entrypoint, c.have.Entrypoint) {
		c.differ("entrypoint", c.want.Entrypoint, c.have.Entrypoint)
	}
	if !slices.Equal(c.want.Cmd, c.have.Cmd) {
		c.differ("command", c.want.Cmd, c.have.Cmd)
	}
	scalar(c, "working_dir", c.want.WorkingDir, c.have.WorkingDir)
	user, known := c.want.User, true
	if user == "" {
		user, known = c.image.User, c.image.Present
	}
	if known {
		scalar(c, "user", user, c.have.User)
	}
	scalar(c, Hostname, c.want.Hostname, c.have.Hostname)
	scalar(c, "tty", c.want.TTY, c.have.TTY)
	scalar(c, "open_stdin", c.want.OpenStdin, c.have.OpenStdin)
	scalar(c, "init", c.want.Init, c.have.Init)
}

// stopSignal compares the signals by which Docker itself ends a container. What neither spec
// nor image names is Docker's default.
func (c *comparison) stopSignal() {
	want, known := c.want.StopSignal, true
	if want == "" {
		want, known = c.image.StopSignal, c.image.Present
	}
	name := func(signal string) string { return desired.NormalSignal(cmp.Or(signal, desired.DefaultStopSignal)) }
	if known {
		scalar(c, StopSignal, name(want), name(c.have.StopSignal))
	}
}

// env compares the environment. Docker shows the image's own beside ours.
func (c *comparison) env() {
	given, shown := variables(c.image.Env), variables(c.have.Env)
	asked := variables(c.want.Env)
	for _, key := range keys(asked, shown) {
		want, wanted := asked[key]
		have, there := shown[key]
		switch {
		case wanted && !there:
			c.differ(envPrefix+key, want, nil)
		case wanted && want != have:
			c.differ(envPrefix+key, want, Hidden)
		case !wanted && c.image.Present:
			if from, ours := given[key]; !ours || from != have {
				c.differ(envPrefix+key, nil, Hidden)
			}
		}
	}
}

func variables(list []string) map[string]string {
	all := make(map[string]string, len(list))
	for _, one := range list {
		key, value, _ := strings.Cut(one, "=")
		all[key] = value
	}
	return all
}

// anonymous is the name of a volume that Docker made by itself.
var anonymous = regexp.MustCompile(`^[0-9a-f]{64}$`)

// IsAnonymous reports whether m is a volume that Docker made for a VOLUME path of the image, and
// removes with the container.
func IsAnonymous(m observed.Mount) bool { return anonymous.MatchString(m.Source) }

// mounts compares what is mounted where.
func (c *comparison) mounts() {
	asked, shown := byTarget(c.want.AllMounts()), byTarget(c.have.Mounts)
	for _, target := range keys(asked, shown) {
		want, wanted := asked[target]
		have, there := shown[target]
		switch {
		case wanted && !there:
			c.differ("mount."+target, want.String(), nil)
		case wanted && IsAnonymous(have) && c.isVolume(target):
			c.differ(volumePrefix+target, want.String(), have.String())
		case wanted && want != have:
			c.differ("mount."+target, want.String(), have.String())
		case !wanted && c.image.Present && !slices.Contains(c.image.Volumes, target):
			c.differ("mount."+target, nil, have.String())
		}
	}
}

// fileSystems compares what can be written to besides the mounts.
func (c *comparison) fileSystems() {
	scalar(c, "read_only", c.want.ReadOnly, c.have.ReadOnly)
	for _, target := range keys(c.want.Tmpfs, c.have.Tmpfs) {
		want, wanted := c.want.Tmpfs[target]
		have, there := c.have.Tmpfs[target]
		switch {
		case wanted && !there:
			c.differ("tmpfs."+target, want, nil)
		case there && !wanted:
			c.differ("tmpfs."+target, nil, have)
		case want != have:
			c.differ("tmpfs."+target, want, have)
		}
	}
}

// isVolume reports whether a volume of the image is wanted there.
func (c *comparison) isVolume(target string) bool {
	return slices.ContainsFunc(c.want.Volumes, func(v blueprint.Volume) bool { return v.Target == target })
}

func byTarget(list []observed.Mount) map[string]observed.Mount {
	all := make(map[string]observed.Mount, len(list))
	for _, m := range list {
		all[m.Target] = m
	}
	return all
}

// ports compares what is bound, in whatever order.
func (c *comparison) ports() {
	have := make(map[desired.Port]bool, len(c.have.Binds))
	for _, p := range c.have.Binds {
		have[p] = true
	}
	same := len(have) == len(c.want.Ports)
	for _, p := range c.want.Ports {
		same = same && have[p]
	}
	if !same {
		c.differ("ports", orEmpty(c.want.Ports), orEmpty(c.have.Binds))
	}
}

// labels compares those of ours that identify a container. One without a startup command
// was created before that was recorded: the hash stands for it.
func (c *comparison) labels() {
	for _, name := range []string{observed.LabelInstance, observed.LabelRole, observed.LabelID} {
		if want, have := c.want.Labels[name], c.have.Labels[name]; want != have {
			c.differ("labels."+name, want, have)
		}
	}
	want := c.want.Labels[observed.LabelCommand]
	if have, told := c.have.Labels[observed.LabelCommand]; told && want != have {
		c.differ("startup_command", want, have)
	}
}

// limits compares what can be changed in place, but for OOMDisable. Swap that is bounded is compared where Docker
// shows a bound: an engine without swap accounting has none, whatever is requested.
func (c *comparison) limits() {
	want, have := c.want.Limits, c.have.Limits
	scalar(c, Memory, want.Memory, have.Memory)
	if want.Memory != 0 && (have.Swap >= 0 || want.Swap < 0) {
		scalar(c, Swap, want.Swap, have.Swap)
	}
	if nanos(want.CPU) != nanos(have.CPU) {
		c.differ(CPU, want.CPU, have.CPU)
	}
	scalar(c, PIDs, want.PIDs, have.PIDs)
	scalar(c, CPUSet, want.CPUSet, have.CPUSet)
	scalar(c, IOWeight, want.IOWeight, have.IOWeight)
	scalar(c, Reservation, want.MemoryReservation, have.MemoryReservation)
	scalar(c, OOMDisable, want.OOMDisable, have.OOMDisable)
}

// nanos is a number of cores as Docker keeps it.
func nanos(cores float64) int64 { return int64(math.Round(cores * 1e9)) }

// healthcheck compares the probe. What a container of an earlier version has is its image's; where the
// image is not known, it is taken for that.
func (c *comparison) healthcheck() {
	want, have := c.want.Healthcheck, c.have.Healthcheck
	if slices.Equal(want, have) {
		return
	}
	c.found = append(c.found, Difference{
		Path: Healthcheck, Desired: orEmpty(want), Observed: orEmpty(have),
		deferred: len(have) == 0 || !c.image.Present || slices.Equal(have, c.image.Healthcheck),
	})
}

// networks compares what it is connected to. A container of an earlier version stays on the network
// that it was created on: nothing else moves there.
func (c *comparison) networks() {
	if len(c.have.Networks) == 1 && c.have.Networks[0] == c.want.NetworkMode {
		return
	}
	want, have := []string{c.want.NetworkMode}, slices.Sorted(slices.Values(c.have.Networks))
	earlier := c.have.NetworkMode == blueprint.EarlierNetwork && slices.Contains(have, blueprint.EarlierNetwork)
	c.found = append(c.found, Difference{Path: Networks, Desired: want, Observed: orEmpty(have),
		deferred: earlier || slices.Contains(have, c.want.NetworkMode)})
}

// keys returns those of both, sorted.
func keys[V any](a, b map[string]V) []string {
	all := make([]string, 0, len(a)+len(b))
	for k := range a {
		all = append(all, k)
	}
	for k := range b {
		if _, both := a[k]; !both {
			all = append(all, k)
		}
	}
	slices.Sort(all)
	return all
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
