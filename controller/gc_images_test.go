package controller_test

import (
	"context"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/engine"
)

// TestUnusedImagesAreLookedAtAgain: what somebody else pulls while the engine is busy with the removal of another image
// is theirs.
func TestUnusedImagesAreLookedAtAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		refs := map[string]string{"a": "registry.example/a:1", "b": "registry.example/b:1"}
		for id, ref := range refs {
			sim.Publish(ref, simengine.Remote{Version: id})
			n.waitSynced(n.create(id, func(s *desired.Spec) { s.Image = ref }))
		}
		for id := range refs {
			n.change(id, func(c *desired.Container) { c.Deleting = true })
			n.gone(id)
		}
		n.controller.SetRemoveUnusedAfter(time.Hour)
		slow := sim.Inject(simengine.Rule{Method: "DELETE", Route: "/images/{name}", Delay: 20 * time.Second, Times: 1})
		n.must(slow.Await(t.Context(), 1))
		time.Sleep(time.Second)
		for _, ref := range refs {
			n.must(n.engine.Pull(context.Background(), ref, func(engine.Progress) {}))
		}
		time.Sleep(2 * time.Hour)
		if sim.HasImage(refs["a"]) == sim.HasImage(refs["b"]) {
			t.Errorf("of the two images there are a: %t, b: %t", sim.HasImage(refs["a"]), sim.HasImage(refs["b"]))
		}
	})
}
