package console

import (
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/eventually"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/replay"
	"lightd/observed/streams"
)

// TestEngineSizeWarnsNobody: the signal of a new size does not reach an init process whose child is
// not there yet, which would warn as the first line of the console.
func TestEngineSizeWarnsNobody(t *testing.T) {
	const starts = 50
	r := onEngine(t)
	b := blueprint.Blueprint{
		Image: testImage, Labels: map[string]string{observed.LabelInstance: r.engine.Instance()},
		Entrypoint: []string{"/bin/sh", "-c"}, Cmd: []string{"sleep 2; stty size; sleep 1000"},
		Env: []string{blueprint.SignalGroup + "=1"}, TTY: true, Init: true, OpenStdin: true, Limits: desired.Limits{PIDs: 64},
	}
	var all []streams.Target
	for range starts {
		x := streams.Target{ContainerID: r.createFrom(b), TTY: true}
		if err := r.engine.Start(t.Context(), x.ContainerID); err != nil {
			t.Fatal(err)
		}
		r.Started(x.ContainerID, x)
		all = append(all, x)
	}
	for _, x := range all {
		text := ""
		for begun := time.Now(); !strings.Contains(text, "\n") && time.Since(begun) < eventually.Bound; time.Sleep(50 * time.Millisecond) {
			text = ""
			log := replay.LogReader{Target: x, Source: streams.NewDocker(r.engine)}
			if _, err := log.Read(t.Context(), streams.Range{}, func(e replay.Entry) bool { text += string(e.Text()); return true }); err != nil {
				t.Fatal(err)
			}
		}
		if text != "24 80\r\n" {
			t.Errorf("the first line is %q", text)
		}
	}
}
