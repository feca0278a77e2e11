package store

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"lightd/desired"
)

func TestFiftyTakersOfOnePort(t *testing.T) {
	// Each claims another address: all of them overlap the wildcards.
	ips := []string{"0.0.0.0", "::", "127.0.0.1"}
	s := openWithVolume(t, tcp("0.0.0.0", 2000), tcp("::", 2000), tcp("127.0.0.1", 2000))
	var won atomic.Int32
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			_, err := s.Create(t.Context(), spec(fmt.Sprintf("c%d", i), bind(ips[i%2], 2000)))
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, desired.ErrPortInUse):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 || len(s.Containers()) != 1 {
		t.Fatalf("%d takers got it, %d containers", won.Load(), len(s.Containers()))
	}
	for _, ip := range ips {
		_, err := s.Create(t.Context(), spec("late", bind(ip, 2000)))
		wantErr(t, err, desired.ErrPortInUse)
		if p, err := s.Port(tcp(ip, 2000)); err != nil || !p.InUse || p.InternalID != s.Containers()[0].InternalID {
			t.Errorf("%s: %+v, %v", ip, p, err)
		}
	}
	_, err := s.Create(t.Context(), spec("c", bind("127.0.0.2", 2000)))
	wantErr(t, err, desired.ErrPortNotInPool)
}

func TestFiftyTakersOfAnyPort(t *testing.T) {
	var pool []desired.Endpoint
	for i := range 40 {
		pool = append(pool, tcp("0.0.0.0", 3000+i))
	}
	s := openWithVolume(t, pool...)
	var none atomic.Int32
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if _, err := s.Create(t.Context(), spec(fmt.Sprintf("c%d", i), bind("", 0))); errors.Is(err, desired.ErrNoPorts) {
				none.Add(1)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	seen := map[int]bool{}
	for _, c := range s.Containers() {
		seen[c.Ports[0].Port] = true
	}
	if none.Load() != 10 || len(seen) != 40 {
		t.Errorf("%d went without, %d ports were given", none.Load(), len(seen))
	}
}

func TestPortsThroughALife(t *testing.T) {
	s := openWithVolume(t, tcp("0.0.0.0", 10), tcp("0.0.0.0", 11), tcp("127.0.0.1", 12), tcp("0.0.0.0", 13))
	a := create(t, s, spec("a", bind("", 0), bind("127.0.0.1", 0)))
	want := []desired.Port{{IP: "0.0.0.0", Port: 10, Protocol: desired.TCP, ContainerPort: 10}, {IP: "127.0.0.1", Port: 12, Protocol: desired.TCP, ContainerPort: 12}}
	if !reflect.DeepEqual(a.Ports, want) {
		t.Fatalf("assigned %+v", a.Ports)
	}
	again := change(t, s, "a", func(c *desired.Container) { c.Spec = spec("a", bind("", 0), bind("127.0.0.1", 0)) })
	if !reflect.DeepEqual(again, a) {
		t.Fatalf("saying the same again: %+v", again)
	}

	moved := change(t, s, "a", func(c *desired.Container) { c.Ports = []desired.Port{bind("0.0.0.0", 11)} })
	if !reflect.DeepEqual(moved.Releasing, want) || moved.Generation != 2 {
		t.Fatalf("moved: %+v", moved)
	}
	_, err := s.Create(t.Context(), spec("b", bind("0.0.0.0", 10)))
	wantErr(t, err, desired.ErrPortInUse) // it may still be bound
	wantErr(t, s.DeletePorts(t.Context(), []desired.Endpoint{tcp("0.0.0.0", 13), tcp("0.0.0.0", 10)}), desired.ErrPortInUse)

	back := change(t, s, "a", func(c *desired.Container) { c.Ports = []desired.Port{bind("0.0.0.0", 10)} })
	if len(back.Releasing) != 2 || back.Releasing[0].Port != 12 || back.Releasing[1].Port != 11 {
		t.Fatalf("taken back: %+v", back)
	}
	must(t, s.Update(t.Context(), func(tx *Tx) error {
		return tx.ReleasePorts("a", []desired.Endpoint{tcp("0.0.0.0", 11), tcp("0.0.0.0", 10), tcp("0.0.0.0", 13)})
	}))
	after, _ := s.Container("a")
	if len(after.Releasing) != 1 || after.Generation != back.Generation || after.Revision == back.Revision {
		t.Fatalf("released: %+v", after)
	}
	_, err = s.Create(t.Context(), spec("b", bind("0.0.0.0", 10)))
	wantErr(t, err, desired.ErrPortInUse) // named, and so not released
	create(t, s, spec("b", bind("0.0.0.0", 11)))

	wantErr(t, s.Update(t.Context(), func(tx *Tx) error { return tx.RemoveContainer("a") }), desired.ErrNotDeleting)
	change(t, s, "a", func(c *desired.Container) { c.Deleting = true })
	must(t, s.Update(t.Context(), func(tx *Tx) error { return tx.RemoveContainer("a") }))
	create(t, s, spec("c", bind("0.0.0.0", 10), bind("127.0.0.1", 12)))
	if _, ok := s.Container("a"); ok {
		t.Error("a is still there")
	}
}

func TestChangeThatFailsChangesNothing(t *testing.T) {
	s := openWithVolume(t, tcp("0.0.0.0", 10), tcp("0.0.0.0", 11))
	create(t, s, spec("a", bind("0.0.0.0", 10)))
	create(t, s, spec("b"))
	// The first port is free, the second is not: not even the first may be taken, also
	// when the transaction goes on.
	must(t, s.Update(t.Context(), func(tx *Tx) error {
		_, err := tx.ChangeContainer("b", func(c *desired.Container) error {
			c.Ports = []desired.Port{bind("0.0.0.0", 11), bind("0.0.0.0", 10)}
			return nil
		})
		wantErr(t, err, desired.ErrPortInUse)
		return nil
	}))
	if p, err := s.Port(tcp("0.0.0.0", 11)); err != nil || p.InUse {
		t.Errorf("port 11: %+v, %v", p, err)
	}
}

func TestGeneration(t *testing.T) {
	s := openWithVolume(t)
	first := create(t, s, spec("a"))
	if first.Generation != 1 || first.Requests.Install != 1 {
		t.Fatalf("created: %+v", first)
	}
	_, err := s.Create(t.Context(), spec("a"))
	wantErr(t, err, desired.ErrContainerExists)
	steps := []struct {
		name   string
		change func(*desired.Container)
		grows  bool
		want   desired.Requests
	}{
		{"nothing", func(*desired.Container) {}, false, desired.Requests{Install: 1}},
		{"nil for empty", func(c *desired.Container) { c.Env, c.Ports, c.Mount = nil, nil, nil }, false, desired.Requests{Install: 1}},
		{"what is not the client's", func(c *desired.Container) { c.Generation, c.Releasing = 9, []desired.Port{{Port: 1}} }, false, desired.Requests{Install: 1}},
		{"power", func(c *desired.Container) { c.Power = desired.PowerRunning }, true, desired.Requests{Install: 1}},
		{"kill", func(c *desired.Container) { c.Power, c.Kill = desired.PowerStopped, true }, true, desired.Requests{Install: 1}},
		{"restart", func(c *desired.Container) { c.Requests.Restart++ }, true, desired.Requests{Install: 1, Restart: 1}},
		{"image without a script", func(c *desired.Container) { c.Image = "debian:12" }, true, desired.Requests{Install: 1, Restart: 1}},
		{"script alone", func(c *desired.Container) { c.InstallScript = "true" }, true, desired.Requests{Install: 1, Restart: 1}},
		{"image with a script", func(c *desired.Container) { c.Image = "debian:13" }, true, desired.Requests{Install: 2, Restart: 1}},
		{"script in an image of its own", func(c *desired.Container) {
			c.InstallScript, c.Install = "", &desired.Install{Script: "true", Image: "debian:12"}
		}, true, desired.Requests{Install: 2, Restart: 1}},
		{"image beside that", func(c *desired.Container) { c.Image = "debian:14" }, true, desired.Requests{Install: 2, Restart: 1}},
		{"script in the long form", func(c *desired.Container) { c.Install = &desired.Install{Script: "true", Timeout: 1e9} }, true, desired.Requests{Install: 2, Restart: 1}},
		{"image with that", func(c *desired.Container) { c.Image = "debian:13" }, true, desired.Requests{Install: 3, Restart: 1}},
		{"reinstall on another image", func(c *desired.Container) { c.Image = "debian:11"; c.Requests.Install++ }, true, desired.Requests{Install: 4, Restart: 1}},
	}
	before := first
	for _, step := range steps {
		after := change(t, s, "a", step.change)
		grew := after.Generation == before.Generation+1 && after.Revision > before.Revision
		same := reflect.DeepEqual(after, before)
		if step.grows != grew || step.grows == same || after.Requests != step.want {
			t.Errorf("%s: %+v after %+v", step.name, after, before)
		}
		if stored, _ := s.Container("a"); !reflect.DeepEqual(stored, after) {
			t.Errorf("%s: memory has %+v, want %+v", step.name, stored, after)
		}
		before = after
	}
	change(t, s, "a", func(c *desired.Container) { c.Deleting = true })
	_, err = s.Change(t.Context(), "a", func(*desired.Container) error { t.Error("called"); return nil })
	wantErr(t, err, desired.ErrDeleting)
	_, err = s.Change(t.Context(), "b", func(*desired.Container) error { return nil })
	wantErr(t, err, desired.ErrContainerNotFound)
}

func TestStricterRules(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{Rules: desired.Rules{AllowedMounts: []string{"/srv"}}})
	addVolume(t, s)
	sp := spec("a")
	sp.Mount = map[string]desired.Mount{"/a": {Source: "/srv/a"}}
	create(t, s, sp)
	closeStore(t, s)
	s = open(t, dir, Options{})
	change(t, s, "a", func(c *desired.Container) { c.Power = desired.PowerRunning })
	var invalid *desired.ValidationError
	for _, fn := range []func(*desired.Container){
		func(c *desired.Container) { c.Mount["/b"] = desired.Mount{Source: "/srv/a"} },
		func(c *desired.Container) { c.Power = "on" },
		func(c *desired.Container) { c.InternalID = "b" },
	} {
		if _, err := s.Change(t.Context(), "a", func(c *desired.Container) error { fn(c); return nil }); !errors.As(err, &invalid) {
			t.Errorf("accepted, or: %v", err)
		}
	}
	change(t, s, "a", func(c *desired.Container) { c.Deleting = true })
}

func TestPool(t *testing.T) {
	s := openWithVolume(t, tcp("0.0.0.0", 10))
	ctx := t.Context()
	wantErr(t, s.AddPorts(ctx, []desired.Endpoint{tcp("0.0.0.0", 11), tcp("0.0.0.0", 10)}), desired.ErrPortExists)
	_, err := s.Port(tcp("0.0.0.0", 11))
	wantErr(t, err, desired.ErrPortNotFound)
	var invalid *desired.ValidationError
	for _, e := range []desired.Endpoint{tcp("x", 1), tcp("0.0.0.0", 0), tcp("0.0.0.0", 65536), {IP: "::", Port: 1, Protocol: "x"}} {
		if err := s.AddPorts(ctx, []desired.Endpoint{e}); !errors.As(err, &invalid) {
			t.Errorf("add %v: %v", e, err)
		}
	}
	if p, err := s.RandomPort(""); err != nil || p.Endpoint != tcp("0.0.0.0", 10) {
		t.Errorf("random: %+v, %v", p, err)
	}
	_, err = s.RandomPort(desired.UDP)
	wantErr(t, err, desired.ErrNoPorts)
	if p, err := s.UsePort(ctx, tcp("0.0.0.0", 10), true); err != nil || !p.InUse {
		t.Errorf("out of service: %+v, %v", p, err)
	}
	_, err = s.Create(ctx, spec("a", bind("0.0.0.0", 10)))
	wantErr(t, err, desired.ErrPortInUse)
	_, err = s.Create(ctx, spec("a", bind("", 0)))
	wantErr(t, err, desired.ErrNoPorts)
	wantErr(t, s.DeletePorts(ctx, []desired.Endpoint{tcp("0.0.0.0", 10)}), desired.ErrPortInUse)
	if p, err := s.UsePort(ctx, tcp("0.0.0.0", 10), false); err != nil || p.InUse {
		t.Errorf("back in service: %+v, %v", p, err)
	}
	create(t, s, spec("a", bind("0.0.0.0", 10)))
	_, err = s.UsePort(ctx, tcp("0.0.0.0", 10), true)
	wantErr(t, err, desired.ErrPortInUse)
}

func TestReservedPort(t *testing.T) {
	s := open(t, t.TempDir(), Options{Reserved: []desired.Endpoint{tcp("127.0.0.1", 8070)}})
	var invalid *desired.ValidationError
	if err := s.AddPorts(t.Context(), []desired.Endpoint{tcp("0.0.0.0", 8070)}); !errors.As(err, &invalid) {
		t.Errorf("our own listener in the pool: %v", err)
	}
}
