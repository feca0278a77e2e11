package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/httpapi/certs"
	"lightd/observed"
)

// TestMountOfTheEngineRoot: the engine's directory is wherever the engine says that it is, with what a link in it
// leads to. A spec
// that comes before the engine has answered is accepted, and does not start.
func TestMountOfTheEngineRoot(t *testing.T) {
	t.Parallel()
	wide := harness.Value[string](t)(os.MkdirTemp("", "wide"))
	t.Cleanup(func() { _ = os.RemoveAll(wide) })
	for _, dir := range []string{"docker/100000.100000/overlay2", "other", "plain", "disk/volumes"} {
		if err := os.MkdirAll(filepath.Join(wide, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../../disk/volumes", filepath.Join(wide, "docker/100000.100000/volumes")); err != nil {
		t.Fatal(err)
	}
	sim := harness.Sim(t, simengine.Options{AnyMounts: true}, harness.Busybox())
	sim.OnCommand("entrypoint.sh", func(ctx context.Context, _ *simengine.Process) { <-ctx.Done() })
	sim.SetRoot(filepath.Join(wide, "docker/100000.100000"), "name=userns")
	config, socket := filepath.Join(wide, "lightd.yaml"), filepath.Join(wide, "s")
	if err := os.WriteFile(config, []byte("mounts:\n  allowed: ["+wide+"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, dir: t.TempDir()}
	n.start("--config", config, "--docker-host", "unix://"+socket)
	volume, _ := n.volume()
	mount := func(source string) string { return fmt.Sprintf(`"power":"running","mount":{"/x":%q}`, source) }

	early := filepath.Join(wide, "docker/100000.100000/overlay2")
	n.send("POST", "/containers", spec("early", volume, mount(early))).want(201, "")
	n.send("POST", "/containers", spec("plain", volume, mount(filepath.Join(wide, "plain")))).want(201, "")
	if err := sim.Serve(socket); err != nil {
		t.Fatal(err)
	}
	n.until("plain", "running", running)
	c := n.until("early", "refused", because("MountUnavailable"))
	if text := fmt.Sprint(c.Conditions); !strings.Contains(text, "no container may see") {
		t.Errorf("it is refused for %s", text)
	}
	for _, source := range []string{"docker/100000.100000", "docker/100000.100000/overlay2", "docker", "disk/volumes", "disk"} {
		n.send("POST", "/containers", spec("late", volume, mount(filepath.Join(wide, source)))).want(400, "no container may see")
	}

	// After a restart the engine has another directory.
	n.send("POST", "/containers", spec("other", volume, mount(filepath.Join(wide, "other")))).want(201, "")
	n.until("other", "running", running)
	sim.SetRoot(filepath.Join(wide, "other"))
	if err := sim.Exit("lightd-other", 1); err != nil {
		t.Fatal(err)
	}
	n.until("other", "refused", because("MountUnavailable"))
	n.send("POST", "/containers", spec("later", volume, mount(filepath.Join(wide, "other")))).want(400, "no container may see")
}

// TestMountOfOwnFiles: what the daemon reads or keeps outside of its data directory is closed, wherever it is.
func TestMountOfOwnFiles(t *testing.T) {
	t.Parallel()
	wide := harness.Value[string](t)(os.MkdirTemp("", "wide"))
	t.Cleanup(func() { _ = os.RemoveAll(wide) })
	var errs []error
	for _, dir := range []string{"conf", "secret", "tls", "api", "engine", "plain", "hook"} {
		errs = append(errs, os.Mkdir(filepath.Join(wide, dir), 0o755))
	}
	made := harness.Value[certs.Files](t)(certs.SelfSigned(filepath.Join(wide, "tls"), []string{"localhost"}))
	errs = append(errs, os.WriteFile(filepath.Join(wide, "secret", "token"), []byte("lightd_0123456789abcdefghij\n"), 0o600),
		os.WriteFile(filepath.Join(wide, "conf", "lightd.yaml"), fmt.Appendf(nil, "mounts: {allowed: [%s]}\nlisten: ['127.0.0.1:0', 'unix://%s']\ntls: {cert: %s, key: %s}\nwebhooks: [{name: panel, url: 'https://panel.example/hook', secret_file: %s/hook/key}]\n",
			wide, filepath.Join(wide, "api", "s"), made.Cert, made.Key, wide), 0o600),
		os.WriteFile(filepath.Join(wide, "hook", "key"), []byte("0123456789abcdef0123456789abcdef\n"), 0o600))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"HOME": wide, "LIGHTD_CONFIG": filepath.Join(wide, "conf", "lightd.yaml"), "LIGHTD_TOKEN_FILE": filepath.Join(wide, "secret", "token"),
		"LIGHTD_DATA_DIR": t.TempDir(), "DOCKER_HOST": "unix://" + filepath.Join(wide, "engine", "s"),
	}
	cfg := harness.Value[config](t)(newSettings(pflag.NewFlagSet("lightd", pflag.ContinueOnError), func(k string) string { return env[k] }).load())
	if err := errors.Join(os.WriteFile(filepath.Join(wide, "api", "s"), nil, 0o600), os.WriteFile(filepath.Join(wide, "engine", "s"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	closed := newClosedPlaces(newLiveConfig(cfg))
	check, pin := closed.checkKnown, func(source string) error {
		pins, err := pinMounts(closed, "", true)([]observed.Mount{{Target: "/x", Source: source}})
		if err == nil {
			pins.Close()
		}
		return err
	}
	at := func(path string) string { return filepath.Join(wide, path) }
	for _, path := range []string{wide, at("conf"), at("conf/lightd.yaml"), at("secret"), at("secret/token"), at("tls"), made.Cert, made.Key, at("api"), at("api/s"), at("hook"), at("hook/key"), at("engine"), at("engine/s")} {
		if err := check(mounting(path)); err == nil || !strings.Contains(err.Error(), "no container may see") {
			t.Errorf("%s: %v", path, err)
		}
		if err := pin(path); err == nil {
			t.Errorf("%s is pinned for a start", path)
		}
	}
	if err := errors.Join(check(mounting(at("plain"))), pin(at("plain"))); err != nil {
		t.Error(err)
	}
}

func mounting(source string) desired.Spec {
	return desired.Spec{Mount: map[string]desired.Mount{"/x": {Source: source}}}
}
