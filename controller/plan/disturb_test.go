package plan_test

import (
	"strings"
	"testing"
	"time"

	"lightd/observed"
	"lightd/observed/status"
)

func TestStrangerWithOurNameIsLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		other observed.Foreign
		says  string
	}{
		"anybody's":           {observed.Foreign{ContainerID: "0123456789abcdef"}, "container 0123456789ab, which is not ours"},
		"of another instance": {observed.Foreign{ContainerID: "0123456789abcdef", Instance: "lost"}, "another Lightd instance, lost:"},
	} {
		t.Run(name, func(t *testing.T) {
			w := ready(t, nil)
			w.in.Seen.Run, w.in.Seen.RunNameTaken = nil, &c.other
			d := w.settle()
			synced := d.Status.Get(status.Synced)
			if synced.Reason != status.ReasonNameTaken || d.After != 15*time.Second || !strings.Contains(synced.Message, c.says) {
				t.Errorf("got %+v after %s", synced, d.After)
			}
		})
	}
}
