package client_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

// counter is a daemon that can be killed, with a container that prints numbered lines on request.
type counter struct {
	t       *testing.T
	ctx     context.Context
	stage   *stage
	listen  string
	daemon  *daemon
	client  *client.Client
	numbers chan int
	printed int
}

// startCounter starts the daemon and the container.
func startCounter(t *testing.T) *counter {
	c := &counter{t: t, ctx: within(t), stage: openStage(), listen: freeAddress(t), numbers: make(chan int)}
	c.stage.sim.AddImage("counter:1", simengine.ImageConfig{})
	c.stage.sim.OnImage("counter:1", func(ctx context.Context, p *simengine.Process) {
		for {
			select {
			case n := <-c.numbers:
				fmt.Fprintln(p.Stdout(), "line", n)
			case <-ctx.Done():
				return
			}
		}
	})
	c.serve()
	t.Cleanup(func() {
		if err := c.daemon.End(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	})
	c.client = clientOf(t, c.daemon.URL)
	v, err := c.client.CreateVolume(c.ctx)
	if err != nil {
		t.Fatal(err)
	}
	spec := desired.DefaultSpec()
	spec.InternalID, spec.Image, spec.VolumeID, spec.StartupCommand, spec.Power = "counter", "counter:1", v.VolumeID, "./count", desired.PowerRunning
	if _, err := c.client.Put(c.ctx, spec, client.Write{Wait: api.UntilRunning}); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *counter) serve() {
	c.t.Helper()
	var err error
	if c.daemon, err = c.stage.serve("console", c.listen); err != nil {
		c.t.Fatal(err)
	}
}

func (c *counter) print(n int) {
	c.t.Helper()
	for range n {
		c.printed++
		select {
		case c.numbers <- c.printed:
		case <-c.ctx.Done():
			c.t.Fatal("the program does not print")
		}
	}
}

// printWithoutDaemon kills the daemon, prints, and starts the daemon again.
func (c *counter) printWithoutDaemon(n int) {
	c.t.Helper()
	if err := c.daemon.End(os.Kill); err != nil {
		c.t.Fatal(err)
	}
	c.print(n)
	c.serve()
}

// TestConsoleSurvivesTheDaemon kills the daemon under a console whose program goes on
// printing: every line comes, once and in order.
func TestConsoleSurvivesTheDaemon(t *testing.T) {
	c := startCounter(t)
	c.print(3)
	seen, text := 0, ""
	for m, err := range c.client.Follow(c.ctx, "counter", client.From{After: client.Now, Tail: 100}) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Kind != api.MessageConsole {
			continue
		}
		text += m.Text
		for line, rest, whole := strings.Cut(text, "\n"); whole; line, rest, whole = strings.Cut(text, "\n") {
			seen, text = seen+1, rest
			if got, want := strings.TrimSpace(line), fmt.Sprint("line ", seen); got != want {
				t.Fatalf("%q came, want %q", got, want)
			}
		}
		if seen < c.printed {
			continue
		}
		switch c.printed {
		case 3:
			c.print(3)
		case 6: // it dies, and the program goes on
			c.printWithoutDaemon(3)
		case 9:
			c.print(3)
		}
		if c.printed == seen {
			break
		}
	}

	// One that has not seen a line yet misses none either.
	text = ""
	for m, err := range c.client.Follow(c.ctx, "counter", client.From{After: client.Now}) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Kind == api.MessageWord && c.printed == 12 {
			c.printWithoutDaemon(3)
		}
		if m.Kind == api.MessageConsole {
			text += m.Text
		}
		if strings.Contains(text, fmt.Sprint("line ", c.printed)) {
			break
		}
	}
	for n := 13; n <= 15; n++ {
		if strings.Count(text, fmt.Sprint("line ", n)) != 1 {
			t.Errorf("line %d is not there once in %q", n, text)
		}
	}
}
