package engine_test

import (
	"context"
	"os"
	"reflect"
	"slices"
	"testing"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/drift"
	"lightd/observed/engine"
)

// TestSimulationShowsTheBlueprint creates containers with every field that a spec has, of
// an image that sets each of its own.
func TestSimulationShowsTheBlueprint(t *testing.T) {
	sim, host := harness.SimHost(t, simengine.Options{AnyMounts: true})
	sim.AddImage("much", simengine.ImageConfig{
		User: "daemon", Entrypoint: []string{"/entry"}, Cmd: []string{"its", "own"}, WorkingDir: "/opt", StopSignal: "SIGQUIT",
		Env:     []string{"PATH=/usr/bin", "FROM_IMAGE=1", "BOTH=image"},
		Labels:  map[string]string{"from": "image"},
		Volumes: []string{"/anonymous"},
	})
	e := newEngine(t, engine.Config{Host: host, Instance: uuid()})
	shows(t, e, "much")
}

func fullSpec(id, image string) desired.Container {
	s := desired.DefaultSpec()
	s.InternalID, s.Image, s.StartupCommand = id, image, "echo \"a\"\nexec sleep 1000"
	s.Env = map[string]string{"B": "2", "A": "a b=c", "BOTH": "spec", "EMPTY": ""}
	s.Ports = []desired.Port{
		{IP: "127.0.0.1", Port: 39881, Protocol: desired.TCP, ContainerPort: 80},
		{IP: "127.0.0.1", Port: 39882, Protocol: desired.UDP, ContainerPort: 39882},
		{IP: "127.0.0.1", Port: 39883, Protocol: desired.TCP, ContainerPort: 80},
	}
	s.Limits = desired.Limits{Memory: 64 << 20, CPU: 0.5, PIDs: 100, CPUSet: "0", MemoryReservation: 32 << 20}
	s.User, s.TTY, s.Init, s.Stop.Signal, s.Hostname = "1000:1000", false, false, "SIGINT", "game-1.example"
	return desired.Container{Spec: s, Generation: 7}
}

// shows compares what the engine shows of containers with their blueprints.
func shows(t *testing.T, e *engine.Engine, image string) {
	t.Helper()
	known, err := e.Image(t.Context(), image)
	if err != nil {
		t.Fatal(err)
	}
	if known.User != "daemon" || !slices.Contains(known.Env, "FROM_IMAGE=1") || !slices.Equal(known.Volumes, []string{"/anonymous"}) {
		t.Errorf("the image shows %+v", known)
	}
	at := blueprint.HostPaths{Instance: e.Instance(), Volume: t.TempDir(), Data: t.TempDir(), ImageVolumes: t.TempDir(), Log: blueprint.Logs("1m", 2)}
	full := fullSpec(e.Instance(), image)
	full.Mount = map[string]desired.Mount{"/data": {Source: t.TempDir()}, "/a": {Source: t.TempDir()}}
	bare := desired.Container{Spec: desired.DefaultSpec(), Generation: 1}
	bare.InternalID, bare.Image, bare.StartupCommand = e.Instance()+"-bare", image, "true"
	for name, b := range map[string]blueprint.Blueprint{
		"run":     blueprint.Run(full, at, image, 3),
		"bare":    blueprint.Run(bare, at, image, 1),
		"install": blueprint.Install(full, at, image, 3),
		"volumes": blueprint.Install(bare, at, image, 3).WithImageVolumes(at, known.Volumes),
	} {
		for _, v := range b.Volumes {
			if err := os.Mkdir(v.Directory, 0o755); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = e.RemoveVolume(context.WithoutCancel(t.Context()), v.Name) })
		}
		id := create(t, e, b)
		got, want := inspect(t, e, id), *b.AsCreated(id, known)
		if d := drift.Compare(b, got, known); len(d) > 0 {
			t.Errorf("%s: what was just made differs: %+v", name, d)
		}
		// What the image adds, and in which order Docker tells.
		want.Env = append(want.Env, "PATH=/usr/bin", "FROM_IMAGE=1")
		if name != "run" {
			want.Env = append(want.Env, "BOTH=image")
			want.User = "daemon"
		}
		if len(b.Volumes) > 0 {
			want.Mounts = slices.DeleteFunc(want.Mounts, func(m observed.Mount) bool { return m.Target == "/anonymous" })
		}
		volume := slices.IndexFunc(got.Mounts, func(m observed.Mount) bool { return m.Target == "/anonymous" })
		if volume < 0 || got.Mounts[volume].Source == "" {
			t.Fatalf("%s: no volume of the image in %v", name, got.Mounts)
		}
		if asked := slices.Contains(b.AllMounts(), got.Mounts[volume]); asked != (len(b.Volumes) > 0) {
			t.Errorf("%s: its volume is %v, asked for: %t", name, got.Mounts[volume], asked)
		}
		want.Mounts = append(want.Mounts, got.Mounts[volume])
		if got.Limits.Swap == desired.UnlimitedSwap {
			want.Limits.Swap = desired.UnlimitedSwap
		}
		for _, c := range []*observed.Container{&got, &want} {
			slices.Sort(c.Env)
			slices.SortFunc(c.Mounts, func(a, b observed.Mount) int { return len(a.Target) - len(b.Target) })
			slices.SortFunc(c.Binds, func(a, b desired.Port) int { return a.Port - b.Port })
			c.Cmd, c.Binds = append([]string{}, c.Cmd...), append([]desired.Port{}, c.Binds...)
		}
		g, w := reflect.ValueOf(got), reflect.ValueOf(want)
		for i := range g.NumField() {
			if field := g.Type().Field(i); !reflect.DeepEqual(g.Field(i).Interface(), w.Field(i).Interface()) {
				t.Errorf("%s: %s is %v, want %v", name, field.Name, g.Field(i), w.Field(i))
			}
		}
	}
}
