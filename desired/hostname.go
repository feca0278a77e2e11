package desired

import (
	"regexp"
	"strings"
)

// maxHostname is the kernel's bound, less one, as Docker has it.
const maxHostname = 63

// hostnamePattern is an RFC 1123 label, or several with dots between.
var hostnamePattern = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*$`)

func validHostname(name string) bool {
	return name == "" || len(name) <= maxHostname && hostnamePattern.MatchString(name)
}

// HostnameOrDefault is the host name that both containers of s have: its own, else one made of
// its internal id, which stays the same over recreations. An internal id may hold what no label
// of a host name may, at its end too.
func (s Spec) HostnameOrDefault() string {
	if s.Hostname != "" {
		return s.Hostname
	}
	return strings.TrimRight(dashes.Replace(s.InternalID), "-")
}

// dashes takes the place of what an internal id may hold and a host name may not.
var dashes = strings.NewReplacer("_", "-", ".", "-")
