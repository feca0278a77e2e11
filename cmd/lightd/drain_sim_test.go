package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"lightd/cmd/lightd/command"
	"lightd/hack/simengine"
)

// TestDrainNamesWhatItWaitsFor: the command and the answer about the node have the same containers and reasons, until
// none is left.
func TestDrainNamesWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	api := d.api()
	d.sim.OnImage("game:1", func(ctx context.Context, p *simengine.Process) {
		p.Signals() // it handles SIGTERM, and goes on
		fmt.Fprintln(p.Stdout(), "up")
		<-ctx.Done()
	})
	d.do("apply", "-f", d.file("all.yaml", d.web("web", "power: running\nstop: {timeout: 10m}")+"---\n"+d.web("off", "")), "--wait").want(0)
	d.running("web")
	d.do("cordon").want(0, "nothing new is started; 1 process runs")
	d.do("drain", "--wait=false").want(0, "the node is being drained: 1 process runs: it waits for web (")
	poll(t, func() error {
		const want = `"remaining":{"count":1,"containers":[{"internal_id":"web","reason":"Stopping"}]}`
		if a := api.send("GET", "/node", "").want(200, ""); !strings.Contains(a.text, want) {
			return fmt.Errorf("%s is not in %s", want, a.text)
		}
		return nil
	})
	d.do("drain", "--timeout", "100ms").want(command.ExitTimeout, "!the drain goes on: it waits for web (Stopping); ")
	d.do("kill", "web").want(0)
	d.do("drain").want(0, "the node is drained: nothing runs")
	api.send("GET", "/node", "").want(200, `"remaining":{"count":0,"containers":[]}`)
	d.do("uncordon").want(0)
}
