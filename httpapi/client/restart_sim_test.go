package client_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
	"lightd/observed/journal"
)

// TestStreamsSurviveTheDaemon kills a daemon in the middle of streams and starts it again
// at the same address: a watch is a faithful copy afterwards, and every event comes once.
func TestStreamsSurviveTheDaemon(t *testing.T) {
	s, listen := openStage(), freeAddress(t)
	ctx := within(t)
	d, err := s.serve("restarted", listen)
	if err != nil {
		t.Fatal(err)
	}
	end := func(sig os.Signal) {
		t.Helper()
		if err := d.End(sig); err != nil {
			t.Fatal(err, d.log.String())
		}
	}
	defer func() { end(syscall.SIGTERM) }()
	c := clientOf(t, d.URL)
	v, err := c.CreateVolume(ctx)
	if err != nil {
		t.Fatal(err)
	}
	spec := desired.DefaultSpec()
	spec.Image, spec.VolumeID, spec.StartupCommand, spec.StartPattern, spec.Power = "alpine:3", v.VolumeID, "./server", "Hello", desired.PowerRunning
	put := func(id string) {
		t.Helper()
		spec.InternalID = id
		if _, err := c.Create(ctx, spec, client.Write{}); err != nil {
			t.Fatal(err)
		}
	}

	streams, stop := context.WithCancel(ctx)
	defer stop()
	watched, followed := emit(watchStates(streams, c)), emit(followEvents(streams, c))
	put("one")
	watched.await(t, "running one")
	followed.await(t, "Running one")
	for _, sig := range []os.Signal{os.Kill, syscall.SIGTERM} {
		end(sig)
		if d, err = s.serve("restarted", listen); err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint("after-", int(sig.(syscall.Signal)))
		put(id)
		watched.await(t, "running "+id)
		followed.await(t, "Running "+id)
	}
	if _, err := c.Delete(ctx, "one", client.Write{}); err != nil {
		t.Fatal(err)
	}
	watched.await(t, "gone one")
	followed.await(t, "Deleted one")
	stop()
	for name, s := range map[string]*emitted{"watch": watched, "events": followed} {
		if err := <-s.err; !errors.Is(err, context.Canceled) {
			t.Errorf("%s ended with %v", name, err)
		}
	}
}

// watchStates keeps a copy of the containers by a watch, and emits which run and which are gone.
func watchStates(ctx context.Context, c *client.Client) func(yield func(string)) error {
	return func(yield func(string)) error {
		now := map[string]bool{}
		for e, err := range c.Watch(ctx, client.Watch{}) {
			if err != nil {
				return err
			}
			if e.Container == nil {
				continue
			}
			id := e.Container.InternalID
			if now[id] == (e.Type == api.ChangeAdded) {
				return fmt.Errorf("%s %s makes no sense", e.Type, id)
			}
			if now[id] = e.Type != api.ChangeDeleted; e.Type == api.ChangeDeleted {
				delete(now, id)
				yield("gone " + id)
			} else if e.Container.State == "running" {
				yield("running " + id)
			}
		}
		return nil
	}
}

// followEvents emits the events that say the same, each of which comes once.
func followEvents(ctx context.Context, c *client.Client) func(yield func(string)) error {
	return func(yield func(string)) error {
		last := uint64(0)
		for e, err := range c.FollowEvents(ctx, "", 0) {
			if err != nil {
				return err
			}
			if e.Seq <= last {
				return fmt.Errorf("event %d came after %d", e.Seq, last)
			}
			last = e.Seq
			if e.Type == journal.Running || e.Type == journal.Deleted {
				yield(string(e.Type) + " " + e.InternalID)
			}
		}
		return nil
	}
}

// emitted is what a stream emits.
type emitted struct {
	words chan string
	err   chan error
}

// emit runs a loop over a stream.
func emit(loop func(yield func(string)) error) *emitted {
	s := &emitted{words: make(chan string, 1000), err: make(chan error, 1)}
	go func() { s.err <- loop(func(w string) { s.words <- w }) }()
	return s
}

// await waits for a word.
func (s *emitted) await(t *testing.T, want string) {
	t.Helper()
	ctx := within(t)
	for {
		select {
		case w := <-s.words:
			if w == want {
				return
			}
		case err := <-s.err:
			t.Fatalf("ended before %q: %v", want, err)
		case <-ctx.Done():
			t.Fatalf("%q did not come", want)
		}
	}
}
