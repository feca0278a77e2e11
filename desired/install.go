package desired

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// InstallHome is where the install container has the volume unless its spec says otherwise.
const InstallHome = "/home/container"

// Install is an installation that needs more than a script: the long form of Spec.InstallScript, and never
// beside it. None of it is a parameter of the run container's: a change recreates nothing, and counts from the
// next installation on.
type Install struct {
	// Script is what is run, once.
	Script string `json:"script"`
	// Image is what the install container is made from; empty is that of the server. With one of its own nothing
	// but what is in the volume is kept.
	Image string `json:"image"`
	// Entrypoint is the program that is given the script, by its path or its name in PATH; empty is the one that
	// the script names after its #!, and /bin/sh where it names none.
	Entrypoint string `json:"entrypoint"`
	// Mount is where the install container has the volume; empty is InstallHome.
	Mount string `json:"mount"`
	// Env is added to the environment of the server, and wins over it.
	Env map[string]string `json:"env"`
	// User is a uid, with :gid if wanted, or root; empty is root.
	User string `json:"user"`
	// Timeout bounds the script; 0 is the operator's bound.
	Timeout Duration `json:"timeout"`
}

// Bounds of an Install.
const (
	minInstallTimeout = time.Second
	maxInstallTimeout = 24 * time.Hour
	maxEntrypoint     = 256
)

// Installation returns how s is installed, in its long form; without a script there is none.
func (s Spec) Installation() Install {
	if s.Install == nil {
		return Install{Script: s.InstallScript}
	}
	return *s.Install
}

// Home is where the install container has the volume.
func (i Install) Home() string { return cmp.Or(i.Mount, InstallHome) }

// Equal reports whether i and other are the same; nil is no installation of that form.
func (i *Install) Equal(other *Install) bool {
	if i == nil || other == nil {
		return i == other
	}
	return i.Script == other.Script && i.Image == other.Image && i.Entrypoint == other.Entrypoint && i.Mount == other.Mount &&
		maps.Equal(i.Env, other.Env) && i.User == other.User && i.Timeout == other.Timeout
}

// clone returns a copy that shares no memory with i.
func (i *Install) clone() *Install {
	if i == nil {
		return nil
	}
	copied := *i
	copied.Env = maps.Clone(i.Env)
	return &copied
}

func (i *Install) normalize() {
	if i != nil {
		i.Env = orEmpty(i.Env)
	}
}

// installEntrypoint is a program by its absolute path or its name, in one word.
var installEntrypoint = regexp.MustCompile(`^(/[a-zA-Z0-9_./+-]+|[a-zA-Z0-9_][a-zA-Z0-9_.+-]*)$`)

// checkInstall checks an installation. Its image may be the one that old has, whatever the operator allows now.
func (f *faults) checkInstall(s, old Spec, r Rules) {
	i := s.Install
	if i == nil {
		return
	}
	if s.InstallScript != "" {
		f.add("install", "must not be given beside install_script, which is its short form")
	}
	if i.Script == "" {
		f.add("install.script", "is required")
	}
	f.checkText("install.script", i.Script, maxScript)
	f.checkInstallImage(s, old.Installation().Image, r)
	if len(i.Entrypoint) > maxEntrypoint || i.Entrypoint != "" && !installEntrypoint.MatchString(i.Entrypoint) {
		f.add("install.entrypoint", fmt.Sprintf("%s must be the name or the absolute path of a program in one word, as in bash or /bin/ash", Quote(i.Entrypoint)))
	}
	f.checkInstallMount(s)
	f.checkVariables("install.env", i.Env)
	if _, _, ok := InstallUser(i.User); !ok {
		f.add("install.user", "must be root, or a uid, with :gid if wanted: names are known to the image alone")
	}
	if i.Timeout != 0 && (time.Duration(i.Timeout) < minInstallTimeout || time.Duration(i.Timeout) > maxInstallTimeout) {
		f.add("install.timeout", fmt.Sprintf("must be from %s to %s, or 0s for the operator's timeouts.install", minInstallTimeout, maxInstallTimeout))
	}
}

func (f *faults) checkInstallImage(s Spec, old string, r Rules) {
	image := s.Install.Image
	switch {
	case image == "":
	case len(image) > maxImage:
		f.add("install.image", fmt.Sprintf("must be at most %d bytes", maxImage))
	default:
		if image == old {
			r.AllowedImages = nil
		}
		err := r.CheckImage(image, s.InternalID)
		if err == nil && image != old {
			err = r.checkRegistry(image)
		}
		if err != nil {
			f.add("install.image", err.Error())
		}
	}
}

// checkInstallMount keeps the volume away from what the install container has besides.
func (f *faults) checkInstallMount(s Spec) {
	at := s.Install.Mount
	if at == "" || !f.checkText("install.mount", at, maxPath) {
		return
	}
	overlaps := func(other string) bool { return Inside(at, other) || Inside(other, at) }
	closed := slices.DeleteFunc(slices.Clone(closedTargets), func(target string) bool { return target == InstallHome })
	switch {
	case !cleanAbs(at) || strings.ContainsAny(at, ":,'\\") || strings.ContainsFunc(at, unicode.IsSpace) || strings.ContainsFunc(at, unicode.IsControl):
		f.add("install.mount", fmt.Sprintf("the path %s must be absolute and clean, without blanks, ':', ',', quotes and control characters", Quote(at)))
	case closedFiles[at] || slices.ContainsFunc(closed, overlaps):
		f.add("install.mount", "nothing may be mounted there")
	case slices.ContainsFunc(slices.Collect(maps.Keys(s.Mount)), overlaps):
		f.add("install.mount", "must be neither inside nor around a path of mount")
	}
}

// InstallUser returns the ids of Install.User, and whether it is one. A group that it does not name is 0, as Docker
// has it.
func InstallUser(user string) (uid, gid int64, ok bool) {
	if user == "" || user == "root" {
		return 0, 0, true
	}
	name, group, grouped := strings.Cut(user, ":")
	uid, ok = parseUserID(name)
	if ok && grouped {
		gid, ok = parseUserID(group)
	}
	return uid, gid, ok
}

func parseUserID(text string) (id int64, ok bool) {
	if len(text) > 10 {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		id = id*10 + int64(c-'0')
	}
	return id, text != "" && id <= maxUserID
}
