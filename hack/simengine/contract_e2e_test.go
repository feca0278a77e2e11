package simengine_test

import (
	"context"
	"os"
	"testing"

	"github.com/docker/docker/client"

	"lightd/hack/eventually"
)

// TestContract runs each scenario against the simulation and against a real engine, with
// the real Docker client, and compares what was answered, told and shown. The simulation is of
// the same release of Docker as the engine.
func TestContract(t *testing.T) {
	engine := realEngine(t)
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			run := runName(sc)
			simulated := play(t, sc, run, simulation(t, engine.api))
			actual := play(t, sc, run, engine)
			compare(t, actual, simulated)
		})
	}
}

// compare reports the lines in which two transcripts differ.
func compare(t *testing.T, actual, simulated []string) {
	t.Helper()
	for i := range max(len(actual), len(simulated)) {
		var a, s string
		if i < len(actual) {
			a = actual[i]
		}
		if i < len(simulated) {
			s = simulated[i]
		}
		if a != s {
			t.Errorf("line %d:\n     real: %s\nsimulated: %s", i+1, a, s)
		}
	}
}

// realEngine returns the engine at the default address.
func realEngine(t *testing.T) side {
	host := os.Getenv("DOCKER_HOST")
	if host == "" {
		host = client.DefaultDockerHost
	}
	cli, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cli.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), eventually.Bound)
	defer cancel()
	version, err := cli.ServerVersion(ctx)
	if err != nil {
		t.Fatalf("no engine to compare with: %v", err)
	}
	if _, err := cli.ImageInspect(ctx, busybox); err != nil {
		t.Fatalf("the engine lacks the test image, which hack/images makes: %v", err)
	}
	return side{host: host, api: version.APIVersion}
}
