package firewall

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestRulesFollowTheNetworks: those of each bridge are there as long as the bridge is, without a report of
// drift. A daemon that starts while the engine does not answer leaves what the one before has put there.
func TestRulesFollowTheNetworks(t *testing.T) {
	inNetwork(t)
	bridges, down := []string{"br-b", "br-a", "br-b"}, error(nil)
	tune := func(c *Config) {
		c.Networks = func(context.Context) ([]string, error) { return append([]string{}, bridges...), down }
	}
	inPlace := func(k *Keeper, others ...string) {
		t.Helper()
		want := table{defaultTable, Policy{Interface: policy.Interface, HostPorts: policy.HostPorts, Others: others}}
		if what, err := want.differs(); err != nil || what != "" || !k.State().InPlace() || k.State().Restored != 0 {
			t.Errorf("%q %v %+v", what, err, k.State())
		}
	}
	k, changes := keeper(t, tune)
	if err := k.Ensure(); err != nil {
		t.Fatal(err)
	}
	inPlace(k, "br-a", "br-b")
	bridges = []string{"br-b"}
	if err := k.Ensure(); err != nil {
		t.Fatal(err)
	}
	inPlace(k, "br-b")
	bridges, down = nil, errors.New("no engine")
	if err := k.Ensure(); !errors.Is(err, down) {
		t.Errorf("a start goes on: %v", err)
	}
	inPlace(k, "br-b")
	next, _ := keeper(t, tune)
	_ = next.Ensure()
	inPlace(next, "br-b")
	if err := k.Remove(); err != nil {
		t.Fatal(err)
	}
	other, _ := keeper(t, tune)
	_ = other.Ensure()
	inPlace(other)
	if len(*changes) != 0 {
		t.Errorf("changes %+v", *changes)
	}
}

// TestNetworksThatAreNotKnownYet are asked for again soon, and not at the pace of the checks.
func TestNetworksThatAreNotKnownYet(t *testing.T) {
	inNetwork(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	calls := 0
	k, _ := keeper(t, func(c *Config) {
		c.Every = time.Hour
		c.Networks = func(context.Context) ([]string, error) {
			if calls++; calls == 1 {
				return nil, errors.New("no list yet")
			}
			cancel()
			return []string{"br-a"}, nil
		}
	})
	if err := k.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("asked %d times: %v", calls, err)
	}
}
