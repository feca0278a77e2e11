package drift_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lightd/desired"
	"lightd/hack/eventually"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/drift"
)

func TestMain(m *testing.M) { eventually.Main(m) }

var (
	place = blueprint.HostPaths{Instance: "i", Volume: "/v/1", Data: "/d/a", Log: blueprint.Logs("10m", 3)}
	image = observed.Image{
		Known: true, Present: true, ImageID: "sha256:1", User: "daemon",
		Env: []string{"PATH=/bin", "BOTH=image"}, Volumes: []string{"/anonymous"}, Healthcheck: []string{"CMD", "true"},
	}
)

const capabilities = "[CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETGID SETUID]"

// full is a container in which nothing is as it is by default.
func full() desired.Container {
	s := desired.DefaultSpec()
	s.InternalID, s.Image, s.VolumeID, s.StartupCommand = "a", "img", "1", "run"
	s.Ports = []desired.Port{
		{IP: "0.0.0.0", Port: 7, Protocol: desired.TCP, ContainerPort: 8}, {IP: "127.0.0.1", Port: 9, Protocol: desired.UDP, ContainerPort: 9},
	}
	s.Limits = desired.Limits{Memory: 1 << 28, Swap: 1 << 20, CPU: 0.5, PIDs: 100}
	s.Mount = map[string]desired.Mount{"/x": {Source: "/srv/x", ReadOnly: true}}
	s.Env = map[string]string{"A": "1", "BOTH": "ours"}
	s.User, s.TTY, s.Stop.Signal = "1000", false, "SIGINT"
	s.ReadOnly, s.Tmpfs = true, map[string]string{"/tmp": "64m"}
	return desired.Container{Spec: s, Generation: 3}
}

// shown is what Docker shows of a container of b on image.
func shown(b blueprint.Blueprint) observed.Container {
	c := *b.AsCreated("c1", image)
	c.Env = append(slices.Clone(c.Env), "PATH=/bin")
	c.Mounts = append(slices.Clone(c.Mounts), observed.Mount{Source: "0123", Target: "/anonymous"})
	slices.Reverse(c.Env)
	slices.Reverse(c.Mounts)
	c.Binds = slices.Clone(c.Binds)
	slices.Reverse(c.Binds)
	c.Labels = maps.Clone(c.Labels)
	return c
}

func text(list []drift.Difference) string {
	var lines []string
	for _, d := range list {
		line := fmt.Sprintf("%s: %v, is %v", d.Path, d.Desired, d.Observed)
		if d.Deferred() {
			line += " (waits)"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

// TestImageVolumes: a volume of Docker's own in the place of ours waits for the next recreation,
// as it goes with its container; any other is a difference like that of any mount.
func TestImageVolumes(t *testing.T) {
	at := blueprint.HostPaths{Instance: "i", ImageVolumes: "/d/a"}
	want := blueprint.Run(full(), at, "img", 1).WithImageVolumes(at, image.Volumes)
	for source, expected := range map[string]string{
		want.Volumes[0].Name:     "",
		strings.Repeat("0a", 32): "image_volume./anonymous: " + want.Volumes[0].Name + ", is " + strings.Repeat("0a", 32) + " (waits)",
		"other":                  "mount./anonymous: " + want.Volumes[0].Name + ", is other",
	} {
		have := *want.AsCreated("c1", image)
		have.Env = append(slices.Clone(have.Env), "PATH=/bin")
		have.Mounts[len(have.Mounts)-1].Source = source
		if got := text(drift.Compare(want, have, image)); got != expected {
			t.Errorf("%s: got %q, want %q", source, got, expected)
		}
	}
}

// fields is a table of what a client may have done to a container, by the field of the
// observation that shows it.
var fields = map[string][]struct {
	do   func(c *observed.Container)
	want string
}{
	"Name":       {{func(c *observed.Container) { c.Name = "x" }, "name: lightd-a, is x"}},
	"Image":      {{func(c *observed.Container) { c.Image = "other" }, "image: img, is other"}},
	"Entrypoint": {{func(c *observed.Container) { c.Entrypoint = []string{"sh"} }, "entrypoint: [/bin/sh /app/data/entrypoint.sh], is [sh]"}},
	"Cmd":        {{func(c *observed.Container) { c.Cmd = []string{"x"} }, "command: [], is [x]"}},
	"WorkingDir": {{func(c *observed.Container) { c.WorkingDir = "/" }, "working_dir: /home/container, is /"}},
	"User":       {{func(c *observed.Container) { c.User = "0" }, "user: 1000, is 0"}},
	"Hostname":   {{func(c *observed.Container) { c.Hostname = "x" }, "hostname: a, is x"}},
	"TTY":        {{func(c *observed.Container) { c.TTY = true }, "tty: false, is true"}},
	"OpenStdin":  {{func(c *observed.Container) { c.OpenStdin = false }, "open_stdin: true, is false"}},
	"Init":       {{func(c *observed.Container) { c.Init = false }, "init: true, is false"}},
	"Env": {
		{func(c *observed.Container) {
			c.Env = slices.DeleteFunc(c.Env, func(s string) bool { return s == "A=1" })
		}, "env.A: 1, is <nil>"},
		{func(c *observed.Container) { c.Env = append(c.Env, "A=secret") }, "env.A: 1, is (hidden)"},
		{func(c *observed.Container) { c.Env = append(c.Env, "OTHER=secret") }, "env.OTHER: <nil>, is (hidden)"},
		{func(c *observed.Container) { c.Env = append(c.Env, "OTHER") }, "env.OTHER: <nil>, is (hidden)"},
		{func(c *observed.Container) { c.Env = append(c.Env, "PATH=/sbin") }, "env.PATH: <nil>, is (hidden)"},
		{func(c *observed.Container) { c.Env = append(c.Env, "BOTH=image") }, "env.BOTH: ours, is (hidden)"},
	},
	"Mounts": {
		{func(c *observed.Container) { c.Mounts = c.Mounts[:len(c.Mounts)-1] }, "mount./home/container: /v/1, is <nil>"},
		{func(c *observed.Container) { c.Mounts = append(c.Mounts, observed.Mount{Source: "/y", Target: "/x"}) }, "mount./x: /srv/x:ro, is /y"},
		{func(c *observed.Container) {
			c.Mounts = append(c.Mounts, observed.Mount{Source: "/srv/x", Target: "/x"})
		}, "mount./x: /srv/x:ro, is /srv/x"},
		{func(c *observed.Container) {
			c.Mounts = append(c.Mounts, observed.Mount{Source: "/d/a", Target: "/app/data"})
		}, "mount./app/data: /d/a:ro, is /d/a"},
		{func(c *observed.Container) { c.Mounts = append(c.Mounts, observed.Mount{Source: "/etc", Target: "/e"}) }, "mount./e: <nil>, is /etc"},
	},
	"Binds": {
		{func(c *observed.Container) { c.Binds = c.Binds[1:] }, "ports: [{0.0.0.0 7 0 tcp 8} {127.0.0.1 9 0 udp 9}], is [{0.0.0.0 7 0 tcp 8}]"},
		{func(c *observed.Container) { c.Binds[0].ContainerPort = 1 }, "ports: [{0.0.0.0 7 0 tcp 8} {127.0.0.1 9 0 udp 9}], is [{127.0.0.1 9 0 udp 1} {0.0.0.0 7 0 tcp 8}]"},
	},
	"Limits": {
		{func(c *observed.Container) { c.Limits.Memory = 0 }, "limits.memory: 268435456, is 0"},
		{func(c *observed.Container) { c.Limits.Swap = 0 }, "limits.swap: 1048576, is 0"},
		{func(c *observed.Container) { c.Limits.Swap = -1 }, ""},
		{func(c *observed.Container) { c.Limits.CPU = 0.25 }, "limits.cpu: 0.5, is 0.25"},
		{func(c *observed.Container) { c.Limits.CPU += 1e-12 }, ""},
		{func(c *observed.Container) { c.Limits.PIDs = 0 }, "limits.pids: 100, is 0"},
	},
	"StopSignal":    {{func(c *observed.Container) { c.StopSignal = "SIGTERM" }, "stop.signal: SIGINT, is SIGTERM (waits)"}},
	"RestartPolicy": {{func(c *observed.Container) { c.RestartPolicy = "always" }, "restart_policy: no, is always"}},
	"Log": {
		{func(c *observed.Container) { c.Log.Driver = "none" }, "log.driver: json-file, is none (waits)"},
		{func(c *observed.Container) { c.Log.MaxSize = "" }, "log.max_size: 10m, is  (waits)"},
		{func(c *observed.Container) { c.Log.MaxFile = "1" }, "log.max_file: 3, is 1 (waits)"},
	},
	"Networks": {
		{func(c *observed.Container) { c.Networks = nil }, "networks: [lightd], is []"},
		{func(c *observed.Container) { c.Networks = []string{"lan"} }, "networks: [lightd], is [lan]"},
		{func(c *observed.Container) { c.Networks = []string{"lan", "lightd"} }, "networks: [lightd], is [lan lightd] (waits)"},
		{func(c *observed.Container) { c.Networks = []string{"bridge"} }, "networks: [lightd], is [bridge]"},
		{func(c *observed.Container) { c.NetworkMode, c.Networks = "bridge", []string{"bridge"} }, "networks: [lightd], is [bridge] (waits)"},
		{func(c *observed.Container) { c.NetworkMode, c.Networks = "bridge", nil }, "networks: [lightd], is []"},
	},
	"ReadOnly": {{func(c *observed.Container) { c.ReadOnly = false }, "read_only: true, is false"}},
	"Tmpfs": {
		{func(c *observed.Container) { c.Tmpfs = nil }, "tmpfs./tmp: nosuid,nodev,exec,mode=1777,size=64m, is <nil>"},
		{func(c *observed.Container) { c.Tmpfs = map[string]string{"/tmp": "suid", "/x": ""} }, "tmpfs./tmp: nosuid,nodev,exec,mode=1777,size=64m, is suid; tmpfs./x: <nil>, is "},
	},
	"Healthcheck": {
		{func(c *observed.Container) { c.Healthcheck = nil }, "healthcheck: [NONE], is [] (waits)"},
		{func(c *observed.Container) { c.Healthcheck = []string{"CMD", "true"} }, "healthcheck: [NONE], is [CMD true] (waits)"},
		{func(c *observed.Container) { c.Healthcheck = []string{"CMD", "false"} }, "healthcheck: [NONE], is [CMD false]"},
	},
	"Labels": {
		{func(c *observed.Container) { c.Labels["lightd.instance"] = "x" }, "labels.lightd.instance: i, is x"},
		{func(c *observed.Container) { c.Labels["lightd.id"] = "x" }, "labels.lightd.id: a, is x"},
		{func(c *observed.Container) { c.Labels["lightd.role"] = "install" }, "labels.lightd.role: run, is install"},
		{func(c *observed.Container) { c.Labels["lightd.command"] = "x" }, "startup_command: run, is x"},
		{func(c *observed.Container) { delete(c.Labels, "lightd.command") }, ""},
	},
	"Security": {
		{func(c *observed.Container) { c.Security.Privileges = []string{"pid=host", "privileged"} }, "privileges: [], is [pid=host privileged]"},
		{func(c *observed.Container) { c.Security.Capabilities = []string{"ALL"} }, "capabilities: " + capabilities + ", is [ALL]"},
		{func(c *observed.Container) { c.Security.Capabilities = []string{"NET_ADMIN"} }, "capabilities: " + capabilities + ", is [NET_ADMIN]"},
		{func(c *observed.Container) { c.Security.Capabilities = []string{"NET_RAW"} }, "capabilities: " + capabilities + ", is [NET_RAW] (waits)"},
		{func(c *observed.Container) { c.Security.Capabilities = nil }, "capabilities: " + capabilities + ", is [] (waits)"},
		{func(c *observed.Container) { c.Security.NoNewPrivileges = false }, "no_new_privileges: true, is false (waits)"},
		{func(c *observed.Container) { c.Security.IPC = "host" }, "ipc: private, is host"},
		{func(c *observed.Container) { c.Security.IPC = "shareable" }, "ipc: private, is shareable (waits)"},
		{func(c *observed.Container) { c.Security.Cgroupns = "host" }, "cgroupns: private, is host (waits)"},
	},
	"Hash": {
		{func(c *observed.Container) { c.Hash = "x" }, "labels.lightd.spec-hash: " + full().Hash("img") + ", is x"},
		{func(c *observed.Container) { c.Hash, c.User = "x", "0" }, "user: 1000, is 0"},
	},
}

// incomparable are the fields that do not show whether a container is as it should be.
var incomparable = map[string]string{
	"ContainerID": "Docker's own", "Role": "the label of that name", "Phase": "what the process does is for the plan",
	"StartedAt": "as Phase", "FinishedAt": "as Phase", "ExitCode": "as Phase", "OOMKilled": "as Phase", "Unwatched": "as Phase", "PID": "as Phase", "EndRequested": "as Phase",
	"Generation": "records when it was created", "Install": "records when it was created",
	"ImageID": "what a tag means now is for the plan", "Endpoint": "changes with each start", "NetworkID": "as Endpoint", "Address": "as Endpoint",
	"NetworkMode": "decides what becomes of a difference of Networks",
	"Enforced":    "what the kernel has of a running process is for the plan",
	"Published":   "what the engine has bound of a running process is for the plan",
}

// TestEveryField leaves no field of a container, and none of a blueprint, that is neither
// compared nor named with the reason why it is not.
func TestEveryField(t *testing.T) {
	known := func(name string) bool { return fields[name] != nil || incomparable[name] != "" }
	for _, f := range reflect.VisibleFields(reflect.TypeFor[observed.Container]()) {
		if !f.Anonymous && !known(f.Name) {
			t.Errorf("field %s of a container is not compared, without a reason", f.Name)
		}
	}
	for f := range reflect.TypeFor[blueprint.Blueprint]().Fields() {
		if f.Name != "Ports" && f.Name != "Volumes" && f.Name != "NetworkMode" && fields[f.Name] == nil { // Binds, Mounts and Networks of a container
			t.Errorf("field %s of a blueprint is not compared", f.Name)
		}
	}
}

func TestCompare(t *testing.T) {
	want := blueprint.Run(full(), place, "img", 1)
	if got := text(drift.Compare(want, shown(want), image)); got != "" {
		t.Errorf("what was just made differs: %s", got)
	}
	for name, cases := range fields {
		for i, c := range cases {
			have := shown(want)
			c.do(&have)
			if got := text(drift.Compare(want, have, image)); got != c.want {
				t.Errorf("%s %d: got %q, want %q", name, i, got, c.want)
			}
		}
	}
}

// TestCompareDefaults: what a spec leaves to the image is as the image has it.
func TestCompareDefaults(t *testing.T) {
	c := full()
	c.User, c.Limits, c.Ports = "", desired.Limits{PIDs: 512}, nil
	want := blueprint.Run(c, place, "img", 1)
	for what, one := range map[string]struct {
		do    func(*observed.Container)
		image observed.Image
		want  string
	}{
		"as made":                 {func(*observed.Container) {}, image, ""},
		"another user":            {func(c *observed.Container) { c.User = "0" }, image, "user: daemon, is 0"},
		"another user, no image":  {func(c *observed.Container) { c.User = "0" }, observed.Image{}, ""},
		"more env, no image":      {func(c *observed.Container) { c.Env = append(c.Env, "X=1") }, observed.Image{Known: true}, ""},
		"more mounts, no image":   {func(c *observed.Container) { c.Mounts = append(c.Mounts, observed.Mount{Target: "/e"}) }, observed.Image{}, ""},
		"a probe, no image":       {func(c *observed.Container) { c.Healthcheck = []string{"CMD", "false"} }, observed.Image{}, "healthcheck: [NONE], is [CMD false] (waits)"},
		"less env, no image":      {func(c *observed.Container) { c.Env = nil }, observed.Image{}, "env.A: 1, is <nil>; env.BOTH: ours, is <nil>; env.TINI_KILL_PROCESS_GROUP: 1, is <nil>"},
		"swap where none matters": {func(c *observed.Container) { c.Limits.Swap = 5 }, image, ""},
		"a port":                  {func(c *observed.Container) { c.Binds = []desired.Port{{Port: 1}} }, image, "ports: [], is [{ 1 0  0}]"},
	} {
		have := shown(want)
		one.do(&have)
		if got := text(drift.Compare(want, have, one.image)); got != one.want {
			t.Errorf("%s: got %q, want %q", what, got, one.want)
		}
	}
}

// TestNoValueOfAVariableIsReported that only Docker shows, whatever else differs.
func TestNoValueOfAVariableIsReported(t *testing.T) {
	want := blueprint.Run(full(), place, "img", 1)
	have := observed.Container{Config: observed.Config{Env: []string{"A=hunter2", "B=hunter2", "PATH=hunter2"}}}
	for _, img := range []observed.Image{{}, image} {
		if got := text(drift.Compare(want, have, img)); strings.Contains(got, "hunter2") {
			t.Errorf("reported: %s", got)
		}
	}
}
