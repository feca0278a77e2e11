package harness

import (
	"path/filepath"
	"testing"

	"lightd/hack/simengine"
)

// Sim starts a simulated engine that has some images and ends with the test. It is reached by its Dial.
func Sim(t testing.TB, o simengine.Options, images ...string) *simengine.Sim {
	sim := simengine.New(o)
	t.Cleanup(func() { _ = sim.Close() })
	for _, ref := range images {
		sim.AddImage(ref, simengine.ImageConfig{})
	}
	return sim
}

// SimHost is Sim on a socket, whose address for DOCKER_HOST it returns too.
func SimHost(t testing.TB, o simengine.Options, images ...string) (sim *simengine.Sim, host string) {
	t.Helper()
	sim = Sim(t, o, images...)
	socket := filepath.Join(t.TempDir(), "s")
	if err := sim.Serve(socket); err != nil {
		t.Fatal(err)
	}
	return sim, "unix://" + socket
}
