package controller_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/observed/status"
)

// withStopSignal makes an image from the test image that has a STOPSIGNAL.
func withStopSignal(t *testing.T, name, signal string) (ref string) {
	t.Helper()
	harness.NeedEngine(t)
	docker := harness.Docker(t)
	made, err := docker.ContainerCreate(t.Context(), &container.Config{Image: harness.Busybox(), StopSignal: signal}, nil, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	ref = "lightd-test/" + name + ":1"
	_, err = docker.ContainerCommit(t.Context(), made.ID, container.CommitOptions{Reference: ref})
	if err := docker.ContainerRemove(t.Context(), made.ID, container.RemoveOptions{}); err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := docker.ImageRemove(context.Background(), ref, image.RemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
	})
	return ref
}

// TestEngineStopLadder: a program that notes what it gets and heeds nothing gets the command,
// then the signal of its spec, of its image or SIGTERM, and then SIGKILL.
func TestEngineStopLadder(t *testing.T) {
	t.Parallel()
	rt, quit := withStopSignal(t, "stop-rt", "SIGRTMIN+3"), withStopSignal(t, "stop-quit", "3")
	n := newNode(t, t.TempDir())
	n.clean()
	tests := []struct {
		image string
		stop  desired.Stop
		want  string
	}{
		{harness.Busybox(), desired.Stop{}, "15"},
		{rt, desired.Stop{}, "37"},
		{rt, desired.Stop{Signal: "2"}, "2"},
		{harness.Busybox(), desired.Stop{Signal: "rtmin+3"}, "37"},
		{quit, desired.Stop{Command: "halt"}, "line halt, 3"},
		{quit, desired.Stop{Command: "^C"}, "2, 3"},
	}
	each := func(do func(id string, i int, init bool)) {
		for i := range tests {
			for _, init := range []bool{true, false} {
				do(fmt.Sprintf("ladder-%d-%t", i, init), i, init)
			}
		}
	}
	volumes := map[string]string{}
	each(func(id string, i int, init bool) {
		c := n.create(id, func(s *desired.Spec) {
			s.Image, s.Init, s.TTY, s.Power, s.StartPattern = tests[i].image, init, false, desired.PowerRunning, "^ready"
			s.Stop.Command, s.Stop.Signal = tests[i].stop.Command, tests[i].stop.Signal
			s.Stop.Timeout = desired.Duration(6 * time.Second)
			// A reader of its own: "read -t" drops what it has read of a line when its time is over.
			s.StartupCommand = "exec 3<&0\n(trap '' 2 3 15 37; while read line <&3; do echo \"line $line\" >> got; done) &\n" +
				"for s in 2 3 15 37; do trap \"echo $s >> got\" $s; done\necho ready\nwhile :; do sleep 0.2; done"
		})
		volumes[id] = n.volumes.Path(c.VolumeID)
	})
	each(func(id string, _ int, _ bool) { n.waitState(id, status.StateRunning) })
	each(func(id string, _ int, _ bool) { n.change(id, requestStop) })
	each(func(id string, i int, init bool) {
		st := n.waitState(id, status.StateOffline)
		got, _ := os.ReadFile(filepath.Join(volumes[id], "got"))
		if text := strings.ReplaceAll(strings.TrimSpace(string(got)), "\n", ", "); text != tests[i].want || st.LastExit.Code != 137 {
			t.Errorf("%+v, init %t: it got %q; exit code %d; %q", tests[i], init, text, st.LastExit.Code, n.messages(id, "Stopping"))
		}
	})
}

// messages are those of the events of a type.
func (n *node) messages(id, kind string) []string {
	page, _, err := n.journal.Page(id, 0, 1000)
	if err != nil {
		n.t.Fatal(err)
	}
	var list []string
	for _, e := range page {
		if string(e.Type) == kind {
			list = append(list, e.Message)
		}
	}
	return list
}
