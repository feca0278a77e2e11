package controller_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/status"
)

// installing is a container with a script, whose program prints a line and changes the image.
func installing(sim *simengine.Sim, n *node, id string) desired.Container {
	sim.OnCommand("install-entry.sh", func(_ context.Context, p *simengine.Process) {
		fmt.Fprintln(p.Stdout(), "done")
		p.Change("/usr/tool", 1)
	})
	return n.create(id, func(s *desired.Spec) { s.InstallScript = "make tool" })
}

// TestDeletionCutsTheKeepingOff and nothing else does: what is not deleted needs the snapshot,
// however long it takes.
func TestDeletionCutsTheKeepingOff(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		kept := sim.Inject(simengine.Rule{Method: "POST", Route: "/commit", Delay: 5 * time.Minute, Times: 2})
		installing(sim, n, "a")
		awaitCalls(t, kept, 1)
		n.change("a", limitMemory)
		time.Sleep(6 * time.Minute)
		if st, _ := n.statuses.Get("a"); st.InstallState != status.Ready || kept.Hits() != 1 {
			t.Errorf("%s after %d commits; events %s", st.InstallState, kept.Hits(), n.events("a"))
		}
		installing(sim, n, "b")
		awaitCalls(t, kept, 2)
		began := time.Now()
		n.change("b", requestDelete)
		n.gone("b")
		if took := time.Since(began); took > time.Second {
			t.Errorf("deleted after %s", took)
		}
	})
}

// TestDeletionCutsNoCreationOff: what the engine is creating has to be known.
func TestDeletionCutsNoCreationOff(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		creates := simengine.Rule{Method: "POST", Route: "/containers/create", Delay: 3 * time.Second, After: true}
		made := sim.Inject(creates)
		n.create("a", nil)
		awaitCalls(t, made, 1)
		began := time.Now()
		n.change("a", requestDelete)
		n.gone("a")
		if took := time.Since(began); took < 2*time.Second || len(sim.Names()) > 0 {
			t.Errorf("deleted after %s, with %v left", took, sim.Names())
		}
	})
}

// TestScriptRunsAsRoot whatever user the image has, and the program does not.
func TestScriptRunsAsRoot(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		sim.AddImage("lightd-test/user:1", simengine.ImageConfig{User: "1000"})
		user := make(chan string, 1)
		sim.OnCommand("install-entry.sh", func(_ context.Context, p *simengine.Process) {
			c, err := sim.Inspect(p.Name())
			if err != nil {
				t.Error(err)
			}
			user <- c.Config.User
			p.Change("/usr/tool", 1)
		})
		n.create("a", func(s *desired.Spec) {
			s.Image, s.InstallScript, s.Power = "lightd-test/user:1", "make tool", desired.PowerRunning
		})
		st := n.waitState("a", status.StateRunning)
		c, err := sim.Inspect(observed.RunName("a"))
		if err != nil {
			t.Fatal(err)
		}
		if as := <-user; as != "0:0" || st.Install.Snapshot == "" || c.Config.User != "1000" {
			t.Errorf("the script ran as %q, the program runs as %q from %q", as, c.Config.User, st.Install.Snapshot)
		}
	})
}

// TestInstallContainerWithoutAnEvent is found by its instance's label.
func TestInstallContainerWithoutAnEvent(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		sim.InterceptEvents(simengine.DropEvents(func(m simengine.Message) bool { return m.Action == "create" }))
		began := time.Now()
		n.waitSynced(installing(sim, n, "a"))
		made := sim.CountCalls(simengine.Rule{Method: "POST", Route: "/containers/create"})
		if took := time.Since(began); took > time.Second || made != 2 {
			t.Errorf("installed after %s, with %d containers", took, made)
		}
	}, seldom)
}

// TestOutputOfAScript that cannot be had holds nothing up; what only takes its time is waited
// for.
func TestOutputOfAScript(t *testing.T) {
	for name, c := range map[string]struct {
		rule simengine.Rule
		want string
	}{
		"cannot be read":   {simengine.Rule{Status: 500, Message: "no"}, ""},
		"takes its time":   {simengine.Rule{Status: 503, Message: "not now", Times: 3}, "done\n"},
		"is there at once": {simengine.Rule{Times: 1}, "done\n"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				c.rule.Method, c.rule.Route = "GET", "/containers/{id}/logs"
				sim.Inject(c.rule)
				spec := installing(sim, n, "a")
				if st := n.waitSynced(spec); st.InstallState != status.Ready {
					t.Errorf("%s", st.InstallState)
				}
				log, err := n.data.InstallLog("a")
				if err != nil {
					if c.want != "" {
						t.Error(err)
					}
					return
				}
				defer log.Close()
				if text, err := io.ReadAll(log); err != nil || string(text) != c.want {
					t.Errorf("kept %q, %v", text, err)
				}
			})
		})
	}
}

// TestRefusedScriptStartsOver: a container that the engine will not start the install script in
// is not kept for the next spec, which may be the one that fixes it.
func TestRefusedScriptStartsOver(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		ran := make(chan int64, 2) // with how much memory
		sim.OnCommand("install-entry.sh", func(_ context.Context, p *simengine.Process) {
			c, _ := sim.Inspect(p.ID())
			ran <- c.HostConfig.Memory
		})
		sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/start", Times: 1, Status: 400, Message: "unable to find user tool: no matching entries in passwd file"})
		n.create("a", func(s *desired.Spec) { s.InstallScript = "make tool" })
		st := n.wait("a", "refused", func(st status.Status) bool { return st.Get(status.Synced).Reason == status.ReasonRefused })
		for _, c := range []status.ConditionType{status.Synced, status.Installed} {
			if have := st.Get(c); have.Reason != status.ReasonRefused || !strings.Contains(have.Message, "unable to find user") {
				t.Errorf("%s is %+v", c, have)
			}
		}
		if st.InstallState != status.Failed || st.ObservedGeneration != 1 {
			t.Errorf("it is %+v", st)
		}
		if slices.Contains(sim.Names(), observed.InstallName("a")) {
			t.Error("the install container is still there")
		}
		n.waitSynced(n.change("a", func(c *desired.Container) { c.Limits.Memory = 64 << 20 }))
		if memory := <-ran; memory != 64<<20 || len(ran) > 0 {
			t.Errorf("the script ran with %d bytes, and %d times more", memory, len(ran))
		}
		want := "Started CreatingContainer ContainerCreated RunningInstallScript Error " +
			"Started CreatingContainer ContainerCreated RunningInstallScript InstallScriptComplete SettingUpEntrypoint Ready"
		if got := n.events("a"); got != want {
			t.Errorf("events %s", got)
		}
	})
}

// TestOutputOfAScriptInADamagedLog is kept up to its end.
func TestOutputOfAScriptInADamagedLog(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		spec := installing(sim, n, "a")
		sim.OnCommand("install-entry.sh", func(_ context.Context, p *simengine.Process) {
			fmt.Fprintln(p.Stdout(), "one")
			if err := sim.DamageLog(p.Name(), 300); err != nil {
				t.Error(err)
			}
			for _, line := range []string{"lost", "two", "three"} {
				time.Sleep(time.Millisecond)
				fmt.Fprintln(p.Stdout(), line)
			}
			p.Change("/usr/tool", 1)
		})
		n.waitSynced(spec)
		log, err := n.data.InstallLog("a")
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		want := "one\nOutput may be missing here: Docker's log is damaged\ntwo\nthree\n"
		if text, err := io.ReadAll(log); err != nil || string(text) != want {
			t.Errorf("kept %q, %v", text, err)
		}
	})
}
