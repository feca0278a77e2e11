package controller_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// copied waits until the installation of an id is in the data directory, and returns its image.
func (n *node) copied(id string) (ref string) {
	n.t.Helper()
	st := n.wait(id, "installed", func(st status.Status) bool { return st.Install.Snapshot != "" && st.InstallState == status.Ready })
	pollUntil(n.t, "the copy of the installation", func() bool { return n.stored.Has(st.Install.Snapshot) })
	return st.Install.Snapshot
}

// prune takes what `docker system prune -af` takes of a stopped container: it, and its image.
func prune(sim *simengine.Sim, id, ref string) {
	byExternal(sim, "DELETE", "/containers/lightd-"+id, "")
	byExternal(sim, "DELETE", "/images/"+ref, "")
}

// TestInstallationOutlivesAPrune: the image comes back from its copy, as the same image, with
// no script run again.
func TestInstallationOutlivesAPrune(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		installing(sim, n, "a")
		ref := n.copied("a")
		before, err := n.engine.Image(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		prune(sim, "a", ref)
		if sim.HasImage(ref) {
			t.Fatal("the image is still there")
		}
		n.wait("a", "made again", func(st status.Status) bool {
			return sim.HasImage(ref) && st.ContainerID != "" && st.Get(status.Synced).Status == status.True
		})
		n.change("a", requestStart)
		n.waitState("a", status.StateRunning)
		after, err := n.engine.Image(t.Context(), ref)
		if err != nil || after.ImageID != before.ImageID {
			t.Errorf("the image is %+v, %v, and was %+v", after, err, before)
		}
		if got := n.events("a"); strings.Count(got, "RunningInstallScript") != 1 {
			t.Errorf("events: %s", got)
		}
	})
}

// TestACopyDelaysNothing: an engine that saves an image for minutes holds neither the
// installation up nor a start nor a stop.
func TestACopyDelaysNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		saves := sim.Inject(simengine.Rule{Method: "GET", Route: "/images/get", Delay: 5 * time.Minute, Times: 1})
		began := time.Now()
		installing(sim, n, "a")
		awaitCalls(t, saves, 1)
		n.change("a", requestStart)
		n.waitState("a", status.StateRunning)
		n.waitSynced(n.change("a", requestStop))
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %s", took)
		}
		time.Sleep(5 * time.Minute)
		n.copied("a")
	})
}

// TestACopyThatWasCutOff is made by the next daemon.
func TestACopyThatWasCutOff(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		saves := sim.Inject(simengine.Rule{Method: "GET", Route: "/images/get", Delay: 5 * time.Minute, Times: 1})
		installing(sim, n, "a")
		awaitCalls(t, saves, 1)
		ref := n.wait("a", "installed", func(st status.Status) bool { return st.InstallState == status.Ready }).Install.Snapshot
		n.stop()
		if n.stored.Has(ref) {
			t.Fatal("there is a copy")
		}
		n = n.restart()
		if got := n.copied("a"); got != ref {
			t.Errorf("the copy is of %s, want %s", got, ref)
		}
	})
}

// TestACopyThatHasNoRoom fails no installation. It is reported, and made when there is room.
func TestACopyThatHasNoRoom(t *testing.T) {
	var free atomic.Uint64
	free.Store(100 << 20)
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		installing(sim, n, "a")
		n.wait("a", "reported", func(st status.Status) bool {
			c := st.Get(status.Installed)
			return st.InstallState == status.Ready && c.Status == status.True && strings.Contains(c.Message, "512 MiB must stay free") &&
				st.Get(status.Synced).Status == status.True
		})
		time.Sleep(time.Hour)
		if got := n.events("a"); strings.Count(got, "SnapshotNotCopied") != 1 {
			t.Errorf("events: %s", got)
		}
		if exports := sim.CountCalls(simengine.Rule{Method: "GET", Route: "/images/get"}); exports != 0 {
			t.Errorf("%d exports were requested for which there is no room", exports)
		}
		free.Store(1 << 40)
		time.Sleep(time.Hour)
		n.copied("a")
		n.wait("a", "taken back", func(st status.Status) bool { return st.Get(status.Installed).Message == "" })
	}, func(o *setup) { o.free = func(string) (uint64, error) { return free.Load(), nil } })
}

// TestCopiesGoWithWhatTheyAreOf: a reinstall replaces the copy, a deletion removes it, and
// the copy that an earlier container of the id left is never used for this one.
func TestCopiesGoWithWhatTheyAreOf(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		installing(sim, n, "a")
		first := n.copied("a")
		n.change("a", func(c *desired.Container) { c.Requests.Install++ })
		n.wait("a", "installed again", func(st status.Status) bool { return st.Install.Snapshot != first && st.InstallState == status.Ready })
		n.copied("a")
		pollUntil(t, "the copy of before to go", func() bool { return !n.stored.Has(first) })
		n.change("a", requestDelete)
		n.gone("a")
		pollUntil(t, "all copies to go", func() bool { return len(n.stored.Refs()) == 0 })

		// What a crash may leave: the copy of a deleted container, under a name that comes back.
		left := "the copy of an earlier container"
		installing(sim, n, "b")
		ref := n.copied("b")
		n.stop()
		path := filepath.Join(n.dir, "snapshots", "blobs", "sha256")
		err := filepath.WalkDir(path, func(p string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				err = os.WriteFile(p, []byte(left), 0o600)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		n = n.restart()
		prune(sim, "b", ref)
		n.wait("b", "reported as lost", func(st status.Status) bool {
			c := st.Get(status.Synced)
			return c.Reason == status.ReasonInstallLost && c.Status == status.False
		})
		n.change("b", func(c *desired.Container) { c.Requests.Install++ })
		n.wait("b", "installed again", func(st status.Status) bool { return st.Install.Snapshot != ref && st.InstallState == status.Ready })
		n.copied("b")
	})
}

// TestAnInstallationThatIsLostIsNotInSync, though its container does without the image: its
// successor could not.
func TestAnInstallationThatIsLostIsNotInSync(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		installing(sim, n, "a")
		ref := n.copied("a")
		n.change("a", requestStart)
		n.waitState("a", status.StateRunning)
		n.stop()
		if err := os.RemoveAll(filepath.Join(n.dir, "snapshots")); err != nil {
			t.Fatal(err)
		}
		sim.ForgetImage(ref)
		n = n.restart()
		n.wait("a", "reported as lost", func(st status.Status) bool {
			c := st.Get(status.Synced)
			return c.Reason == status.ReasonInstallLost && c.Status == status.False && st.State == status.StateRunning
		})
		n.change("a", requestStop)
		n.waitState("a", status.StateOffline)
		n.change("a", requestStart)
		n.waitState("a", status.StateRunning)
	})
}

// TestInstallationOnAnotherEngine: a data directory brings what scripts made along.
func TestInstallationOnAnotherEngine(t *testing.T) {
	sim, n := onSim(t)
	installing(sim, n, "a")
	ref := n.copied("a")
	n.stop()
	other, host := harness.SimHost(t, simengine.Options{AnyMounts: true})
	n = newNode(t, n.dir, func(o *setup) { o.host = host })
	n.change("a", requestStart)
	n.waitState("a", status.StateRunning)
	if !other.HasImage(ref) {
		t.Error("the image was not brought over")
	}
	if got := n.events("a"); strings.Count(got, "RunningInstallScript") != 1 {
		t.Errorf("events: %s", got)
	}
}
