package controller_test

import (
	"context"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// chowning is a node with containers of another user than root, whose volumes are given to them by chown.
func chowning(t *testing.T, chown func(context.Context) (bool, error), tune ...func(*setup)) (*simengine.Sim, *node) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	sim, n := onSim(t, append(tune, func(o *setup) {
		o.chown = func(ctx context.Context, _ string, _ store.Owner) (bool, error) { return chown(ctx) }
	})...)
	sim.OnCommand("entrypoint.sh", func(ctx context.Context, _ *simengine.Process) { <-ctx.Done() })
	return sim, n
}

func runAs(user string) func(*desired.Spec) {
	return func(s *desired.Spec) { s.User, s.Power = user, desired.PowerRunning }
}

// TestMountsAreCheckedAfterTheVolumeIsGiven: giving it takes time, in which the sources of mounts can change.
func TestMountsAreCheckedAfterTheVolumeIsGiven(t *testing.T) {
	var given, late atomic.Bool
	_, n := chowning(t, func(context.Context) (bool, error) { given.Store(true); return true, nil }, func(o *setup) {
		o.mounts = func(desired.Spec) error {
			if given.Load() {
				late.Store(true)
			}
			return nil
		}
	})
	n.create("a", runAs("1000"))
	n.waitState("a", status.StateRunning)
	if !given.Load() || !late.Load() {
		t.Errorf("given %t, checked afterwards %t", given.Load(), late.Load())
	}
}

// TestGivingAVolumeIsAnEvent, whatever becomes of the start that it was for.
func TestGivingAVolumeIsAnEvent(t *testing.T) {
	var calls atomic.Int32
	sim, n := chowning(t, func(context.Context) (bool, error) { return calls.Add(1) == 1, nil })
	sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/start", Status: 500, Message: "no", Times: 1})
	c := n.create("a", runAs("1000"))
	n.waitState("a", status.StateRunning)
	got := n.messages("a", "VolumeOwnerChanged")
	if len(got) != 1 || !strings.HasPrefix(got[0], "volume "+c.VolumeID+" is given to user 1000, after ") || calls.Load() < 2 {
		t.Errorf("%d calls, %q", calls.Load(), got)
	}
	if events := n.events("a"); !strings.Contains(events, "Starting VolumeOwnerChanged StepFailed") {
		t.Error(events)
	}
}

// TestStopEndsTheGivingOfAVolume, and so does a deletion.
func TestStopEndsTheGivingOfAVolume(t *testing.T) {
	for name, change := range map[string]func(*desired.Container){
		"a stop":     func(c *desired.Container) { c.Power = desired.PowerStopped },
		"a kill":     func(c *desired.Container) { c.Power, c.Kill = desired.PowerStopped, true },
		"a deletion": func(c *desired.Container) { c.Deleting = true },
	} {
		t.Run(name, func(t *testing.T) {
			began, ended := make(chan struct{}, 10), make(chan error, 10)
			_, n := chowning(t, func(ctx context.Context) (bool, error) {
				began <- struct{}{}
				<-ctx.Done()
				ended <- context.Cause(ctx)
				return false, ctx.Err()
			})
			n.create("a", runAs("1000"))
			<-began
			c := n.change("a", change)
			select {
			case err := <-ended:
				t.Log(err)
			case <-time.After(20 * time.Second):
				t.Fatal("it goes on")
			}
			if !c.Deleting {
				n.waitSynced(c)
				return
			}
			pollUntil(t, "deleted", func() bool { _, exists := n.store.Container("a"); return !exists })
		})
	}
}

// TestVolumeInUseIsNotGiven: a volume stays as it is while another container runs in it.
func TestVolumeInUseIsNotGiven(t *testing.T) {
	var calls atomic.Int32
	_, n := chowning(t, func(context.Context) (bool, error) { calls.Add(1); return true, nil })
	first := n.create("a", runAs("1000"))
	n.waitState("a", status.StateRunning)
	n.create("b", func(s *desired.Spec) { s.VolumeID = first.VolumeID; runAs("1000")(s) })
	n.waitState("b", status.StateRunning)
	if calls.Load() != 1 {
		t.Errorf("given %d times", calls.Load())
	}
}
