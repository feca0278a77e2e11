package controller_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"lightd/desired"
	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/observed/journal"
	"lightd/observed/records"
)

// registryImages are images of the test's own in the registry of the tests.
type registryImages struct {
	t      *testing.T
	docker *client.Client
}

// publish puts a new image into the registry, and takes it from the engine. It returns its reference.
func (r registryImages) publish(name string) string {
	r.t.Helper()
	ref := fmt.Sprintf("%s/lightd-test/%s:1", harness.Registry(), name)
	var archive bytes.Buffer
	w, content := tar.NewWriter(&archive), fmt.Sprint(name, time.Now().UnixNano())
	if err := w.WriteHeader(&tar.Header{Name: "file", Mode: 0o600, Size: int64(len(content))}); err != nil {
		r.t.Fatal(err)
	}
	_, _ = io.WriteString(w, content)
	_ = w.Close() // into memory
	r.read(r.docker.ImageImport(r.t.Context(), image.ImportSource{Source: &archive, SourceName: "-"}, ref, image.ImportOptions{}))
	r.read(r.docker.ImagePush(r.t.Context(), ref, image.PushOptions{RegistryAuth: "e30="}))
	r.remove(ref)
	r.t.Cleanup(func() { _, _ = r.docker.ImageRemove(context.Background(), ref, image.RemoveOptions{Force: true}) })
	return ref
}

// read reads an answer of the engine to its end.
func (r registryImages) read(answer io.ReadCloser, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = answer.Close() }()
	text, err := io.ReadAll(answer)
	if err != nil || strings.Contains(string(text), `"error"`) {
		r.t.Fatalf("%s, %v", text, err)
	}
}

func (r registryImages) pull(ref string) {
	r.t.Helper()
	r.read(r.docker.ImagePull(r.t.Context(), ref, image.PullOptions{}))
}

func (r registryImages) remove(ref string) {
	r.t.Helper()
	if _, err := r.docker.ImageRemove(r.t.Context(), ref, image.RemoveOptions{}); err != nil {
		r.t.Fatal(err)
	}
}

// has reports whether the engine has an image; an error other than its absence ends the test.
func (r registryImages) has(ref string) bool {
	r.t.Helper()
	list, err := r.docker.ImageList(r.t.Context(), image.ListOptions{All: true})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, one := range list {
		for _, tag := range one.RepoTags {
			if tag == ref {
				return true
			}
		}
	}
	return false
}

// TestUnusedImagesOnARealEngine: what the node has pulled goes once nothing needs it; what somebody else has
// pulled, uses or has named stays.
func TestUnusedImagesOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), func(o *setup) { o.collect = 50 * time.Millisecond })
	n.clean()
	docker := harness.Docker(t)
	r, refs := registryImages{t, docker}, map[string]string{}
	for _, name := range []string{"unused", "in-use", "tagged", "stranger", "again"} {
		refs[name] = r.publish(name)
	}
	r.pull(refs["stranger"])
	for name, ref := range refs {
		n.waitSynced(n.create(name, func(s *desired.Spec) { s.Image, s.ImagePull = ref, desired.ImagePullAlways }))
	}
	used, err := docker.ContainerCreate(t.Context(), &container.Config{Image: refs["in-use"], Cmd: []string{"x"}}, nil, nil, nil, "")
	n.must(err)
	t.Cleanup(func() {
		_ = docker.ContainerRemove(context.Background(), used.ID, container.RemoveOptions{Force: true})
	})
	other := harness.Registry() + "/lightd-test/other-name:1"
	n.must(docker.ImageTag(t.Context(), refs["tagged"], other))
	t.Cleanup(func() { _, _ = docker.ImageRemove(context.Background(), other, image.RemoveOptions{}) })
	r.pull(refs["again"])
	recorded := func(want int) func() error {
		return func() error {
			all, err := records.OpenPulled(n.store.DB).All()
			if err == nil && len(all) != want {
				err = fmt.Errorf("%d images are recorded, want %d", len(all), want)
			}
			return err
		}
	}
	eventually.Poll(t, recorded(3))
	for name := range refs {
		n.change(name, func(c *desired.Container) { c.Deleting = true })
	}
	for name := range refs {
		n.gone(name)
	}
	if !r.has(refs["unused"]) {
		t.Fatal("an image was removed though that was not asked for")
	}
	n.controller.SetRemoveUnusedAfter(200 * time.Millisecond)
	eventually.Poll(t, recorded(2))
	if r.has(refs["unused"]) || !strings.Contains(n.events(""), string(journal.ImageRemoved)) {
		t.Errorf("the unused image is there: %t; the events are %s", r.has(refs["unused"]), n.events(""))
	}
	left, err := records.OpenPulled(n.store.DB).All()
	n.must(err)
	for _, image := range left {
		if !image.UnusedSince.IsZero() {
			t.Errorf("what somebody needs counts as unused: %+v", image)
		}
	}
	for name, ref := range refs {
		if name != "unused" && !r.has(ref) {
			t.Errorf("the image %s was removed", name)
		}
	}
	n.must(docker.ContainerRemove(t.Context(), used.ID, container.RemoveOptions{}))
	r.remove(other)
	eventually.Poll(t, recorded(0))
	if r.has(refs["in-use"]) || r.has(refs["tagged"]) || !r.has(refs["stranger"]) || !r.has(refs["again"]) {
		t.Error("in the end not just those are there that somebody else has pulled")
	}
}
