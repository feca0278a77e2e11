package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"lightd/cmd/lightd/command"
	"lightd/cmd/lightd/terminal"
	"lightd/hack/simengine"
)

// TestExec: a command runs beside the program with this one's streams, and its exit code is passed on.
func TestExec(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.sim.OnCommand("shout", func(_ context.Context, p *simengine.Process) {
		fmt.Fprintln(p.Stderr(), "to the other one")
		for lines := bufio.NewScanner(p.Stdin()); lines.Scan(); {
			fmt.Fprint(p.Stdout(), strings.ToUpper(lines.Text())+"\n")
			if lines.Text() == "quit" {
				break
			}
		}
		p.Exit(7)
	})
	d.sim.OnCommand("sleep", func(ctx context.Context, p *simengine.Process) {
		fmt.Fprintln(p.Stdout(), "asleep")
		<-ctx.Done()
	})
	d.env["DOCKER_HOST"] = d.host
	d.do("apply", "-f", d.file("all.yaml", d.web("web", "power: running")+"---\n"+d.web("off", "")), "--wait").want(0)
	d.running("web")
	d.do("exec", "web", "true").is(0, "")
	d.with("one\ntwo\n", "exec", "-i", "web", "shout", "-x").want(7, "ONE\nTWO\n", "!to the other one\n")
	d.with("one\n", "exec", "container/web", "--", "true", "-i").is(0, "")
	d.do("exec", "off", "true").want(command.ExitConflict, "!off: the container does not run, or is paused")
	d.do("exec", "nope", "true").want(command.ExitNotFound, "!nope: no container of that id is on the engine of this machine")
	d.do("exec", "web").want(2, `!as in "lightd exec -it web sh"`)
	d.do("exec", "-it", "web", "sh").want(2, "!-t needs a terminal")

	p := d.sit("exec", "-it", "web", "shout")
	p.sees("to the other one")
	p.types("hello\n")
	p.sees("HELLO")
	p.types("quit\n")
	p.leaves(7)
	p = d.sit("exec", "-t", "web", "sleep")
	p.sees("asleep")
	p.cancel()
	p.leaves(command.ExitInterrupted)
	in, typed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan int, 1)
	go func() {
		ended <- d.on(t.Context(), terminal.Streams{In: in, Out: io.Discard, Err: io.Discard}, "exec", "-i", "web", "shout")
	}()
	if _, err := typed.WriteString("quit\n"); err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != 7 { // the input goes on, and the command does not
		t.Errorf("exit code %d", code)
	}
	_, _ = typed.Close(), in.Close()

	// From elsewhere it cannot be, and without the engine neither.
	d.env["LIGHTD_URL"] = "https://node-1.example.com:8443"
	d.do("exec", "web", "true").want(2, "!exec: commands talk to https://node-1.example.com:8443 (LIGHTD_URL), and exec is an operation of that machine", `!"lightd attach web"`)
	d.do("exec", "--docker-host", d.env["DOCKER_HOST"], "web", "true").want(0)
	delete(d.env, "LIGHTD_URL")
	d.env["DOCKER_HOST"] = "unix:///nonexistent/docker.sock"
	d.do("exec", "web", "true").want(command.ExitUnreachable, "!exec needs the engine on the machine of the container")
}
