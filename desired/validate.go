package desired

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxStopTimeout is the longest time that a process may be given to end.
const MaxStopTimeout = 10 * time.Minute

// Bounds of what a spec may hold. They keep one client from filling the database, and
// a container from being one that the kernel could never run.
const (
	DefaultPIDs = 512

	maxImage         = 512
	maxStartup       = 32 << 10
	maxPattern       = 512
	maxScript        = 512 << 10
	maxStopCommand   = 4 << 10
	minMemory        = 6 << 20
	maxMemory        = 1 << 46
	minCPU           = 0.01
	maxCPU           = 1 << 16 // of which a host gives what it has, see Limits.Within
	maxPIDs          = 4 << 20
	minIOWeight      = 10
	maxIOWeight      = 1000
	maxPorts         = 1000
	maxMounts        = 64
	maxEnv           = 1000
	maxEnvEntry      = 128<<10 - 2 // the kernel's bound for one string of an environment
	maxEnvTotal      = 256 << 10
	maxLabels        = 100
	maxKey           = 256
	maxLabelValue    = 4 << 10
	maxLabelsTotal   = 32 << 10 // the event of a deletion has them
	maxPath          = 4 << 10
	reservedLabel    = "lightd."
	maxUserID        = math.MaxInt32
	maxQuotedInError = 64
)

// Rules are the facts of the node that a spec is checked against.
type Rules struct {
	// AllowedMounts are the host's directories that containers may mount from.
	AllowedMounts []string
	// AllowedImages are the registries and repositories that images may come from, as CheckAllowedImage
	// takes them; none are all at public addresses.
	AllowedImages []string
	// AllowedNetworks are the networks of the engine, besides Lightd's own, that containers may be on.
	AllowedNetworks []string
	// Limits are the operator's bounds.
	Limits LimitRange
	// CPUs are those of the engine's host, as in "0-7"; empty where they are not known.
	CPUs string
	// Instance is the id of this data directory, which names the snapshots of its containers.
	Instance string
}

// Validate reports everything that is wrong with s as a *ValidationError, nil when
// nothing is. It expects the result of Normalize, is pure, and never panics. A port 0
// is valid: it is to be assigned.
func (s Spec) Validate(r Rules) error { return s.ValidateChange(Spec{}, r) }

// ValidateChange is Validate for the spec that takes the place of old, which was valid once: what it leaves as
// it is may be more than the operator allows now.
func (s Spec) ValidateChange(old Spec, r Rules) error {
	var f faults
	f.checkIdentity(s)
	f.checkImage(s, old, r)
	f.checkCommands(s)
	f.checkLimits(s.Limits)
	f.checkCPUSet(s.Limits.CPUSet, old.Limits.CPUSet, r.CPUs)
	f.checkRange(s, old, r.Limits)
	f.checkPorts(s.Ports)
	f.checkMounts(s.Mount, old.Mount, r.AllowedMounts)
	f.checkTmpfs(s.Tmpfs, s.Mount)
	f.checkNetwork(s, old, r.AllowedNetworks)
	f.checkVariables("env", s.Env)
	f.checkLabels(s.Labels)
	f.checkChoices(s)
	f.checkHealth(s)
	f.checkInstall(s, old, r)
	return f.err()
}

// Beyond reports, as a *ValidationError, what of a stored spec is more than the operator allows now.
func (s Spec) Beyond(r Rules) error {
	var f faults
	if !IsSnapshot(s.Image) {
		f.checkImage(s, Spec{}, r)
	}
	if s.Install != nil {
		f.checkInstallImage(s, "", r)
	}
	f.checkRange(s, Spec{}, r.Limits)
	f.checkMounts(s.Mount, nil, r.AllowedMounts)
	f.checkNetwork(s, Spec{}, r.AllowedNetworks)
	if r.Limits.MaxMemory > 0 && s.Limits.Memory == 0 {
		f.add("limits.memory", fmt.Sprintf("must be at most %s, the operator's containers.max_memory, and is not limited", FormatSize(r.Limits.MaxMemory)))
	}
	if r.Limits.MaxCPU > 0 && s.Limits.CPU == 0 {
		f.add("limits.cpu", fmt.Sprintf("must be at most %v, the operator's containers.max_cpu, and is not limited", r.Limits.MaxCPU))
	}
	return f.err()
}

// Validate reports an unknown value as a *ValidationError of the field power.
func (p Power) Validate() error {
	var f faults
	oneOf(&f, "power", p, PowerRunning, PowerStopped)
	return f.err()
}

var idPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$`)

// ValidID reports whether id can be the internal id of a container.
func ValidID(id string) bool { return idPattern.MatchString(id) }

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// ValidVolumeID reports whether id is a UUID in lower case, as those of volumes are.
func ValidVolumeID(id string) bool { return uuidPattern.MatchString(id) }

func (f *faults) checkIdentity(s Spec) {
	if !ValidID(s.InternalID) {
		f.add("internal_id", "must be 1 to 63 letters, digits, '_', '.' or '-', and begin with a letter or a digit")
	}
	if s.VolumeID == "" {
		f.add("volume_id", "is required")
	}
}

// checkImage checks an image, and unless it is that of old, whether the operator allows it.
func (f *faults) checkImage(s, old Spec, r Rules) {
	if s.Image == old.Image {
		r.AllowedImages = nil
	}
	switch {
	case s.Image == "":
		f.add("image", "is required")
	case len(s.Image) > maxImage:
		f.add("image", fmt.Sprintf("must be at most %d bytes", maxImage))
	default:
		err := r.CheckImage(s.Image, s.InternalID)
		if err == nil && s.Image != old.Image {
			err = r.checkRegistry(s.Image)
		}
		if err != nil {
			f.add("image", err.Error())
		}
	}
}

func (f *faults) checkCommands(s Spec) {
	if strings.TrimSpace(s.StartupCommand) == "" {
		f.add("startup_command", "is required")
	}
	f.checkText("startup_command", s.StartupCommand, maxStartup)
	f.checkText("install_script", s.InstallScript, maxScript)
	if f.checkText("stop.command", s.Stop.Command, maxStopCommand) && s.TTY {
		f.checkTerminalLines("stop.command", s.Stop.Command)
	}
	if _, ok := s.Stop.CommandSignal(); !ok {
		f.add("stop.command", Quote(s.Stop.Command)+` is no signal: there are ^C, ^\ and ^ with a name, as in ^SIGTERM`)
	}
	if f.checkText("start_pattern", s.StartPattern, maxPattern) {
		if err := CheckPattern(s.StartPattern); err != nil {
			f.add("start_pattern", err.Error())
		}
	}
}

// MaxTerminalLine is how many bytes a line may have, without its end, that a terminal passes
// to a program as one.
const MaxTerminalLine = 4095

// checkTerminalLines refuses what the kernel would cut.
func (f *faults) checkTerminalLines(field, v string) {
	for line := range strings.Lines(v) {
		if len(strings.TrimRight(line, "\r\n")) > MaxTerminalLine {
			f.add(field, fmt.Sprintf("has a line of more than %d bytes, which a terminal (tty) would cut", MaxTerminalLine))
			return
		}
	}
}

func (f *faults) checkLimits(l Limits) {
	switch {
	case l.Memory == 0:
		if l.Swap != 0 {
			f.add("limits.swap", "has no meaning without limits.memory")
		}
		if l.OOMDisable {
			f.add("limits.oom_disable", "must not be true without limits.memory: the whole host would wait for memory")
		}
	case l.Memory < minMemory:
		f.add("limits.memory", "must be 0 (no limit) or at least 6291456 (6 MiB)")
	case l.Memory > maxMemory:
		f.add("limits.memory", "must be at most "+FormatSize(maxMemory))
	}
	if l.Swap < UnlimitedSwap || l.Swap > maxMemory {
		f.add("limits.swap", "must be from 0 to "+FormatSize(maxMemory)+", or -1 for no limit")
	}
	switch least := l.MemoryReservation; {
	case least != 0 && (least < minMemory || least > maxMemory):
		f.add("limits.memory_reservation", "must be 0 (none), or from 6291456 (6 MiB) to "+FormatSize(maxMemory))
	case l.Memory > 0 && least > l.Memory:
		f.add("limits.memory_reservation", "must be at most limits.memory")
	}
	if l.IOWeight != 0 && (l.IOWeight < minIOWeight || l.IOWeight > maxIOWeight) {
		f.add("limits.io_weight", fmt.Sprintf("must be 0 (the default of the kernel), or from %d to %d", minIOWeight, maxIOWeight))
	}
	// Written so that NaN, which compares false with everything, is refused.
	if !(l.CPU == 0 || l.CPU >= minCPU && l.CPU <= maxCPU) {
		f.add("limits.cpu", fmt.Sprintf("must be 0 (no limit) or from %v to %d", minCPU, maxCPU))
	}
	if l.PIDs < 1 || l.PIDs > maxPIDs {
		f.add("limits.pids", fmt.Sprintf("must be from 1 to %d, or 0 for the default of %d", maxPIDs, DefaultPIDs))
	}
}

// checkVariables checks an environment, which is a field of a spec.
func (f *faults) checkVariables(field string, env map[string]string) {
	if len(env) > maxEnv {
		f.add(field, fmt.Sprintf("must have at most %d entries", maxEnv))
		return
	}
	total := 0
	for k, v := range env {
		total += len(k) + len(v)
		if f.checkKey(field, k) {
			f.checkText(field+"."+k, v, maxEnvEntry-len(k))
		}
	}
	if total > maxEnvTotal {
		f.add(field, fmt.Sprintf("must have at most %d bytes in all", maxEnvTotal))
	}
}

func (f *faults) checkLabels(labels map[string]string) {
	if len(labels) > maxLabels {
		f.add("labels", fmt.Sprintf("must have at most %d entries", maxLabels))
		return
	}
	total := 0
	for k, v := range labels {
		total += len(k) + len(v)
		if !f.checkKey("labels", k) {
			continue
		}
		if strings.HasPrefix(k, reservedLabel) {
			f.add("labels."+k, "must not begin with "+reservedLabel)
		}
		f.checkText("labels."+k, v, maxLabelValue)
	}
	if total > maxLabelsTotal {
		f.add("labels", fmt.Sprintf("must have at most %d bytes in all", maxLabelsTotal))
	}
}

// checkKey checks a key of env or labels. A bad key is quoted, as it may hold anything.
func (f *faults) checkKey(field, k string) bool {
	switch {
	case k == "":
		f.add(field, "must not have an empty key")
	case len(k) > maxKey:
		f.add(field, fmt.Sprintf("the key %s is longer than %d bytes", Quote(k), maxKey))
	case !utf8.ValidString(k) || strings.Contains(k, "=") || strings.ContainsFunc(k, unicode.IsControl):
		f.add(field, fmt.Sprintf("the key %s must not contain '=', a line break or another control character", Quote(k)))
	default:
		return true
	}
	return false
}

// checkText checks what every text must be: bounded, UTF-8, and without NUL.
func (f *faults) checkText(field, v string, limit int) bool {
	switch {
	case len(v) > limit:
		f.add(field, fmt.Sprintf("must be at most %d bytes", limit))
	case strings.ContainsRune(v, 0):
		f.add(field, "must not contain NUL")
	case !utf8.ValidString(v):
		f.add(field, "must be UTF-8")
	default:
		return true
	}
	return false
}

func (f *faults) checkChoices(s Spec) {
	oneOf(f, "power", s.Power, PowerRunning, PowerStopped)
	oneOf(f, "restart", s.Restart, RestartAlways, RestartOnFailure, RestartNever)
	oneOf(f, "image_policy", s.ImagePolicy, ImagePinned, ImageFollow)
	oneOf(f, "image_pull", s.ImagePull, ImagePullMissing, ImagePullAlways, ImagePullNever)
	oneOf(f, "quota_exceeded", s.QuotaExceeded, QuotaTell, QuotaStop)
	if _, ok := SignalNumber(s.Stop.Signal); !ok && s.Stop.Signal != "" {
		f.add("stop.signal", fmt.Sprintf("%s is no signal that can ask a process to stop", Quote(s.Stop.Signal)))
	}
	if s.Stop.Timeout < 0 || time.Duration(s.Stop.Timeout) > MaxStopTimeout {
		f.add("stop.timeout", "must be from 0s to "+MaxStopTimeout.String())
	}
	if !validHostname(s.Hostname) {
		f.add("hostname", fmt.Sprintf("must be labels of letters, digits and '-', with dots between, of at most %d bytes in all", maxHostname))
	}
	if !validUser(s.User) {
		f.add("user", "must be a name or a uid, with :group or :gid if wanted")
	}
}

func oneOf[T ~string](f *faults, field string, v T, allowed ...T) {
	names := make([]string, len(allowed))
	for i, a := range allowed {
		if v == a {
			return
		}
		names[i] = string(a)
	}
	f.add(field, "must be "+strings.Join(names, " or "))
}

var userPart = regexp.MustCompile(`^([0-9]{1,10}|[a-zA-Z_][a-zA-Z0-9_.-]{0,31}\$?)$`)

func validUser(user string) bool {
	if user == "" {
		return true
	}
	name, group, hasGroup := strings.Cut(user, ":")
	return validUserPart(name) && (!hasGroup || validUserPart(group))
}

func validUserPart(part string) bool {
	if !userPart.MatchString(part) {
		return false
	}
	if part[0] < '0' || part[0] > '9' {
		return true
	}
	_, ok := parseUserID(part)
	return ok
}

// Quote makes a client's text fit for a message: one line, and short. What has double quotes or backslashes of its
// own is shown as it is, in single quotes, where nothing else in it has to be escaped.
func Quote(s string) string {
	more := ""
	if len(s) > maxQuotedInError {
		s, more = s[:maxQuotedInError], "..."
	}
	escaped := func(r rune) bool { return r == '\'' || r == utf8.RuneError || !strconv.IsPrint(r) }
	if strings.ContainsAny(s, `"\`) && !strings.ContainsFunc(s, escaped) {
		return "'" + s + "'" + more
	}
	return strconv.Quote(s) + more
}
