package socket

import (
	"testing"

	"lightd/observed/journal"
)

// TestServerStarted: clients wait for these very words; why it is so is in the lifecycle event.
func TestServerStarted(t *testing.T) {
	if got := plain(journal.Event{Type: journal.Running, Message: "the start pattern matched"}); got != "Server started" {
		t.Errorf("got %q", got)
	}
	if got := plain(journal.Event{Type: journal.Exited, Message: "exit code 1"}); got != "Server stopped: exit code 1" {
		t.Errorf("got %q", got)
	}
}
