package harness

import (
	"cmp"
	"context"
	"os"
	"testing"

	"github.com/docker/docker/client"

	"lightd/hack/eventually"
)

// T is what the harness needs of a test, whoever runs it.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Patience bounds each wait for what a real engine does. It is long because a busy machine is no
// failure, and neither is a slow mirror, of which an install script fetches a program.
const Patience = 5 * eventually.Bound

// NeedEngine fails a test at once when no Docker engine answers, instead of after all that it would
// wait for. Such a test is in a file whose name ends in _e2e_test.go.
func NeedEngine(t T) {
	t.Helper()
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatalf("find the Docker engine: %v", err)
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), eventually.Bound)
	defer cancel()
	if _, err := c.Ping(ctx); err != nil {
		t.Fatalf("this test is of the tier e2e and needs a Docker engine (\"make engine\" starts one): %v", err)
	}
}

// Docker is a client of the real engine, past Lightd.
func Docker(t testing.TB) *client.Client {
	t.Helper()
	docker, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatalf("find the Docker engine: %v", err)
	}
	t.Cleanup(func() { _ = docker.Close() })
	return docker
}

// Busybox is an image with a shell and small tools, which hack/images makes.
func Busybox() string { return cmp.Or(os.Getenv("LIGHTD_TEST_IMAGE"), "lightd-test/busybox:latest") }

// Debian is an image with apt-get, which hack/images makes.
func Debian() string { return cmp.Or(os.Getenv("LIGHTD_DEMO_IMAGE"), "lightd-test/debian:latest") }

// Registry is the address of the registry that "hack/images registry up" starts.
func Registry() string {
	return "127.0.0.1:" + cmp.Or(os.Getenv("LIGHTD_TEST_REGISTRY_PORT"), "5000")
}
