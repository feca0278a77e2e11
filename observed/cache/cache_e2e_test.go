package cache_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/cache"
	"lightd/observed/engine"
)

// realCache returns a cache of a real engine that runs, and a channel of its notifications.
func realCache(t *testing.T) (*engine.Engine, *cache.Cache, <-chan string) {
	t.Helper()
	e := newEngine(t)
	news := make(chan string, 1024)
	c := cache.New(cache.Config{Engine: e, Instance: e.Instance(), Changed: func(id string) { news <- id }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return e, c, news
}

// newEngine returns a client of the engine of this machine under an instance of its own.
func newEngine(t *testing.T) *engine.Engine {
	t.Helper()
	harness.NeedEngine(t)
	var b [16]byte
	_, _ = rand.Read(b[:])
	e, err := engine.New(engine.Config{Instance: fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		list, err := e.List(context.Background())
		if err != nil {
			t.Error(err)
		}
		for _, c := range list {
			if err := e.Remove(context.Background(), c.ContainerID); err != nil && engine.Classify(err) != engine.NotFound {
				t.Error(err)
			}
		}
		_ = e.Close()
	})
	return e
}

// await returns the first snapshot of an id that is as wanted.
func await(t *testing.T, c *cache.Cache, news <-chan string, id, what string, wanted func(observed.Snapshot) bool) observed.Snapshot {
	t.Helper()
	limit := time.After(eventually.Bound)
	for {
		if s := c.Get(id); wanted(s) {
			return s
		}
		select {
		case <-news:
		case <-limit:
			t.Fatalf("never %s: %+v", what, c.Get(id))
		}
	}
}

func sleeper(e *engine.Engine, id string) blueprint.Blueprint {
	return blueprint.Blueprint{
		Name: observed.RunName(id), Image: "lightd-test/busybox:latest",
		Labels: map[string]string{
			observed.LabelInstance: e.Instance(), observed.LabelRole: string(observed.RoleRun), observed.LabelID: id,
		},
		Entrypoint: []string{"/bin/sh", "-c", "exec sleep 1000"},
		Limits:     desired.Limits{PIDs: 64},
	}
}

func run(t *testing.T, e *engine.Engine, id string) (containerID string) {
	t.Helper()
	containerID, _, err := e.Create(t.Context(), sleeper(e, id))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context(), containerID); err != nil {
		t.Fatal(err)
	}
	return containerID
}

func running(s observed.Snapshot) bool { return s.Known && s.Run.Running() }

func TestExternalChangesAreObserved(t *testing.T) {
	t.Parallel()
	e, c, news := realCache(t)
	id := e.Instance()
	containerID := run(t, e, id)
	await(t, c, news, id, "running", running)
	if err := e.Kill(t.Context(), containerID, "SIGKILL"); err != nil {
		t.Fatal(err)
	}
	s := await(t, c, news, id, "ended", func(s observed.Snapshot) bool { return s.Run != nil && s.Run.Phase == observed.Exited })
	if s.Run.ExitCode != 137 || s.Run.ContainerID != containerID || s.Run.FinishedAt.IsZero() {
		t.Errorf("%+v", s.Run)
	}
	if err := e.Start(t.Context(), containerID); err != nil {
		t.Fatal(err)
	}
	second := await(t, c, news, id, "running again", running)
	if !second.Run.StartedAt.After(s.Run.StartedAt) {
		t.Errorf("started at %v and then at %v", s.Run.StartedAt, second.Run.StartedAt)
	}
	if err := e.Remove(t.Context(), containerID); err != nil {
		t.Fatal(err)
	}
	await(t, c, news, id, "gone", func(s observed.Snapshot) bool { return s.Run == nil })
}

func TestForeignContainersAreLeftOut(t *testing.T) {
	t.Parallel()
	foreign := newEngine(t)
	e, c, news := realCache(t)
	id := e.Instance()
	containerID := run(t, foreign, id)
	c.Refresh(id, true)
	s := await(t, c, news, id, "known", func(s observed.Snapshot) bool { return s.Known })
	want := observed.Foreign{ContainerID: containerID, Name: observed.RunName(id), InternalID: id, Instance: foreign.Instance()}
	if s.Run != nil || s.RunNameTaken == nil || *s.RunNameTaken != want {
		t.Errorf("%+v", s)
	}
	if ids := c.IDs(); len(ids) != 0 {
		t.Errorf("ids %v", ids)
	}
}

func TestWhatWasThereBeforeIsFound(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	id := e.Instance()
	containerID := run(t, e, id)
	news := make(chan string, 1024)
	c := cache.New(cache.Config{Engine: e, Instance: e.Instance(), Changed: func(id string) { news <- id }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	if s := await(t, c, news, id, "running", running); s.Run.ContainerID != containerID {
		t.Errorf("%+v", s)
	}
	cancel()
	<-done
}
