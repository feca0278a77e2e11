package engine_test

import (
	"testing"

	"github.com/docker/docker/api/types/container"

	"lightd/hack/harness"
	"lightd/observed/engine"
)

// TestDockerShowsTheBlueprint is the same on a real engine.
func TestDockerShowsTheBlueprint(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	shows(t, e, imageThatSaysMuch(t))
}

// imageThatSaysMuch makes an image with everything that an image can say of its containers.
func imageThatSaysMuch(t *testing.T) (ref string) {
	t.Helper()
	docker := harness.Docker(t)
	made, err := docker.ContainerCreate(t.Context(), &container.Config{Image: image, StopSignal: "SIGQUIT"}, nil, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	ref = "lightd-test/says-much:" + uuid()
	_, err = docker.ContainerCommit(t.Context(), made.ID, container.CommitOptions{Reference: ref, Changes: []string{
		`USER daemon`, `ENTRYPOINT ["/entry"]`, `CMD ["its","own"]`, `WORKDIR /opt`,
		`ENV PATH=/usr/bin FROM_IMAGE=1 BOTH=image`, `LABEL from=image`, `VOLUME /anonymous`, `EXPOSE 99`,
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e := newEngine(t, engine.Config{})
		_ = e.Remove(t.Context(), made.ID)
		_ = e.RemoveImage(t.Context(), ref)
	})
	return ref
}
