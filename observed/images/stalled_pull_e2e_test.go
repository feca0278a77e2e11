package images_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"lightd/hack/eventually"
	"lightd/hack/faultyregistry"
	"lightd/hack/harness"
	"lightd/observed"
	"lightd/observed/engine"
	"lightd/observed/images"
)

// TestStalledPullGoesOn: a pull whose registry sends nothing any more ends in time, and the next one brings the
// image. With the containerd image store it asks for no layer again that was complete.
func TestStalledPullGoesOn(t *testing.T) {
	harness.NeedEngine(t)
	const stall, whole, repository = 3 * time.Second, 300_000, "stalled/game"
	r := faultyregistry.Start(t)
	p := r.Proxy(faultyregistry.Options{Open: true})
	complete := r.Push(repository, whole, 2*whole).Layers[0].Digest
	cut := faultyregistry.Stall(whole * 3 / 2).Of(faultyregistry.Layer) // the lower layer is shorter
	ref := p.Address + "/" + repository + ":1"
	removeImage(t, ref)
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	i := images.New(images.Config{Engine: e, Changed: func(string) {}, Stall: stall})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- i.Run(ctx) }()
	defer func() { cancel(); <-done }()
	pull := func() observed.Image {
		t.Helper()
		i.Pull(ref)
		eventually.Poll(t, func() error {
			if i.Known(ref).Pulling {
				return context.DeadlineExceeded
			}
			return nil
		})
		return i.Known(ref)
	}
	p.Break(repository, cut)
	began := time.Now()
	if failed := pull(); observed.PullFaultIn(failed.PullError) != observed.PullStalled || failed.PullFailedAt.Sub(began) < stall {
		t.Errorf("after %s: %+v", failed.PullFailedAt.Sub(began), failed)
	}
	p.Break(repository, nil)
	if got := pull(); !got.Present || got.PullError != "" {
		t.Errorf("the next pull: %+v", got)
	}
	asked := 0
	for _, request := range p.Requests(repository) {
		if strings.HasSuffix(request.Path, complete) {
			asked++
		}
	}
	if keeps := keepsLayers(t); keeps && asked != 1 || asked > 2 {
		t.Errorf("the layer that was complete was asked for %d times; the engine keeps it: %t", asked, keeps)
	}
}

// keepsLayers reports whether the engine has the containerd image store.
func keepsLayers(t *testing.T) bool {
	t.Helper()
	info, err := harness.Docker(t).Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range info.DriverStatus {
		if strings.Contains(pair[1], "io.containerd.snapshotter") {
			return true
		}
	}
	return false
}
