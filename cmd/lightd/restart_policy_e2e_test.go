package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
)

// ends are programs, and the exit code that each has when the engine or somebody at it stops it.
var ends = map[string]int{"clean": 0, "terminated": 143, "killed": 137}

var programs = map[string]string{
	"clean":      `trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done`,
	"terminated": `echo up; exec sleep 1000`,
	"killed":     `trap '' TERM; echo up; while :; do sleep 0.1; done`,
	"typed":      `echo up; while read line; do [ "$line" = stop ] && exit 0; done`,
}

// TestOnFailureOnARealEngine: by default a program that its user ends in the console stays where it is,
// and one that anything else has ended comes back, whatever its exit code: a stop or a signal through
// Docker, an engine that is restarted, and a machine that is shut down.
func TestOnFailureOnARealEngine(t *testing.T) {
	t.Parallel()
	e := newOwnEngine(t, "")
	n := newNode(t, "--docker-host", "unix://"+e.socket)
	volume, _ := n.volume()
	for id, command := range programs {
		n.send("POST", "/containers", spec(id, volume, fmt.Sprintf(`"power":"running","start_pattern":"up","startup_command":%q,"stop":{"timeout":"1s"}`, command))).want(201, "")
	}
	for id := range programs {
		n.until(id, "running", running)
	}
	ws := n.record("/ws/typed")
	ws.say(`{"event":"send_command","command":"stop\n"}`)
	n.until("typed", "at rest", offline)
	typed := time.Now()
	started := func(id string) string { return e.inspect("lightd-" + id).State.StartedAt }
	rested := started("typed")

	recover := func(what string, end func(), ids ...string) {
		t.Helper()
		before := map[string]string{}
		for _, id := range ids {
			before[id] = started(id)
		}
		end()
		for _, id := range ids {
			c := n.until(id, "running after "+what, func(c view) bool { return running(c) && started(id) != before[id] })
			if c.LastExit == nil || c.LastExit.Code != ends[id] && c.LastExit.Code != 137 {
				t.Errorf("%s: %s ended with %+v, want %d", what, id, c.LastExit, ends[id])
			}
		}
		if c := n.get("typed"); c.State != "offline" || started("typed") != rested {
			t.Errorf("%s: what its user has ended is %s, started at %s", what, c.State, started("typed"))
		}
	}
	all := []string{"clean", "terminated", "killed"}
	recover("docker stop", func() {
		ctx, cancel := e.bounded()
		defer cancel()
		if err := e.ContainerStop(ctx, "lightd-clean", container.StopOptions{}); err != nil {
			t.Fatal(err)
		}
	}, "clean")
	recover("docker kill --signal TERM", func() {
		ctx, cancel := e.bounded()
		defer cancel()
		if err := e.ContainerKill(ctx, "lightd-clean", "TERM"); err != nil {
			t.Fatal(err)
		}
	}, "clean")
	// What ends less than 30 s before the engine goes is taken for its doing.
	time.Sleep(time.Until(typed.Add(31 * time.Second)))
	recover("a restart of the engine", func() { e.down(); e.up() }, all...)
	recover("a shutdown of the machine", func() {
		n.crash()
		e.down()
		n.start("--docker-host", "unix://"+e.socket)
		e.up()
	}, all...)
}
