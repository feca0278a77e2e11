package main

import (
	"errors"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/container"
)

// household is what must survive whatever becomes of the engine under it: a container that
// runs, one that rests, and one whose script runs.
type household struct {
	*node
	engine  *ownEngine
	install string // the volume of the one with the script
}

const pace = `"power":"running","start_pattern":"up","startup_command":"echo ran >> runs; echo up; exec sleep 1000"`

func newHousehold(t *testing.T, e *ownEngine) *household {
	t.Helper()
	h := &household{node: newNode(t, "--docker-host", "unix://"+e.socket), engine: e}
	volume, _ := h.volume()
	h.send("POST", "/network/ports", `{"ip":"127.0.0.1","port":19101}`).want(201, "")
	h.send("POST", "/containers", spec("lives", volume, pace+`,"ports":[{"ip":"127.0.0.1","port":19101}],
		"limits":{"memory":67108864,"cpu":0.5,"pids":50}`)).want(201, "")
	h.send("POST", "/containers", spec("rests", volume, "")).want(201, "")
	h.until("lives", "running", running)
	h.until("rests", "installed", installed)
	return h
}

// begin starts an installation that does not end by itself.
func (h *household) begin(id string) {
	h.t.Helper()
	volume, path := h.volume()
	h.install = path
	h.send("POST", "/containers", spec(id, volume, `"install_script":"echo ran >> runs; exec sleep 1000"`)).want(201, "")
	poll(h.t, func() error {
		if len(lines(h.t, filepath.Join(path, "runs"))) == 0 {
			return errors.New("the script has not begun")
		}
		return nil
	})
}

// interrupted waits for the word on an installation that was cut off, and wants its script
// to have run once.
func (h *household) interrupted(id string) {
	h.t.Helper()
	c := h.until(id, "failed", func(c view) bool { return c.InstallState == "failed" && c.ObservedGeneration == c.Generation })
	if got := c.reason("Installed", "False"); got != "InstallInterrupted" {
		h.t.Errorf("the reason is %q", got)
	}
	if got := lines(h.t, filepath.Join(h.install, "runs")); len(got) != 1 {
		h.t.Errorf("the script ran %d times", len(got))
	}
}

// recovers wants everything as it was: the same container, in the same life or the next.
func (h *household) recovers(before container.InspectResponse, same bool) {
	h.t.Helper()
	h.until("lives", "running", func(c view) bool {
		if !running(c) {
			return false
		}
		now := h.engine.inspect("lightd-lives")
		return now.State.Running && (now.State.StartedAt == before.State.StartedAt) == same
	})
	if now := h.engine.inspect("lightd-lives"); now.ID != before.ID {
		h.t.Errorf("another container: %s, before %s", now.ID, before.ID)
	}
	if c := h.until("rests", "at rest", offline); c.Restarts != 0 || h.engine.inspect("lightd-rests").State.StartedAt[:4] != "0001" {
		h.t.Errorf("what rested was started: %+v", c)
	}
	if events := h.events("lives"); slices.Contains(events, "BackOff") || slices.Contains(events, "ContainerLost") {
		h.t.Errorf("held against a program that did nothing wrong: %v\n%s", events, h.send("GET", "/containers/lives/events?limit=1000", "").text)
	}
}

// TestEngineRestarts under running containers, in all the ways it can.
func TestEngineRestarts(t *testing.T) {
	t.Parallel()
	e := newOwnEngine(t, `{"live-restore": true}`)
	h := newHousehold(t, e)
	unknown := func(c view) bool { return c.State == "unknown" }

	t.Run("containers live on", func(t *testing.T) {
		before, told := e.inspect("lightd-lives"), h.events("lives")
		e.down()
		h.until("lives", "unknown", unknown)
		if err := syscall.Kill(before.State.Pid, 0); err != nil {
			t.Fatalf("the process ended with the engine: %v", err)
		}
		e.up()
		h.recovers(before, true)
		if now := h.events("lives"); !slices.Equal(now, told) {
			t.Errorf("told %v and then %v", told, now)
		}
		// Its end is seen as before.
		if err := syscall.Kill(before.State.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		h.recovers(before, false)
	})
	t.Run("containers end with it", func(t *testing.T) {
		e.configure("")
		for range 3 {
			before := e.inspect("lightd-lives")
			e.down()
			e.up()
			h.recovers(before, false)
		}
	})
	t.Run("killed", func(t *testing.T) {
		h.begin("killed")
		before := e.inspect("lightd-lives")
		e.kill()
		h.until("lives", "unknown", unknown)
		e.up()
		h.recovers(before, false)
		h.interrupted("killed")
	})
	t.Run("machine rebooted", func(t *testing.T) {
		h.begin("rebooted")
		before := e.inspect("lightd-lives")
		h.crash()
		e.cutPower()
		h.start("--docker-host", "unix://"+e.socket) // who is first does not matter
		e.up()
		h.recovers(before, false)
		h.interrupted("rebooted")
	})
}
