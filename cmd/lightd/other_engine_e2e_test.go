package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/hack/harness"
)

// TestDataDirectoryOnAnotherEngine converges there, and brings over what scripts made in images.
// Where its copy is gone it is brought over by hand, or made again by whoever says so, and by
// nobody else.
func TestDataDirectoryOnAnotherEngine(t *testing.T) {
	t.Parallel()
	e := newOwnEngine(t, "")
	host := "unix://" + e.socket
	n := newNode(t, "--docker-host", host)
	plain, _ := n.volume()
	n.send("POST", "/containers", spec("plain", plain, pace)).want(201, "")
	runs := map[string]string{}
	for _, id := range []string{"copied", "brought", "again"} {
		volume, path := n.volume()
		runs[id] = filepath.Join(path, "installs")
		n.send("POST", "/containers", spec(id, volume,
			`"power":"running","start_pattern":"up","install_script":"echo ran >> installs; echo tool > /usr/tool"`)).want(201, "")
	}
	before := n.until("plain", "running", running)
	manifests := filepath.Join(n.dir, "snapshots", "manifests")
	for id := range runs {
		n.until(id, "running", running)
		poll(t, func() error { return copiedTo(manifests, id) })
	}
	snapshot := e.inspect("lightd-brought").Config.Image
	image := e.save(snapshot)
	n.terminate()
	for _, id := range []string{"brought", "again"} {
		for _, manifest := range harness.Value[[]string](t)(filepath.Glob(filepath.Join(manifests, "*:"+id+".*"))) {
			if err := os.Remove(manifest); err != nil {
				t.Fatal(err)
			}
		}
	}
	e.empty()
	n.start("--docker-host", host)

	n.until("plain", "made anew", func(c view) bool { return running(c) && c.ContainerID != before.ContainerID })
	n.until("copied", "running from its copy", running)
	for id, path := range runs {
		if id == "copied" {
			continue
		}
		c := n.until(id, "told as lost", func(c view) bool { return c.reason("Synced", "False") == "InstallationLost" })
		if c.ObservedGeneration != c.Generation || c.State != "offline" {
			t.Errorf("%s: %+v", id, c)
		}
		if got := lines(t, path); len(got) != 1 {
			t.Errorf("%s: its script ran %d times", id, len(got))
		}
	}
	e.restore(image)
	n.until("brought", "running from the image that was brought", running)
	for _, id := range []string{"brought", "copied"} {
		if got := e.exec("lightd-"+id, "cat", "/usr/tool"); got != "tool\n" {
			t.Errorf("what the script of %s made is %q", id, got)
		}
	}
	n.send("POST", "/containers/again/reinstall", "").want(200, "")
	n.until("again", "running from a new installation", running)
	for id, want := range map[string]int{"copied": 1, "brought": 1, "again": 2} {
		if got := lines(t, runs[id]); len(got) != want {
			t.Errorf("%s: its script ran %d times, want %d", id, len(got), want)
		}
	}
}

// copiedTo reports whether the installation of an id has a manifest.
func copiedTo(manifests, id string) error {
	found, err := filepath.Glob(filepath.Join(manifests, "*:"+id+".*"))
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%s has %d copies", id, len(found))
	}
	return err
}

// TestDataDirectoryIsLost: the containers that it knew run on. They are told of once, are
// neither taken over nor removed, and hold their names until somebody decides.
func TestDataDirectoryIsLost(t *testing.T) {
	t.Parallel()
	e := newOwnEngine(t, "")
	host := "unix://" + e.socket
	lost := newNode(t, "--docker-host", host)
	volume, _ := lost.volume()
	for _, id := range []string{"runs", "rests"} {
		lost.send("POST", "/containers", spec(id, volume, fmt.Sprintf(`"power":%q`, map[string]string{"runs": "running", "rests": "stopped"}[id]))).want(201, "")
	}
	lost.until("runs", "running", running)
	lost.until("rests", "installed", installed)
	before := e.inspect("lightd-runs")
	instance := before.Config.Labels["lightd.instance"]
	lost.crash()

	n := newNode(t, "--docker-host", host)
	volume, _ = n.volume()
	n.send("POST", "/containers", spec("runs", volume, `"power":"running"`)).want(201, "")
	c := n.until("runs", "kept from its name", func(c view) bool { return c.reason("Synced", "False") == "NameTaken" })
	for _, cond := range c.Conditions {
		if cond.Type == "Synced" && !(strings.Contains(cond.Message, instance) && strings.Contains(cond.Message, "another Lightd instance")) {
			t.Errorf("it says %q", cond.Message)
		}
	}
	n.send("GET", "/readyz", "", "Authorization:").want(200, "ready")
	poll(t, func() error {
		if log := n.log.String(); strings.Count(log, "other Lightd instances") != 1 || !strings.Contains(log, instance+": rests, runs") {
			return fmt.Errorf("it said:\n%s", log)
		}
		return nil
	})
	if now := e.inspect("lightd-runs"); now.ID != before.ID || now.State.StartedAt != before.State.StartedAt {
		t.Error("the container of the lost directory was touched")
	}
	e.inspect("lightd-rests")

	e.remove("lightd-runs") // as the message says
	n.until("runs", "running once the name is free", running)
	n.delete("runs")
	n.terminate()
	lost.start("--docker-host", host) // it was found again
	lost.until("runs", "made anew", running)
}
