package images_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/client"

	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/observed"
	"lightd/observed/credentials"
	"lightd/observed/engine"
)

const (
	registryUser     = "panel"
	registryPassword = "a secret of the registry"
	// registryHash is the password by bcrypt, as htpasswd -B makes it.
	registryHash = "$2a$05$fD3r6udCIxQ.kT0vakqlQu5RAN0pmJEqpVQZZO5Mr6FMNWXDN2CVq"
)

// privateRegistry starts a registry that asks for a password, and returns its address.
func privateRegistry(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	_ = l.Close()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"htpasswd": registryUser + ":" + registryHash + "\n",
		"config.yml": fmt.Sprintf("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s/data}}\nhttp: {addr: %q}\nauth: {htpasswd: {realm: here, path: %s/htpasswd}}\n",
			dir, address, dir),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("docker-registry", "serve", filepath.Join(dir, "config.yml"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	web := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	eventually.Poll(t, func() error {
		answer, err := web.Get("http://" + address + "/v2/")
		if err != nil {
			return err
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusUnauthorized {
			return fmt.Errorf("the registry answers with %s", answer.Status)
		}
		return nil
	})
	return address
}

// publish puts the test image into a registry, and takes that name from the engine again.
func publish(t *testing.T, ref string) {
	t.Helper()
	docker, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = docker.ImageRemove(context.Background(), ref, image.RemoveOptions{})
		_ = docker.Close()
	})
	auth, err := registry.EncodeAuthConfig(registry.AuthConfig{Username: registryUser, Password: registryPassword})
	if err != nil {
		t.Fatal(err)
	}
	if err := docker.ImageTag(t.Context(), harness.Busybox(), ref); err != nil {
		t.Fatal(err)
	}
	body, err := docker.ImagePush(t.Context(), ref, image.PushOptions{RegistryAuth: auth})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, body); err != nil {
		t.Fatal(err)
	}
	_ = body.Close()
	if _, err := docker.ImageRemove(t.Context(), ref, image.RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestPullFromAPrivateRegistry: an image is pulled with the credentials that "docker login" has stored for
// its registry, without a restart once they are there.
func TestPullFromAPrivateRegistry(t *testing.T) {
	harness.NeedEngine(t)
	ref := privateRegistry(t) + "/private/busybox:1"
	publish(t, ref)
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
		host, _, _ := strings.Cut(ref, "/")
		text := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, base64.StdEncoding.EncodeToString([]byte(registryUser+":"+password)))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	login("another one")
	if err := pull(); engine.PullFaultOf(err) != observed.PullDenied {
		t.Errorf("with a wrong password: %v", err)
	}
	login(registryPassword)
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
