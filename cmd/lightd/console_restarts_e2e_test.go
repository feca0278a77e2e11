package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
)

// TestConsoleAcrossRestarts: a client at the console of a container that is restarted past Lightd over and over has
// each line that the engine's log has, once and in order. hack/engines runs it on each kind of engine.
func TestConsoleAcrossRestarts(t *testing.T) {
	t.Parallel()
	const id, name, restarts = "e2e-console-restarts", "lightd-e2e-console-restarts", 15
	n, d := newNode(t), newDocker(t)
	volume, _ := n.volume()
	n.send("POST", "/containers", spec(id, volume, `"power":"running","startup_command":"while sleep 0.25; do read n < n; n=$((n+1)); echo $n > n; echo line $n.; done",
		"install_script":"echo 0 > n"`)).want(201, "")
	n.until(id, "running", running)
	ws := n.record("/ws/" + id)
	ws.await("a line", func(m message) bool { return m.Event == "console" && restartLine.MatchString(m.Data) })
	for i := range restarts {
		d.restart(name)
		n.until(id, "running again", running)
		// The next one comes at another moment of the line, and of the daemon's connection.
		time.Sleep(700*time.Millisecond + time.Duration(i)*60*time.Millisecond)
	}
	logged := d.logged(name)
	last := logged[len(logged)-1]
	var text string
	poll(t, func() error {
		text = ws.console()
		if !strings.Contains(text, last) {
			return fmt.Errorf("the client lacks %q", last)
		}
		return nil
	})
	said := ws.leave()
	got := restartLine.FindAllString(text, -1)
	first, end := slices.Index(logged, got[0]), slices.Index(got, last)
	if first < 0 || end < 0 {
		t.Fatalf("of the log\n%v\nthe client has\n%v", logged, got)
	}
	if want, got := logged[first:], got[:end+1]; !slices.Equal(want, got) {
		t.Errorf("of the log's %d lines the client lacks %v, and has these twice or not in order: %v", len(want), moreIn(want, got), moreIn(got, want))
		for _, m := range said {
			t.Logf("%s %q", m.Event, m.Data+m.Message)
		}
	} else {
		t.Logf("the client has the %d lines of the log over %d restarts", len(want), restarts)
	}
}

// restartLine matches a whole line of the program.
var restartLine = regexp.MustCompile(`line [0-9]+\.`)

// console returns the text that the client has.
func (r *recorder) console() string {
	said, _ := r.all()
	var text strings.Builder
	for _, m := range said {
		if m.Event == "console" {
			text.WriteString(m.Data)
		}
	}
	return text.String()
}

// moreIn returns what is in a list more often than in another one.
func moreIn(list, other []string) (more []string) {
	counts := map[string]int{}
	for _, one := range other {
		counts[one]++
	}
	for _, one := range list {
		if counts[one]--; counts[one] < 0 {
			more = append(more, one)
		}
	}
	return more
}

// restart restarts a container behind the daemon's back, with a second for its process to end.
func (d *docker) restart(name string) {
	d.t.Helper()
	ctx, cancel := d.bounded()
	defer cancel()
	second := 1
	if err := d.ContainerRestart(ctx, name, container.StopOptions{Timeout: &second}); err != nil {
		d.t.Fatal(fmt.Errorf("restart %s: %w", name, err))
	}
}

// logged returns the restartLine lines of a container's log.
func (d *docker) logged(name string) []string {
	d.t.Helper()
	ctx, cancel := d.bounded()
	defer cancel()
	body, err := d.ContainerLogs(ctx, name, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	var text bytes.Buffer
	if _, err := text.ReadFrom(body); err != nil {
		d.t.Fatal(err)
	}
	return restartLine.FindAllString(text.String(), -1)
}
