package blueprint_test

import (
	"reflect"
	"slices"
	"testing"

	"lightd/desired"
	"lightd/hack/eventually"
	"lightd/observed"
	"lightd/observed/blueprint"
)

func TestMain(m *testing.M) { eventually.Main(m) }

var place = blueprint.HostPaths{Instance: "i", Volume: "/v/1", Data: "/d/a", Log: blueprint.Logs("2m", 5)}

func spec() desired.Container {
	s := desired.DefaultSpec()
	s.InternalID, s.StartupCommand = "a", "run"
	s.Env = map[string]string{"B": "2", "A": "1"}
	s.Mount = map[string]desired.Mount{"/y": {Source: "/srv/y"}, "/x": {Source: "/srv/x", ReadOnly: true}}
	s.User = "1000"
	s.Ports = []desired.Port{{IP: "0.0.0.0", Port: 1, Protocol: desired.TCP, ContainerPort: 2}}
	return desired.Container{Spec: s, Generation: 4}
}

func TestRun(t *testing.T) {
	c := spec()
	b := blueprint.Run(c, place, "img", 3)
	labels := map[string]string{
		"lightd.instance": "i", "lightd.role": "run", "lightd.id": "a", "lightd.generation": "4",
		"lightd.install": "3", "lightd.spec-hash": c.Hash("img"), "lightd.command": "run",
	}
	if b.Name != "lightd-a" || b.Image != "img" || !reflect.DeepEqual(b.Labels, labels) {
		t.Errorf("%s of %s, labels %v", b.Name, b.Image, b.Labels)
	}
	if want := []string{"A=1", "B=2", "TINI_KILL_PROCESS_GROUP=1"}; !slices.Equal(b.Env, want) {
		t.Errorf("env %v", b.Env)
	}
	mounts := []observed.Mount{
		{Source: "/v/1", Target: "/home/container"}, {Source: "/d/a", Target: "/app/data", ReadOnly: true},
		{Source: "/srv/x", Target: "/x", ReadOnly: true}, {Source: "/srv/y", Target: "/y"},
	}
	if !slices.Equal(b.Mounts, mounts) || !slices.Equal(b.Ports, c.Ports) {
		t.Errorf("mounts %v ports %v", b.Mounts, b.Ports)
	}
	if b.RestartPolicy != "no" || b.StopSignal != "" || !b.Init || !b.TTY || !b.OpenStdin || b.User != "1000" {
		t.Errorf("%+v", b)
	}
	if want := (observed.Log{Driver: "json-file", MaxSize: "2m", MaxFile: "5"}); b.Log != want || blueprint.Install(c, place, "img", 3).Log != want {
		t.Errorf("logs are kept as %+v", b.Log)
	}
	c.Init = false
	if b := blueprint.Run(c, place, "img", 3); b.Init || slices.Contains(b.Env, "TINI_KILL_PROCESS_GROUP=1") {
		t.Error("an init without a request")
	}
}

func TestInstallHoldsNoSecretAndNoPort(t *testing.T) {
	b := blueprint.Install(spec(), place, "img", 3)
	if b.Name != "lightd_install-a" || b.Labels[observed.LabelRole] != "install" || b.Labels[observed.LabelHash] != "" {
		t.Errorf("%s, labels %v", b.Name, b.Labels)
	}
	if len(b.Ports) != 0 || b.TTY || b.OpenStdin || b.User != "" || !slices.Equal(b.Env, []string{"TINI_KILL_PROCESS_GROUP=1"}) {
		t.Errorf("%+v", b)
	}
}

// TestImageVolumes are the same ones for both containers and for all that come after them, and
// others for another container, path or data directory. What is mounted anyway needs none.
func TestImageVolumes(t *testing.T) {
	at := place
	at.ImageVolumes = "/d/image_volumes/a"
	targets := []string{"/var/game", "/etc/game", blueprint.Home}
	run := blueprint.Run(spec(), at, "img", 3).WithImageVolumes(at, targets)
	later := spec()
	later.Generation, later.Env = 9, map[string]string{"X": "y"}
	again := blueprint.Run(later, at, "other", 4).WithImageVolumes(at, []string{"/etc/game", "/var/game"})
	install := blueprint.Install(spec(), at, "img", 3).WithImageVolumes(at, targets)
	if len(run.Volumes) != 2 || !reflect.DeepEqual(run.Volumes, install.Volumes) || !reflect.DeepEqual(run.Volumes, again.Volumes) {
		t.Fatalf("run %+v\nlater %+v\ninstall %+v", run.Volumes, again.Volumes, install.Volumes)
	}
	names := map[string]bool{}
	elsewhere, other := at, spec()
	elsewhere.ImageVolumes = "/e/image_volumes/a"
	other.InternalID = "b"
	all := slices.Concat(run.Volumes,
		blueprint.Run(spec(), elsewhere, "img", 3).WithImageVolumes(elsewhere, targets).Volumes,
		blueprint.Run(other, at, "img", 3).WithImageVolumes(at, targets).Volumes)
	for _, v := range all {
		names[v.Name] = true
		if v.Labels[observed.LabelInstance] != at.Instance || v.Labels[observed.LabelID] == "" {
			t.Errorf("labels of %s: %v", v.Name, v.Labels)
		}
	}
	if len(names) != 6 {
		t.Errorf("names %v", names)
	}
	if got := run.AsCreated("c", observed.Image{}).Mounts; len(got) != len(run.Mounts)+2 {
		t.Errorf("mounts %v", got)
	}
}

// TestIsolation: both containers are separated from the host, with the capabilities of the operator
// or the default ones, and a list of an operator holds nothing that gives the host away.
func TestIsolation(t *testing.T) {
	at := place
	at.Capabilities = blueprint.Capabilities{Run: []string{}, Install: []string{"CHOWN"}}
	preset := blueprint.DefaultCapabilities()
	for got, want := range map[*observed.Security][]string{
		new(blueprint.Run(spec(), place, "img", 3).Security):     preset.Run,
		new(blueprint.Install(spec(), place, "img", 3).Security): preset.Install,
		new(blueprint.Run(spec(), at, "img", 3).Security):        {},
		new(blueprint.Install(spec(), at, "img", 3).Security):    {"CHOWN"},
	} {
		if !slices.Equal(got.Capabilities, want) || !got.NoNewPrivileges || got.IPC != "private" || got.Cgroupns != "private" || len(got.Privileges) > 0 {
			t.Errorf("%+v, want capabilities %v", *got, want)
		}
	}
	if got, err := blueprint.NormalCapabilities([]string{"cap_net_raw", "CHOWN", "NET_RAW"}); err != nil || !slices.Equal(got, []string{"CHOWN", "NET_RAW"}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, name := range []string{"ALL", "SYS_ADMIN", "SYS_MODULE", "DAC_READ_SEARCH", "BPF", "", "CHOWN NET_RAW"} {
		if got, err := blueprint.NormalCapabilities([]string{name}); err == nil {
			t.Errorf("%q is given as %v", name, got)
		}
	}
}

func TestAsCreatedShowsWhatWasRequested(t *testing.T) {
	b := blueprint.Run(spec(), place, "img", 3)
	c := b.AsCreated("c1", observed.Image{ImageID: "sha256:x"})
	if c.ContainerID != "c1" || c.Phase != observed.Created || c.Role != observed.RoleRun || c.Generation != 4 || c.Install != 3 ||
		c.Hash != b.Labels[observed.LabelHash] || c.ImageID != "sha256:x" {
		t.Errorf("%+v", c)
	}
	// Whatever a blueprint says is shown under the same name, but for the ports.
	shown, asked := reflect.ValueOf(*c), reflect.ValueOf(b)
	other := map[string]string{"Ports": "Binds"}
	for i := range asked.NumField() {
		name := asked.Type().Field(i).Name
		if name == "Volumes" {
			continue // among the mounts
		}
		if o := other[name]; o != "" {
			name = o
		}
		if got := shown.FieldByName(name); !got.IsValid() || !reflect.DeepEqual(got.Interface(), asked.Field(i).Interface()) {
			t.Errorf("%s is %v, want %v", name, got, asked.Field(i))
		}
	}
}
