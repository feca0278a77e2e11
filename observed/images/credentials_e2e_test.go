package images_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/docker/docker/api/types/image"

	"lightd/hack/faultyregistry"
	"lightd/hack/harness"
	"lightd/observed"
	"lightd/observed/credentials"
	"lightd/observed/engine"
)

// removeImage removes an image from the engine when the test has ended.
func removeImage(t *testing.T, ref string) {
	t.Helper()
	docker := harness.Docker(t)
	t.Cleanup(func() { _, _ = docker.ImageRemove(context.Background(), ref, image.RemoveOptions{}) })
}

// TestPullFromAPrivateRegistry: an image is pulled with the credentials that "docker login" has stored for
// its registry, without a restart once they are there.
func TestPullFromAPrivateRegistry(t *testing.T) {
	harness.NeedEngine(t)
	r := faultyregistry.Start(t)
	r.Push("private/game", 1<<10)
	ref := r.Address + "/private/game:1"
	removeImage(t, ref)
	file := filepath.Join(t.TempDir(), "config.json")
	e, err := engine.New(engine.Config{Credentials: credentials.File{Path: file}.For})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	pull := func() error { return e.Pull(t.Context(), ref, func(engine.Progress) {}) }
	if err := pull(); engine.PullFaultOf(err) != observed.PullDenied {
		t.Errorf("without credentials: %v", err)
	}
	login := func(password string) {
		t.Helper()
		text := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, r.Address, base64.StdEncoding.EncodeToString([]byte(faultyregistry.User+":"+password)))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	login("another one")
	if err := pull(); engine.PullFaultOf(err) != observed.PullDenied {
		t.Errorf("with a wrong password: %v", err)
	}
	login(faultyregistry.Password)
	if err := pull(); err != nil {
		t.Errorf("with the password: %v", err)
	}
	if known, err := e.Image(t.Context(), ref); err != nil || !known.Present {
		t.Errorf("the image is %+v, %v", known, err)
	}
	if err := os.WriteFile(file, []byte("no JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := pull(); engine.PullFaultOf(err) != observed.PullNoCredentials {
		t.Errorf("with a broken file: %v", err)
	}
}
