package controller_test

import (
	"testing"
	"testing/synctest"

	"lightd/desired"
	"lightd/observed/simengine"
	"lightd/observed/status"
)

// TestTerminalHasASize from the start on; a container without one is left alone.
func TestTerminalHasASize(t *testing.T) {
	for name, tty := range map[string]bool{"with a terminal": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				n.create("a", func(s *desired.Spec) { s.Power, s.TTY = desired.PowerRunning, tty })
				n.waitState("a", status.StateRunning)
				synctest.Wait()
				cols, rows, err := sim.TerminalSize("lightd-a")
				if want := map[bool][2]int{true: {80, 24}}[tty]; err != nil || [2]int{cols, rows} != want {
					t.Errorf("%d by %d, %v, want %v", cols, rows, err, want)
				}
			})
		})
	}
}
