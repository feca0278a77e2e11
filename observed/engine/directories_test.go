package engine

import (
	"slices"
	"testing"
)

func TestDirectories(t *testing.T) {
	for name, c := range map[string]struct {
		root, containerd string
		want             []string
	}{
		"usual":        {"/var/lib/docker", "/run/containerd/containerd.sock", []string{"/var/lib/docker", "/run/containerd"}},
		"its own":      {"/var/lib/docker", "/var/run/docker/containerd/containerd.sock", []string{"/var/lib/docker", "/var/run/docker"}},
		"elsewhere":    {"/srv/docker/", "unix:///srv/run/containerd.sock", []string{"/srv/docker", "/srv/run/containerd.sock"}},
		"mapped users": {"/srv/docker/100000.100000", "", []string{"/srv/docker/100000.100000", "/srv/docker"}},
		"none":         {"", "", nil},
		"another host": {`C:\ProgramData\docker`, `\\.\pipe\containerd`, nil},
	} {
		if got := directories(c.root, c.containerd); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
