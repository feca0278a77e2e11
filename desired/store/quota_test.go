package store

import (
	"strings"
	"testing"

	"lightd/desired"
)

// TestBoundsOfTheNode: as many containers and volumes as the operator allows, in one write as in
// several; what is there stays usable when a bound is lowered, and so do its limits.
func TestBoundsOfTheNode(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	addVolume(t, s)
	create(t, s, spec("old"))
	closeStore(t, s)
	bounds := desired.LimitRange{MaxMemory: 64 << 20, MaxCPU: 0.5, MaxPIDs: 100, MaxContainers: 2, MaxVolumes: 1}
	s = open(t, dir, Options{Rules: desired.Rules{Limits: bounds}})
	defer closeStore(t, s)

	if got := change(t, s, "old", func(c *desired.Container) { c.Power = desired.PowerRunning }); got.Limits.Memory != 0 || got.Limits.PIDs != desired.DefaultPIDs {
		t.Errorf("a start has changed the limits to %+v", got.Limits)
	}
	_, err := s.Change(t.Context(), "old", func(c *desired.Container) error { c.Limits.PIDs = desired.DefaultPIDs + 1; return nil })
	if err == nil || !strings.Contains(err.Error(), "limits.pids: must be at most 100") {
		t.Errorf("beyond a bound: %v", err)
	}
	want := desired.Limits{Memory: 64 << 20, CPU: 0.5, PIDs: 100}
	if got := change(t, s, "old", func(c *desired.Container) { c.Env = map[string]string{"A": "1"} }); got.Limits != (desired.Limits{PIDs: desired.DefaultPIDs}) {
		t.Errorf("a change of env has changed the limits to %+v", got.Limits)
	}
	if got := change(t, s, "old", func(c *desired.Container) { c.Limits = desired.Limits{Memory: 32 << 20, PIDs: 50} }); got.Limits != (desired.Limits{Memory: 32 << 20, PIDs: 50}) {
		t.Errorf("limits that were given became %+v", got.Limits)
	}
	if got := change(t, s, "old", func(c *desired.Container) { c.Limits = desired.Limits{CPU: 0.25} }); got.Limits != (desired.Limits{Memory: 64 << 20, CPU: 0.25, PIDs: 100}) {
		t.Errorf("limits that were taken away became %+v", got.Limits)
	}
	_, err = s.Apply(t.Context(), List{Specs: []desired.Spec{spec("a"), spec("b")}})
	wantErr(t, err, desired.ErrQuotaExceeded)
	if got := create(t, s, spec("a")); got.Limits != want {
		t.Errorf("a new container has %+v, want %+v", got.Limits, want)
	}
	_, err = s.Create(t.Context(), spec("b"))
	wantErr(t, err, desired.ErrQuotaExceeded)
	if !strings.Contains(err.Error(), "bound of containers is 2 (containers.max_containers), and there are 2") {
		t.Errorf("says %v", err)
	}
	v, err := s.Volumes(t.Context(), t.TempDir())
	must(t, err)
	defer func() { must(t, v.Close()) }()
	wantErr(t, v.TryCreate(Creator{}), desired.ErrQuotaExceeded)
	_, err = v.Create(t.Context(), Creator{})
	wantErr(t, err, desired.ErrQuotaExceeded)
}

// TestStricterRulesAreForWhatChanges: ports can be changed of a container that has more than the operator
// allows now, of whatever kind, and nothing of it can be raised.
func TestStricterRulesAreForWhatChanges(t *testing.T) {
	dir := t.TempDir()
	before := desired.Rules{AllowedMounts: []string{"/srv"}, AllowedNetworks: []string{"games"}}
	s := open(t, dir, Options{Rules: before})
	addVolume(t, s)
	old := spec("old")
	old.Limits = desired.Limits{Memory: 1 << 30, Swap: 1 << 30, CPU: 4, PIDs: 4096}
	old.Network, old.Mount = "games", map[string]desired.Mount{"/m": {Source: "/srv/m"}, "/r": {Source: "/srv/r", ReadOnly: true}}
	create(t, s, old)
	closeStore(t, s)
	after := desired.Rules{AllowedImages: []string{"registry.example.com"}, Limits: desired.LimitRange{MaxMemory: 64 << 20, MaxCPU: 0.5, MaxPIDs: 100}}
	s = open(t, dir, Options{Rules: after})
	defer closeStore(t, s)

	if err := old.Normalize().Beyond(before); err != nil {
		t.Errorf("before: %v", err)
	}
	err := old.Normalize().Beyond(after)
	for _, field := range []string{"image:", "limits.memory:", "limits.swap:", "limits.cpu:", "limits.pids:", "mount./m:", "network:"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not beyond what is allowed: %v", field, err)
		}
	}
	got := change(t, s, "old", func(c *desired.Container) { c.Env = map[string]string{"A": "1"} })
	if got.Limits != old.Limits || got.Network != "games" {
		t.Errorf("it became %+v", got.Spec)
	}
	for field, raise := range map[string]func(*desired.Container){
		"limits.memory": func(c *desired.Container) { c.Limits.Memory++ },
		"limits.swap":   func(c *desired.Container) { c.Limits.Swap++ },
		"limits.cpu":    func(c *desired.Container) { c.Limits.CPU = 5 },
		"limits.pids":   func(c *desired.Container) { c.Limits.PIDs++ },
		"mount./n": func(c *desired.Container) {
			c.Mount = map[string]desired.Mount{"/m": {Source: "/srv/m"}, "/n": {Source: "/srv/m"}}
		},
		"mount./r": func(c *desired.Container) { c.Mount = map[string]desired.Mount{"/r": {Source: "/srv/r"}} },
		"network":  func(c *desired.Container) { c.Network = "others" },
		"image":    func(c *desired.Container) { c.Image += "2" },
	} {
		_, err := s.Change(t.Context(), "old", func(c *desired.Container) error { raise(c); return nil })
		if err == nil || !strings.Contains(err.Error(), field+": ") {
			t.Errorf("%s is raised: %v", field, err)
		}
	}
	// Less than before may still be more than is allowed.
	change(t, s, "old", func(c *desired.Container) { c.Limits.Memory, c.Limits.Swap, c.Network = 512<<20, 0, "" })
	if _, err = s.Change(t.Context(), "old", func(c *desired.Container) error { c.Limits.Memory = 1 << 30; return nil }); err == nil {
		t.Error("what was given back is taken again")
	}
}

// TestQuotaOfVolumes: what a token has made and what its containers name counts once each, and nothing of
// anybody else's.
func TestQuotaOfVolumes(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	defer closeStore(t, s)
	addVolume(t, s)
	v, err := s.Volumes(t.Context(), t.TempDir())
	must(t, err)
	defer func() { must(t, v.Close()) }()
	for _, by := range []Creator{{}, {Token: "b"}} {
		_, err := v.Create(t.Context(), by)
		must(t, err)
	}
	most, zero := 2, 0
	by := Creator{Token: "a", MaxVolumes: &most, Allows: func(c desired.Container) bool { return c.InternalID == "mine" }}
	made, err := v.Create(t.Context(), by)
	must(t, err)
	must(t, v.TryCreate(by))
	create(t, s, spec("other"))
	must(t, v.TryCreate(by))
	create(t, s, spec("mine"))
	wantErr(t, v.TryCreate(by), desired.ErrQuotaExceeded)
	_, err = v.Create(t.Context(), by)
	wantErr(t, err, desired.ErrQuotaExceeded)
	if !strings.Contains(err.Error(), "the token's quota of volumes is 2, and there are 2") {
		t.Errorf("says %v", err)
	}
	change(t, s, "mine", func(c *desired.Container) { c.VolumeID = made.ID })
	_, err = v.Create(t.Context(), by)
	must(t, err)
	wantErr(t, v.TryCreate(Creator{Token: "c", MaxVolumes: &zero, Allows: by.Allows}), desired.ErrQuotaExceeded)
}
