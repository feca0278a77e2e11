package controller_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/status"
)

// steps notes the steps that a controller takes, by what it logs of them.
type steps struct {
	mu    sync.Mutex
	taken map[string][]string
}

func (*steps) Enabled(context.Context, slog.Level) bool { return true }
func (s *steps) WithAttrs([]slog.Attr) slog.Handler     { return s }
func (s *steps) WithGroup(string) slog.Handler          { return s }

func (s *steps) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "step" {
		return nil
	}
	attrs := map[string]string{}
	r.Attrs(func(a slog.Attr) bool { attrs[a.Key] = a.Value.String(); return true })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken[attrs["container"]] = append(s.taken[attrs["container"]], attrs["step"])
	return nil
}

// since returns the steps of id so far, and clears them.
func (s *steps) since(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := strings.Join(s.taken[id], " ")
	delete(s.taken, id)
	return list
}

func projected(p plan.Simulation) string {
	var list []string
	for _, s := range p.Steps {
		list = append(list, string(s.Kind))
	}
	return strings.Join(list, " ")
}

// onProgrammedSim is a node on a simulated engine whose programs run until they are signalled
// to end, and whose install scripts change the image.
func onProgrammedSim(t *testing.T) (*simengine.Sim, *node, *steps) {
	log := &steps{taken: map[string][]string{}}
	sim, n := onSim(t, func(o *setup) { o.log = log })
	sim.AddImage("other:1", simengine.ImageConfig{})
	sim.OnCommand("install-entry.sh", func(_ context.Context, p *simengine.Process) { p.Change("/usr/tool", 1) })
	sim.OnCommand("entrypoint.sh", func(ctx context.Context, p *simengine.Process) {
		fmt.Fprintln(p.Stdout(), "up")
		select {
		case <-ctx.Done():
		case <-p.Signals():
		}
	})
	return sim, n, log
}

// TestControllerDoesAsSimulated: what is reported of a change beforehand is what comes of it.
func TestControllerDoesAsSimulated(t *testing.T) {
	changes := []struct {
		name string
		fn   func(*desired.Container)
		want string
	}{
		{"start", requestStart, "StartContainer"},
		{"nothing", func(*desired.Container) {}, ""},
		{"labels", func(c *desired.Container) { c.Labels = map[string]string{"a": "b"} }, ""},
		{"restart", requestRestart, "StopContainer StartContainer"},
		{"env", changeEnv, "CheckHost StopContainer RemoveContainer CreateContainer StartContainer"},
		{"ports", func(c *desired.Container) { c.Ports = []desired.Port{{Port: 7001}} }, "CheckHost StopContainer RemoveContainer CreateContainer StartContainer"},
		{"other ports", func(c *desired.Container) { c.Ports = []desired.Port{{Port: 7002}} }, "CheckHost StopContainer RemoveContainer CreateContainer ReleasePorts StartContainer"},
		{"limits", limitMemory, "UpdateLimits"},
		{"limits up", func(c *desired.Container) { c.Limits.Memory = 1 << 28 }, "UpdateLimits"},
		{"limits removed", func(c *desired.Container) { c.Limits.Memory = 0 }, "StopContainer RemoveContainer CreateContainer StartContainer"},
		{"startup command", func(c *desired.Container) { c.StartupCommand = "echo other" }, "CheckHost StopContainer RemoveContainer WriteEntrypoint CreateContainer StartContainer"},
		{"kill", requestKill, "KillContainer"},
		{"user while stopped", func(c *desired.Container) { c.User = "1000" }, "CheckHost RemoveContainer CreateContainer"},
		{"start again", requestStart, "StartContainer"},
		{"reinstall", reinstall, "StopContainer RemoveContainer CreateInstallContainer StartInstallScript KeepInstallation RemoveInstallContainer WriteEntrypoint CreateContainer StartContainer"},
		{"image", func(c *desired.Container) { c.Image = "other:1" }, "PullImage StopContainer RemoveContainer CreateInstallContainer"},
		{"stop", requestStop, "StopContainer"},
		{"paused", func(c *desired.Container) { c.Paused, c.Power = true, desired.PowerRunning }, ""},
		{"unpaused", func(c *desired.Container) { c.Paused = false }, "StartContainer"},
	}
	_, n, log := onProgrammedSim(t)
	if err := n.store.AddPorts(t.Context(), []desired.Endpoint{{IP: "0.0.0.0", Port: 7001}, {IP: "0.0.0.0", Port: 7002}}); err != nil {
		t.Fatal(err)
	}
	c := n.create("a", func(s *desired.Spec) { s.StartPattern, s.InstallScript = "up", "true" })
	n.waitSynced(c)
	log.since("a")
	for _, change := range changes {
		before, _ := n.store.Container("a")
		after := before.Clone()
		change.fn(&after)
		after.Spec, after.Generation = after.Spec.Normalize(), after.Generation+1
		if after.Image != before.Image {
			after.Requests.Install++
		}
		for _, p := range before.Ports {
			if len(after.Ports) > 0 && after.Ports[0] != p {
				after.Releasing = append(after.Releasing, p)
			}
		}
		p := n.controller.Simulate(after)
		now := n.change("a", change.fn)
		n.wait("a", "observed", func(st status.Status) bool {
			synced := st.Get(status.Synced)
			return st.ObservedGeneration == now.Generation && (synced.Status == status.True || synced.Reason == status.ReasonPaused) && synced.ObservedGeneration == now.Generation
		})
		taken := log.since("a")
		want := projected(p)
		if change.name == "image" {
			// It was never inspected: whether it must be pulled is open.
			want = strings.Replace(want, "PullImage ", "", 1)
		}
		if taken != want || !strings.Contains(projected(p), change.want) || change.want == "" && taken != "" {
			t.Errorf("%s: projected %q, taken %q", change.name, want, taken)
		}
	}
	marked, _ := n.store.Container("a")
	marked.Deleting = true
	p := n.controller.Simulate(marked)
	n.change("a", requestDelete)
	n.gone("a")
	if taken := log.since("a"); taken != projected(p) || taken != "StopContainer RemoveContainer Finalize" {
		t.Errorf("delete: projected %q, taken %q", projected(p), taken)
	}
}

// TestSimulateRequestsNothing: what is not known is not inspected, then or later.
func TestSimulateRequestsNothing(t *testing.T) {
	sim, n, _ := onProgrammedSim(t)
	c := n.create("a", nil)
	n.waitSynced(c)
	for _, id := range []string{"a", "b"} {
		spec := c.Clone()
		spec.InternalID, spec.Image = id, "unknown:1"
		p := n.controller.Simulate(spec)
		if got := projected(p); !strings.HasPrefix(got, "PullImage") && !strings.HasPrefix(got, "CheckHost PullImage") {
			t.Errorf("%s: projected %q", id, got)
		}
	}
	n.waitSynced(n.create("c", func(s *desired.Spec) { s.Image = "other:1" })) // which was inspected since
	for _, target := range []string{"unknown:1", observed.RunName("b"), observed.InstallName("b")} {
		if calls := sim.CountCalls(simengine.Rule{Target: target}); calls != 0 {
			t.Errorf("%d calls about %s", calls, target)
		}
	}
	if calls := sim.CountCalls(simengine.Rule{Target: "other:1"}); calls == 0 {
		t.Error("no calls about other:1 either: this test counts nothing")
	}
}
