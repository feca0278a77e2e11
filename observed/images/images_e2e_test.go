package images_test

import (
	"context"
	"testing"
	"time"

	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/observed"
	"lightd/observed/engine"
	"lightd/observed/images"
)

func TestRealImages(t *testing.T) {
	harness.NeedEngine(t)
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	news := make(chan string, 64)
	i := images.New(images.Config{Engine: e, Changed: func(ref string) { news <- ref }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- i.Run(ctx) }()
	defer func() { cancel(); <-done }()
	await := func(ref string, wanted func(observed.Image) bool) {
		t.Helper()
		limit := time.After(eventually.Bound)
		for !wanted(i.Image(ref)) {
			select {
			case <-news:
			case <-limit:
				t.Fatalf("%s: %+v", ref, i.Image(ref))
			}
		}
	}
	await("lightd-test/busybox:latest", func(i observed.Image) bool { return i.Known && i.Present && i.ImageID != "" })
	const none = "127.0.0.1:1/none:latest"
	await(none, func(i observed.Image) bool { return i.Known && !i.Present })
	i.Pull(none)
	await(none, func(i observed.Image) bool { return !i.Pulling && i.PullError != "" })
}
