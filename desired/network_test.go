package desired

import (
	"fmt"
	"strings"
	"testing"
)

// TestNetworkIsOneOfTheOperators: a spec names no network but the operator's, and publishes nothing from a
// container that has none.
func TestNetworkIsOneOfTheOperators(t *testing.T) {
	ports := []Port{{IP: "0.0.0.0", Port: 1, Protocol: TCP, ContainerPort: 1}}
	for name, c := range map[string]struct {
		network string
		ports   []Port
		want    string
	}{
		"absent":          {"", ports, ""},
		"default":         {"default", ports, ""},
		"none":            {"none", nil, ""},
		"none, published": {"none", ports, "ports: must be empty with network none"},
		"none, assigned":  {"none", []Port{{}}, "ports: must be empty with network none"},
		"listed":          {"games", ports, ""},
		"not listed":      {"backend", nil, `network: "backend" must be one of default, none, games`},
		"host":            {"host", nil, "must be one of"},
		"bridge":          {"bridge", nil, "must be one of"},
		"of a container":  {"container:lightd-a", nil, "must be one of"},
		"a namespace":     {"ns:/proc/1/ns/net", nil, "must be one of"},
		"in capitals":     {"NONE", nil, "must be one of"},
		"with a blank":    {"games ", nil, "must be one of"},
	} {
		var f faults
		f.checkNetwork(Spec{Network: c.network, Ports: c.ports}.Normalize(), Spec{}, []string{"games"})
		if got := fmt.Sprint(f.err()); c.want == "" && f.err() != nil || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %s, want %q", name, got, c.want)
		}
	}
}

// TestAllowedNetworks: the operator's list has no network by which a container would be on the host's.
func TestAllowedNetworks(t *testing.T) {
	for _, name := range []string{"games", "a", "db_1.x-y"} {
		if err := CheckAllowedNetwork(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "host", "Host", "bridge", "none", "default", "lightd", "ingress", "docker_gwbridge",
		"container:x", "ns:/proc/1/ns/net", "a b", "-a", "../x", "a\n", strings.Repeat("a", 64)} {
		if err := CheckAllowedNetwork(name); err == nil {
			t.Errorf("%q is allowed", name)
		}
	}
}

// TestHashWithoutNetwork: a container that was made before a spec could name a network is kept.
func TestHashWithoutNetwork(t *testing.T) {
	s := DefaultSpec()
	s.InternalID, s.Image, s.VolumeID, s.StartupCommand = "a", "img", "v", "run"
	const before = "8b72ac53ccd6c7ae5fd076e0" // of revisions without the field
	if got := s.Normalize().Hash("img"); got != before {
		t.Errorf("an absent network changes the hash to %s", got)
	}
	s.Network = NetworkDefault
	if got := s.Normalize().Hash("img"); got != before {
		t.Errorf("the default network changes the hash to %s", got)
	}
	for _, name := range []string{NetworkNone, "games"} {
		if s.Network = name; s.Normalize().Hash("img") == before {
			t.Errorf("network %s does not change the hash", name)
		}
	}
}
