package store

import (
	"strings"
	"testing"

	"lightd/desired"
)

// TestBoundsOfTheNode: as many containers and volumes as the operator allows, in one write as in
// several; what is there stays usable when a bound is lowered, until its spec is changed.
func TestBoundsOfTheNode(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	addVolume(t, s)
	create(t, s, spec("old"))
	closeStore(t, s)
	bounds := desired.LimitRange{MaxMemory: 64 << 20, MaxCPU: 0.5, MaxPIDs: 100, MaxContainers: 2, MaxVolumes: 1}
	s = open(t, dir, Options{Rules: desired.Rules{Cores: 4, Limits: bounds}})
	defer closeStore(t, s)

	if got := change(t, s, "old", func(c *desired.Container) { c.Power = desired.PowerRunning }); got.Limits.Memory != 0 || got.Limits.PIDs != desired.DefaultPIDs {
		t.Errorf("a start has changed the limits to %+v", got.Limits)
	}
	_, err := s.Change(t.Context(), "old", func(c *desired.Container) error { c.Limits.PIDs = 101; return nil })
	if err == nil || !strings.Contains(err.Error(), "limits.pids: must be at most 100") {
		t.Errorf("beyond a bound: %v", err)
	}
	want := desired.Limits{Memory: 64 << 20, CPU: 0.5, PIDs: 100}
	if got := change(t, s, "old", func(c *desired.Container) { c.Env = map[string]string{"A": "1"} }); got.Limits != want {
		t.Errorf("a change of the spec has left %+v, want %+v", got.Limits, want)
	}
	_, err = s.Apply(t.Context(), List{Specs: []desired.Spec{spec("a"), spec("b")}})
	wantErr(t, err, desired.ErrQuotaExceeded)
	if got := create(t, s, spec("a")); got.Limits != want {
		t.Errorf("a new container has %+v, want %+v", got.Limits, want)
	}
	_, err = s.Create(t.Context(), spec("b"))
	wantErr(t, err, desired.ErrQuotaExceeded)
	if !strings.Contains(err.Error(), "allows 2 containers (containers.max_containers), and there are 2") {
		t.Errorf("says %v", err)
	}
	v, err := s.Volumes(t.Context(), t.TempDir())
	must(t, err)
	defer func() { must(t, v.Close()) }()
	wantErr(t, v.TryCreate(Creator{}), desired.ErrQuotaExceeded)
	_, err = v.Create(t.Context(), Creator{})
	wantErr(t, err, desired.ErrQuotaExceeded)
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
