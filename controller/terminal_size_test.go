package controller_test

import (
	"context"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestTerminalHasItsSizeAtTheStart where the engine can set it before.
func TestTerminalHasItsSizeAtTheStart(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		sim.SetAPIVersion("1.42")
		size := make(chan [2]int, 1)
		sim.OnCommand("entrypoint.sh", func(ctx context.Context, p *simengine.Process) {
			cols, rows, err := sim.TerminalSize(p.Name())
			if err != nil {
				t.Error(err)
			}
			size <- [2]int{cols, rows}
			<-ctx.Done()
		})
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("a", status.StateRunning)
		if got := <-size; got != [2]int{80, 24} {
			t.Errorf("it starts with %v", got)
		}
	})
}

// TestTerminalHasASize from the start on; a container without a terminal gets none.
func TestTerminalHasASize(t *testing.T) {
	for name, tty := range map[string]bool{"with a terminal": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				n.create("a", func(s *desired.Spec) { s.Power, s.TTY = desired.PowerRunning, tty })
				n.waitState("a", status.StateRunning)
				time.Sleep(2 * time.Second) // it is set a moment after the start
				cols, rows, err := sim.TerminalSize("lightd-a")
				if want := map[bool][2]int{true: {80, 24}}[tty]; err != nil || [2]int{cols, rows} != want {
					t.Errorf("%d by %d, %v, want %v", cols, rows, err, want)
				}
			})
		})
	}
}
