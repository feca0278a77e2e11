package observed

import "testing"

// TestPullFaultsInMessages: the fault of a message is found again, whatever the reference has in it.
func TestPullFaultsInMessages(t *testing.T) {
	for fault := range pullRemedies {
		for _, ref := range []string{"game:1", "127.0.0.1:5000/team/game@sha256:aa", "[::1]:5000/game"} {
			if found := PullFaultIn(fault.Of(ref)); found != fault || found.Remedy() == "" {
				t.Errorf("%s: found %q", fault.Of(ref), found)
			}
		}
	}
	for _, other := range []string{"", "pull image game:1", "the registry is unreachable", "load image game:1: the registry is unreachable", PullFault("something else").Of("game:1"), PullUnreachable.Of("game:1") + "; more"} {
		if found := PullFaultIn(other); found != "" || found.Remedy() != "" {
			t.Errorf("%s: found %q", other, found)
		}
	}
}
