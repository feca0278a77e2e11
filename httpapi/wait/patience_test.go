package wait

import (
	"os"
	"regexp"
	"testing"
	"time"

	"lightd/httpapi/api"
	"lightd/observed/status"
)

// TestEveryReasonHasAPatience: whoever adds a reason decides what it means for a wait.
func TestEveryReasonHasAPatience(t *testing.T) {
	source, err := os.ReadFile("../../observed/status/condition.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\tReason\w+\s+Reason = "(\w+)"`).FindAllSubmatch(source, -1)
	if len(found) != len(patience) || len(found) < 40 {
		t.Errorf("there are %d reasons, and %d have a patience", len(found), len(patience))
	}
	for _, one := range found {
		if _, has := patience[status.Reason(one[1])]; !has {
			t.Errorf("%s has none", one[1])
		}
	}
}

// TestPatienceEnds by time alone: a wait is judged again when it is over.
func TestPatienceEnds(t *testing.T) {
	target := Target{Goal: api.UntilRunning, ID: "a", Created: born, Generation: 5, Install: 2, Began: born}
	s := seen(running, down, busy, synced(status.ReasonPortUnavailable, "in use"), stood(5*time.Second))
	if v := target.Evaluate(s); v.Done || v.again != triedTwice-5*time.Second {
		t.Errorf("got %+v", v)
	}
	target.Goal = api.UntilStopped
	if v := target.Evaluate(s); v.again != 0 {
		t.Errorf("a wait for a stop is judged again after %s", v.again)
	}
}
