package engine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"lightd/observed"
)

// TestSecurity: each way in which Docker can be asked for more is shown, and nothing of what it fills
// in by itself.
func TestSecurity(t *testing.T) {
	preset := observed.EngineCapabilities()
	for want, host := range map[string]container.HostConfig{
		"[]": {IpcMode: "private", NetworkMode: "default", MaskedPaths: []string{"/proc/kcore"}, ReadonlyPaths: []string{"/proc/sys"},
			SecurityOpt: []string{"no-new-privileges=true"}},
		"[privileged security_opt=label=disable]":      {Privileged: true, SecurityOpt: []string{"label=disable"}},
		"[network=host pid=host userns=host uts=host]": {PidMode: "host", UTSMode: "host", UsernsMode: "host", NetworkMode: "host"},
		"[network=container:x pid=container:x]":        {PidMode: "container:x", NetworkMode: "container:x"},
		"[device=/dev/sda device_cgroup_rule=a *:* rwm device_request=nvidia]": {Resources: container.Resources{
			Devices: []container.DeviceMapping{{PathOnHost: "/dev/sda"}}, DeviceCgroupRules: []string{"a *:* rwm"},
			DeviceRequests: []container.DeviceRequest{{Driver: "nvidia"}},
		}},
		"[security_opt=apparmor=unconfined security_opt=seccomp=unconfined]": {SecurityOpt: []string{"seccomp=unconfined", "apparmor=unconfined"}},
		"[systempaths=unconfined]": {MaskedPaths: []string{}, ReadonlyPaths: []string{}},
		"[cgroup=x cgroup_parent=/ group_add=docker oom_score_adj=-1000 sysctl=kernel.x=1 volumes_from=x]": {
			Cgroup: "x", GroupAdd: []string{"docker"}, OomScoreAdj: -1000, Sysctls: map[string]string{"kernel.x": "1"},
			VolumesFrom: []string{"x"}, Resources: container.Resources{CgroupParent: "/"},
		},
	} {
		if got := fmt.Sprint(security(&host, nil).Privileges); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	shared := []container.MountPoint{{Destination: "/x", Propagation: mount.PropagationRShared}, {Destination: "/y", Propagation: "rprivate"}}
	if got := fmt.Sprint(security(&container.HostConfig{}, shared).Privileges); got != "[propagation=/x:rshared]" {
		t.Errorf("got %s", got)
	}
	for _, c := range []struct {
		host container.HostConfig
		want []string
	}{
		{container.HostConfig{}, preset},
		{container.HostConfig{CapDrop: []string{"all"}, CapAdd: []string{"cap_chown", "NET_RAW"}}, []string{"CHOWN", "NET_RAW"}},
		{container.HostConfig{CapAdd: []string{"ALL"}, CapDrop: []string{"CAP_MKNOD"}}, []string{"ALL", "-MKNOD"}},
		{container.HostConfig{CapAdd: []string{"SYS_ADMIN"}, CapDrop: slices.Clone(preset[1:])}, []string{"AUDIT_WRITE", "SYS_ADMIN"}},
		{container.HostConfig{Privileged: true, CapDrop: []string{"ALL"}}, []string{"ALL"}},
	} {
		if got := security(&c.host, nil).Capabilities; !slices.Equal(got, c.want) {
			t.Errorf("%v, %v: got %v, want %v", c.host.CapAdd, c.host.CapDrop, got, c.want)
		}
	}
}
