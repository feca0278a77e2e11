package controller_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/observed/status"
)

// foreignProgram is the beginning of a program for a machine of another kind.
var foreignProgram = "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\xb7\x00\x01" + strings.Repeat("\x00", 43)

// importImage makes an image of a few files: empty ones, links to the name after " -> ", and programs
// of another architecture before " = foreign".
func importImage(t *testing.T, docker *client.Client, ref string, files ...string) {
	t.Helper()
	var archive bytes.Buffer
	out := tar.NewWriter(&archive)
	for _, file := range files {
		name, target, link := strings.Cut(file, " -> ")
		head := &tar.Header{Name: name, Mode: 0o755, Typeflag: tar.TypeReg}
		if link {
			head.Typeflag, head.Linkname = tar.TypeSymlink, target
		}
		content := ""
		if program, foreign := strings.CutSuffix(name, " = foreign"); foreign {
			head.Name, head.Size, content = program, int64(len(foreignProgram)), foreignProgram
		}
		if err := out.WriteHeader(head); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(out, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	body, err := docker.ImageImport(t.Context(), image.ImportSource{Source: &archive, SourceName: "-"}, ref, image.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if _, err := io.Copy(io.Discard, body); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = docker.ImageRemove(context.Background(), ref, image.RemoveOptions{Force: true}) })
}

// TestImageWithoutShellOnARealEngine is refused at the first start, and no container of it is
// started. What its tag means may change, and so may the spec.
func TestImageWithoutShellOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	docker := harness.Docker(t)
	repository := "lightd-shell-" + n.store.Instance()
	for name, c := range map[string]struct {
		script string
		init   bool
		files  []string
	}{
		"plain":   {"", true, []string{"hello"}},
		"no-init": {"", false, []string{"hello"}},
		"link":    {"", true, []string{"bin/sh -> /bin/nothing"}},
		"install": {"true", true, []string{"hello"}},
	} {
		t.Run(name, func(t *testing.T) {
			ref := repository + ":" + name
			importImage(t, docker, ref, c.files...)
			n.create(name, func(s *desired.Spec) {
				s.Image, s.Power, s.Init, s.InstallScript = ref, desired.PowerRunning, c.init, c.script
			})
			st := n.wait(name, "refused", unsuited)
			if installed := st.Get(status.Installed); installed.Reason != status.ReasonImageUnsuitable || !strings.Contains(installed.Message, "/bin/sh") || st.InstallState != status.Failed {
				t.Errorf("installed %+v, %s", installed, st.InstallState)
			}
			if st.Restarts > 0 || st.LastExit != nil || strings.Contains(n.events(name), "BackOff") {
				t.Errorf("it was started: %+v; %s", st, n.events(name))
			}
			if err := docker.ImageTag(t.Context(), harness.Busybox(), ref); err != nil {
				t.Fatal(err)
			}
			n.images.Refresh(ref)
			n.wait(name, "running on the new image", func(st status.Status) bool {
				return st.State == status.StateRunning && synced(st) && st.InstallState == status.Ready
			})
		})
	}
}

// TestImageOfAnotherArchitectureOnARealEngine: its first start succeeds where the engine does not
// refuse it, and the next one is refused.
func TestImageOfAnotherArchitectureOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	docker := harness.Docker(t)
	for name, init := range map[string]bool{"foreign": true, "foreign-no-init": false} {
		ref := "lightd-arch-" + n.store.Instance() + ":" + name
		importImage(t, docker, ref, "bin/sh = foreign")
		n.create(name, func(s *desired.Spec) { s.Image, s.Power, s.Init = ref, desired.PowerRunning, init })
		st := n.wait(name, "refused", unsuited)
		if message := st.Get(status.Synced).Message; !strings.Contains(message, "exec format error") {
			t.Errorf("%s: %q", name, message)
		}
		if err := docker.ImageTag(t.Context(), harness.Busybox(), ref); err != nil {
			t.Fatal(err)
		}
		n.images.Refresh(ref)
		n.wait(name, "running on the new image", func(st status.Status) bool { return st.State == status.StateRunning && synced(st) })
	}
}
