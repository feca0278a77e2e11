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

// TestConsoleSurvivesTheDaemon kills the daemon under a console whose program goes on
// printing: every line comes, once and in order.
func TestConsoleSurvivesTheDaemon(t *testing.T) {
	s, listen := openStage(), freeAddress(t)
	numbers := make(chan int)
	s.sim.AddImage("counter:1", simengine.ImageConfig{})
	s.sim.OnImage("counter:1", func(ctx context.Context, p *simengine.Process) {
		for {
			select {
			case n := <-numbers:
				fmt.Fprintln(p.Stdout(), "line", n)
			case <-ctx.Done():
				return
			}
		}
	})
	ctx := within(t)
	d, err := s.serve("console", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.end(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	}()
	dies := func() {
		if err := d.end(os.Kill); err != nil {
			t.Fatal(err)
		}
	}
	returns := func() {
		if d, err = s.serve("console", listen); err != nil {
			t.Fatal(err)
		}
	}
	c := clientOf(t, d.url)
	v, err := c.CreateVolume(ctx)
	if err != nil {
		t.Fatal(err)
	}
	spec := desired.DefaultSpec()
	spec.InternalID, spec.Image, spec.VolumeID, spec.StartupCommand, spec.Power = "counter", "counter:1", v.VolumeID, "./count", desired.PowerRunning
	if _, err := c.Put(ctx, spec, client.Write{Wait: api.UntilRunning}); err != nil {
		t.Fatal(err)
	}
	printed := 0
	print := func(n int) {
		for range n {
			printed++
			select {
			case numbers <- printed:
			case <-ctx.Done():
				t.Fatal("the program does not print")
			}
		}
	}
	print(3)
	seen, text := 0, ""
	for m, err := range c.Follow(ctx, "counter", client.From{After: client.Now, Tail: 100}) {
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
		if seen < printed {
			continue
		}
		switch printed {
		case 3:
			print(3)
		case 6: // it dies, and the program goes on
			dies()
			print(3)
			returns()
		case 9:
			print(3)
		}
		if printed == seen {
			break
		}
	}

	// One that has not seen a line yet misses none either.
	text = ""
	for m, err := range c.Follow(ctx, "counter", client.From{After: client.Now}) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Kind == api.MessageWord && printed == 12 {
			dies()
			print(3)
			returns()
		}
		if m.Kind == api.MessageConsole {
			text += m.Text
		}
		if strings.Contains(text, fmt.Sprint("line ", printed)) {
			break
		}
	}
	for n := 13; n <= 15; n++ {
		if strings.Count(text, fmt.Sprint("line ", n)) != 1 {
			t.Errorf("line %d is not there once in %q", n, text)
		}
	}
}
