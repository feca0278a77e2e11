package blueprint

import (
	"fmt"
	"slices"
	"strings"

	"lightd/observed"
)

// Capabilities are those that root has in the two kinds of container; nil is the default of each.
type Capabilities struct {
	Run, Install []string
}

// DefaultCapabilities are what servers need that begin as root and go on as another user, and what
// package managers need besides.
func DefaultCapabilities() Capabilities {
	run := []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"}
	return Capabilities{Run: run, Install: withNames(run, "AUDIT_WRITE", "SETFCAP", "SYS_CHROOT")}
}

// grantable are the capabilities that an operator may add to EngineCapabilities. The others give
// the host away, or reach what no namespace separates.
var grantable = []string{"IPC_LOCK", "NET_ADMIN", "SYS_NICE", "SYS_PTRACE", "SYS_RESOURCE"}

// NormalCapabilities returns a list of an operator as it is compared: sorted, without the prefix CAP_
// and in capitals; never nil. An error names what cannot be given.
func NormalCapabilities(list []string) ([]string, error) {
	allowed, normal := withNames(observed.EngineCapabilities(), grantable...), []string{}
	for _, name := range list {
		one := strings.TrimPrefix(strings.ToUpper(name), "CAP_")
		if !slices.Contains(allowed, one) {
			return nil, fmt.Errorf("%q is no capability that containers can be given; there are %s", name, strings.Join(allowed, ", "))
		}
		normal = withNames(normal, one)
	}
	return normal, nil
}

// of returns those of one kind of container.
func (c Capabilities) of(role observed.Role) []string {
	preset := DefaultCapabilities()
	switch {
	case role == observed.RoleInstall && c.Install != nil:
		return c.Install
	case role == observed.RoleInstall:
		return preset.Install
	case c.Run != nil:
		return c.Run
	}
	return preset.Run
}

// withNames returns a list with names added, sorted.
func withNames(list []string, names ...string) []string {
	all := append(slices.Clone(list), names...)
	slices.Sort(all)
	return slices.Compact(all)
}

// private is the mode of a namespace that a container shares with nothing.
const private = "private"

// security is what separates each container from the host. Docker's own profiles of seccomp and
// AppArmor apply, as nothing takes them away, and so do its own namespaces for the rest.
func security(capabilities []string) observed.Security {
	return observed.Security{Capabilities: capabilities, NoNewPrivileges: true, IPC: private, Cgroupns: private}
}
