package controller_test

import (
	"testing"

	"github.com/docker/docker/client"
)

func TestDriftRoundTripOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	docker, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = docker.Close() })
	roundTrip(t, n, docker)
}
