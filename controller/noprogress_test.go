package controller_test

import (
	"cmp"
	"context"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/status"
)

// TestStepWithoutEffectIsExecutedEverLess on an engine that reports success of a call that has no
// effect.
func TestStepWithoutEffectIsExecutedEverLess(t *testing.T) {
	for name, c := range map[string]struct {
		rule simengine.Rule
		want func(*desired.Container)
		// disturb happens behind the daemon's back.
		disturb func(context.Context, *client.Client, string) error
		// healed reports that all is well again.
		healed func(status.Status) bool
		// least is how many calls a minute has; 5 when 0.
		least int
	}{
		"start": {
			rule: simengine.Rule{Method: "POST", Route: "/containers/{id}/start", Status: 204}, want: requestStart,
			healed: func(st status.Status) bool { return st.State == status.StateRunning },
		},
		"kill": {
			rule: simengine.Rule{Method: "POST", Route: "/containers/{id}/kill", Status: 204}, want: requestKill,
			healed: func(st status.Status) bool { return st.State == status.StateOffline },
		},
		"update": {
			rule:   simengine.Rule{Method: "POST", Route: "/containers/{id}/update", Status: 200, Message: "{}"},
			want:   func(c *desired.Container) { c.Limits.Memory = 64 << 20 },
			healed: synced,
			least:  2, // the process runs without, and what is unavailable is not requested as often
		},
		"rename": {
			rule: simengine.Rule{Method: "POST", Route: "/containers/{id}/rename", Status: 204, Skip: 1},
			disturb: func(ctx context.Context, docker *client.Client, id string) error {
				return docker.ContainerRename(ctx, id, "elsewhere")
			},
			healed: synced,
		},
		"unpause": {
			rule: simengine.Rule{Method: "POST", Route: "/containers/{id}/unpause", Status: 204},
			disturb: func(ctx context.Context, docker *client.Client, id string) error {
				return docker.ContainerPause(ctx, id)
			},
			healed: synced,
		},
		"remove": {
			rule:   simengine.Rule{Method: "DELETE", Route: "/containers/{id}", Status: 204},
			want:   func(c *desired.Container) { c.Env = map[string]string{"A": "b"} },
			healed: synced,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
				n.waitState("a", status.StateRunning)
				docker, err := sim.Client()
				if err != nil {
					t.Fatal(err)
				}
				defer docker.Close()
				if name == "start" {
					n.change("a", requestStop)
					n.waitState("a", status.StateOffline)
				}
				fault := sim.Inject(c.rule)
				if c.want != nil {
					n.change("a", c.want)
				}
				if c.disturb != nil {
					if err := c.disturb(t.Context(), docker, observed.RunName("a")); err != nil {
						t.Fatal(err)
					}
				}
				if name == "unpause" {
					time.Sleep(plan.PauseGrace)
				}
				if made := inAMinute(fault.Hits); made < cmp.Or(c.least, 5) || made > 10 {
					t.Fatalf("%d calls in a minute", made)
				}
				fault.Release()
				time.Sleep(time.Minute) // the next try is at most so far off
				n.wait("a", "healed", c.healed)
			})
		})
	}
}

// inAMinute counts for so long, unless it is too much before.
func inAMinute(count func() int) int {
	for range 60 {
		if time.Sleep(time.Second); count() > 100 {
			break
		}
	}
	return count()
}

func synced(st status.Status) bool { return st.Get(status.Synced).Status == status.True }

// TestCircleOfStepsIsSlow: a start that fails takes the container off its network, as it does since
// Docker 29 where a port is busy. Recreated each time, it is started no faster than in place.
func TestCircleOfStepsIsSlow(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		sim.SetAPIVersion("1.52")
		port := desired.Port{IP: "127.0.0.1", Port: 30001, Protocol: "tcp", ContainerPort: 30001}
		if err := n.store.AddPorts(t.Context(), []desired.Endpoint{port.Endpoint()}); err != nil {
			t.Fatal(err)
		}
		sim.OccupyPort(port.Port, string(port.Protocol))
		n.create("a", func(s *desired.Spec) { s.Power, s.Ports = desired.PowerRunning, []desired.Port{port} })
		starts := inAMinute(func() int { return sim.CountCalls(simengine.Rule{Method: "POST", Route: "/containers/{id}/start"}) })
		if made := sim.CountCalls(simengine.Rule{Method: "POST", Route: "/containers/create"}); made < 3 || starts < 3 || starts > 10 {
			t.Fatalf("made %d times and started %d times in a minute", made, starts)
		}
		sim.FreePort(port.Port, string(port.Protocol))
		time.Sleep(time.Minute)
		n.waitState("a", status.StateRunning)
	})
}

// TestCircleOfVanishingsIsSlow: each container that is created is gone when it is to be started. That
// the first one was removed externally is likely, and the next one starts at once.
func TestCircleOfVanishingsIsSlow(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.waitSynced(n.create("a", nil))
		start := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/start", Delay: time.Millisecond, Status: 404, Message: "No such container"})
		go func() {
			for i := 1; start.Await(t.Context(), i) == nil; i++ {
				_ = sim.Forget("lightd-a")
			}
		}()
		n.change("a", requestStart)
		starts := inAMinute(start.Hits)
		if starts < 5 || starts > 12 {
			t.Errorf("%d starts in a minute", starts)
		}
		start.Release()
		time.Sleep(10 * time.Minute)
		n.waitState("a", status.StateRunning)
	})
}

// TestFailuresOfThePastDoNotCount: once a container is in order, what fails next is tried again
// soon, however often another step has failed before that is needed no more.
func TestFailuresOfThePastDoNotCount(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.waitSynced(n.create("a", nil))
		sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/update", Status: 500, Message: "no"})
		n.change("a", func(c *desired.Container) { c.Limits.Memory = 64 << 20 })
		time.Sleep(10 * time.Minute)
		n.waitSynced(n.change("a", func(c *desired.Container) { c.Limits.Memory = 0 }))
		start := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/start", Status: 500, Message: "no", Times: 1})
		n.change("a", requestStart)
		began := time.Now()
		n.waitState("a", status.StateRunning)
		if took := time.Since(began); took > time.Second || start.Hits() != 1 {
			t.Errorf("running after %s, %d failures", took, start.Hits())
		}
	})
}

// TestFailuresOfAnotherStepDoNotCount: what was done at last is no reason to wait the longer for
// what comes after it.
func TestFailuresOfAnotherStepDoNotCount(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/create", Status: 500, Message: "no", Times: 6})
		start := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/start", Status: 500, Message: "no", Times: 1})
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		awaitCalls(t, start, 1)
		began := time.Now()
		n.waitState("a", status.StateRunning)
		if took := time.Since(began); took > time.Second {
			t.Errorf("running after %s", took)
		}
	})
}
