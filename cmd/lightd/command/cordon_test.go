package command

import (
	"testing"

	"lightd/httpapi/api"
	"lightd/observed/status"
)

// TestWhatADrainWaitsForIsNamed: the first five, and how many there are besides.
func TestWhatADrainWaitsForIsNamed(t *testing.T) {
	held := func(ids ...string) (list []status.DrainHolder) {
		for _, id := range ids {
			list = append(list, status.DrainHolder{InternalID: id, Reason: status.DrainStopping})
		}
		return list
	}
	for name, c := range map[string]struct {
		api.Remaining
		want string
	}{
		"nothing, or a daemon that does not tell": {},
		"one":            {api.Remaining{Count: 1, Containers: held("a")}, ": it waits for a (Stopping)"},
		"as many as fit": {api.Remaining{Count: 5, Containers: held("a", "b", "c", "d", "e")}, ": it waits for a (Stopping), b (Stopping), c (Stopping), d (Stopping), e (Stopping)"},
		"more":           {api.Remaining{Count: 900, Containers: held("a", "b", "c", "d", "e", "f")}, ": it waits for a (Stopping), b (Stopping), c (Stopping), d (Stopping), e (Stopping) and 895 more"},
	} {
		if got := remaining(c.Remaining); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
