package desired

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// createTime are the fields that Docker fixes when it creates a container: a change
// of one of them is a recreation. What can be applied to a living container (limits),
// what Lightd does itself (pattern, stop, restart policy, labels) and what is intent
// alone (power) is left out on purpose. A field added here recreates every container
// of every user at the next upgrade unless its zero value is omitted.
type createTime struct {
	Image          string            `json:"image"`
	VolumeID       string            `json:"volume_id"`
	StartupCommand string            `json:"startup_command"`
	Ports          []Port            `json:"ports"`
	Mount          map[string]Mount  `json:"mount"`
	Env            map[string]string `json:"env"`
	User           string            `json:"user"`
	TTY            bool              `json:"tty"`
	Init           bool              `json:"init"`
	Hostname       string            `json:"hostname,omitempty"` // nothing for the default
	ReadOnly       bool              `json:"read_only,omitempty"`
	Tmpfs          map[string]string `json:"tmpfs,omitempty"`
	Network        string            `json:"network,omitempty"` // nothing for the default
}

// Hash identifies the parameters with which Docker creates the run container of
// s from image, which is the spec's own or the snapshot of an installation. It is
// stored as a label, so that a container itself shows which spec it was created from. Equal for
// specs that differ only in the order of ports.
func (s Spec) Hash(image string) string {
	ports := slices.Clone(s.Ports)
	slices.SortFunc(ports, func(a, b Port) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol),
			cmp.Compare(a.IP, b.IP), cmp.Compare(a.ContainerPort, b.ContainerPort))
	})
	hostname := s.Hostname
	if hostname == (Spec{InternalID: s.InternalID}).HostnameOrDefault() {
		hostname = ""
	}
	data, err := json.Marshal(createTime{
		Image: image, VolumeID: s.VolumeID, StartupCommand: s.StartupCommand, Ports: ports,
		Mount: s.Mount, Env: s.Env, User: s.User, TTY: s.TTY, Init: s.Init, Hostname: hostname,
		ReadOnly: s.ReadOnly, Tmpfs: s.Tmpfs, Network: s.Network,
	})
	if err != nil {
		panic(fmt.Sprintf("encode strings, numbers and maps of them: %v", err))
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:12])
}
