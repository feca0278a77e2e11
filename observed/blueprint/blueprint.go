package blueprint

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lightd/desired"
	"lightd/observed"
)

// Where a container sees its volume, its own files, and the two scripts among these.
const (
	Home        = "/home/container"
	Data        = "/app/data"
	EntryPath   = Data + "/entrypoint.sh"
	InstallPath = Data + "/install-entry.sh"
)

// TerminalRows and TerminalCols are the size of a terminal until a client sets another.
const TerminalRows, TerminalCols = 24, 80

// RestartPolicy is Docker's own: restarting is Lightd's business.
const RestartPolicy = "no"

// SignalGroup is the variable that makes docker-init pass a signal to all of the process
// group, so that it reaches the program and not only a shell in front of it.
const SignalGroup = "TINI_KILL_PROCESS_GROUP"

// Blueprint is all that a container is made from.
type Blueprint struct {
	// Name is its name in Docker, Image a reference or an id.
	Name, Image string
	Labels      map[string]string
	// Entrypoint and Cmd take the place of the image's; nil keeps them.
	Entrypoint, Cmd []string
	// Env is a list of KEY=value.
	Env              []string
	WorkingDir, User string
	Hostname         string
	TTY, OpenStdin   bool
	// Init runs docker-init as the first process.
	Init   bool
	Mounts []observed.Mount
	// Volumes are Docker's volumes that it has for the VOLUME paths of its image.
	Volumes []Volume
	Ports   []desired.Port
	Limits  desired.Limits
	// StopSignal is what `docker stop` and an engine that ends send; empty keeps the image's.
	// Lightd sends its own.
	StopSignal    string
	RestartPolicy string
	Log           observed.Log
	// NetworkMode is the network of Docker's that it is on.
	NetworkMode string
	// Healthcheck, ReadOnly and Tmpfs are those of observed.Config.
	Healthcheck []string
	ReadOnly    bool
	Tmpfs       map[string]string
	Security    observed.Security
}

// Logs returns how Docker is to keep the output of containers: in at most maxFile files of
// at most maxSize, as in "10m". The driver is named, because an engine's own default may be
// one that refuses such limits, or that keeps nothing to read.
func Logs(maxSize string, maxFile int) observed.Log {
	return observed.Log{Driver: "json-file", MaxSize: maxSize, MaxFile: strconv.Itoa(maxFile)}
}

// HostPaths is what a host has for one container.
type HostPaths struct {
	// Instance is the UUID of the data directory.
	Instance string
	// Volume and Data are the host's directories of its volume and of its own files.
	Volume, Data string
	// ImageVolumes is the directory in which it keeps what is below the VOLUME paths of images.
	ImageVolumes string
	// Log is how Docker is to keep its output. It is the host's and not the spec's: a
	// container that was made with another one is left as it is.
	Log observed.Log
	// Capabilities are what the operator lets root have in containers, as is Log.
	Capabilities Capabilities
	// Network is the name of the network that containers are on where the spec names none; empty is that
	// of DefaultNetwork.
	Network string
}

// Volume is a volume of Docker's whose data is in a directory of the host. Docker fills it with
// what the image has there when it is first used, which it does for no other kind of mount.
type Volume struct {
	Name, Target string
	// Directory is where its data is.
	Directory string
	Labels    map[string]string
}

// WithImageVolumes returns b with a volume for each VOLUME path of its image that is not mounted
// anyway. Both containers of a spec, and all that come after them, have the same ones: Docker's
// own are new in each container. The name holds the directory, as one that exists already is
// taken as it is.
func (b Blueprint) WithImageVolumes(at HostPaths, targets []string) Blueprint {
	b.Volumes = nil
	for _, target := range slices.Sorted(slices.Values(targets)) {
		if b.Tmpfs[target] != "" || slices.ContainsFunc(b.Mounts, func(m observed.Mount) bool { return m.Target == target }) {
			continue
		}
		sum := sha256.Sum256([]byte(target))
		directory := filepath.Join(at.ImageVolumes, hex.EncodeToString(sum[:6]))
		sum = sha256.Sum256([]byte(directory))
		id := b.Labels[observed.LabelID]
		b.Volumes = append(b.Volumes, Volume{
			Name:   volumePrefix + at.Instance + "-" + id + "-" + hex.EncodeToString(sum[:6]),
			Target: target, Directory: directory,
			Labels: map[string]string{observed.LabelInstance: at.Instance, observed.LabelID: id},
		})
	}
	return b
}

// volumePrefix is what the names of our volumes in Docker begin with.
const volumePrefix = "lightd-"

// IsImageVolume reports whether m is a volume that WithImageVolumes has named.
func IsImageVolume(m observed.Mount) bool { return strings.HasPrefix(m.Source, volumePrefix) }

// AllMounts returns all that is mounted, volumes by their names.
func (b Blueprint) AllMounts() []observed.Mount {
	all := slices.Clone(b.Mounts)
	for _, v := range b.Volumes {
		all = append(all, observed.Mount{Source: v.Name, Target: v.Target})
	}
	return all
}

// common is what both containers of a spec have.
func common(c desired.Container, role observed.Role, at HostPaths, image string, install int64) Blueprint {
	b := Blueprint{
		Image: image,
		Labels: map[string]string{
			observed.LabelInstance:   at.Instance,
			observed.LabelRole:       string(role),
			observed.LabelID:         c.InternalID,
			observed.LabelGeneration: strconv.FormatInt(c.Generation, 10),
			observed.LabelInstall:    strconv.FormatInt(install, 10),
		},
		WorkingDir: Home,
		Hostname:   c.HostnameOrDefault(),
		Init:       c.Init,
		Limits:     c.Limits,
		Mounts: []observed.Mount{
			{Source: at.Volume, Target: Home},
			{Source: at.Data, Target: Data, ReadOnly: true},
		},
		RestartPolicy: RestartPolicy,
		Log:           at.Log,
		NetworkMode:   cmp.Or(at.Network, DefaultNetwork.Name),
		Healthcheck:   observed.NoHealthcheck(), // an image's own would run programs whose result nobody reads
		Security:      security(at.Capabilities.of(role)),
	}
	if c.Network != "" && (role == observed.RoleRun || c.Network != desired.NetworkNone) {
		b.NetworkMode = c.Network // an install script without a network installs nothing
	}
	for _, target := range slices.Sorted(maps.Keys(c.Mount)) {
		b.Mounts = append(b.Mounts, observed.Mount{Source: c.Mount[target].Source, Target: target, ReadOnly: c.Mount[target].ReadOnly})
	}
	return b
}

// Run returns what the runtime container of c is made as from image, which is the spec's
// own or the snapshot of an installation; install is the number of that installation.
func Run(c desired.Container, at HostPaths, image string, install int64) Blueprint {
	b := common(c, observed.RoleRun, at, image, install)
	b.Name = observed.RunName(c.InternalID)
	b.Labels[observed.LabelHash] = c.Hash(image)
	b.Labels[observed.LabelCommand] = c.StartupCommand
	b.Entrypoint = []string{"/bin/sh", EntryPath}
	b.User, b.TTY, b.OpenStdin, b.Ports, b.StopSignal = c.User, c.TTY, true, c.Ports, c.Stop.Signal
	for _, k := range slices.Sorted(maps.Keys(c.Env)) {
		b.Env = append(b.Env, k+"="+c.Env[k])
	}
	b.ReadOnly = c.ReadOnly
	for target, size := range c.Tmpfs {
		if b.Tmpfs == nil {
			b.Tmpfs = map[string]string{}
		}
		b.Tmpfs[target] = tmpfsOptions + size
	}
	b.signalGroup()
	return b
}

// tmpfsOptions are those of each file system in memory, but for its size. Programs unpack libraries
// into such directories, so that files there may be executed, which Docker's default forbids.
const tmpfsOptions = "nosuid,nodev,exec,mode=1777,size="

// Install returns what the container of an install script is made as: no ports, no
// startup command, and no environment, which a commit would keep for ever. One from an image of its own
// has none of the volumes that WithImageVolumes gives: Docker's own go with it.
func Install(c desired.Container, at HostPaths, image string, install int64) Blueprint {
	b, how := common(c, observed.RoleInstall, at, image, install), c.Installation()
	b.Name = observed.InstallName(c.InternalID)
	b.Entrypoint = []string{"/bin/sh", InstallPath}
	b.WorkingDir, b.Mounts[0].Target, b.User = how.Home(), how.Home(), how.User
	if how.User == "root" {
		b.User = "0:0"
	}
	b.signalGroup()
	return b
}

// WithCreationMark returns b with the mark by which its creation is recognized.
func (b Blueprint) WithCreationMark(mark string) Blueprint {
	b.Labels = maps.Clone(b.Labels)
	b.Labels[observed.LabelCreation] = mark
	return b
}

func (b *Blueprint) signalGroup() {
	if b.Init {
		b.Env = append(b.Env, SignalGroup+"=1")
	}
}

// AsCreated returns what Docker shows of a container just made from b on an image.
func (b Blueprint) AsCreated(containerID string, image observed.Image) *observed.Container {
	number := func(label string) int64 {
		n, _ := strconv.ParseInt(b.Labels[label], 10, 64)
		return n
	}
	return &observed.Container{
		ContainerID: containerID, Name: b.Name,
		Role: observed.Role(b.Labels[observed.LabelRole]), Labels: b.Labels, Hash: b.Labels[observed.LabelHash],
		Generation: number(observed.LabelGeneration), Install: number(observed.LabelInstall),
		State: observed.State{Phase: observed.Created},
		Config: observed.Config{
			Image: b.Image, ImageID: image.ImageID,
			Entrypoint: b.Entrypoint, Cmd: b.Cmd, Env: b.Env, WorkingDir: b.WorkingDir, User: cmp.Or(b.User, image.User),
			Hostname: b.Hostname, TTY: b.TTY, OpenStdin: b.OpenStdin, Init: b.Init,
			Mounts: b.AllMounts(), Binds: b.Ports, Limits: b.Limits,
			StopSignal: cmp.Or(b.StopSignal, image.StopSignal), RestartPolicy: b.RestartPolicy, Log: b.Log,
			NetworkMode: b.NetworkMode, Networks: []string{b.NetworkMode},
			ReadOnly: b.ReadOnly, Tmpfs: b.Tmpfs, Healthcheck: b.Healthcheck, Security: b.Security,
		},
	}
}
