package controller_test

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/engine"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// What a rest may take at the most: time, and calls that change something in Docker.
const (
	restTime  = 90 * time.Minute // what no list shows is inspected once an hour
	restCalls = 40               // for each container
	// resync is when what no event has reported is observed, and reported.
	resync = 40 * time.Second
)

// rest ends all trouble, and checks that the node comes to rest as its specs describe it.
func (w *world) rest() {
	w.note("all trouble stops")
	if !w.up {
		w.boot()
	}
	w.failpoints.reset(0)
	w.release()
	for w.settle(); w.busy.Load() > 0; {
		w.pass(time.Second) // an external change may have been delayed
	}
	w.sim.ResetCalls()
	began := time.Now()
	for step := 100 * time.Millisecond; ; step = min(2*step, 10*time.Second) {
		w.pass(step)
		left := w.unrest()
		if left == "" && time.Since(began) > resync {
			break
		}
		if time.Since(began) > restTime {
			w.fail("it comes to no rest", "%s", left)
		}
	}
	if n := len(w.changing()); n > restCalls*len(historyIDs) {
		w.fail("it takes many steps to come to rest", "%d: %v", n, w.changing())
	}
	w.calm = true
	for _, c := range w.store.Containers() {
		st, _ := w.statuses.Get(c.InternalID)
		w.checkRest(c, st)
	}
	w.check()
}

// unrest returns what is still to be done, or nothing.
func (w *world) unrest() string {
	for _, c := range w.store.Containers() {
		id := c.InternalID
		st, _ := w.statuses.Get(id)
		p := w.controller.Simulate(c)
		switch {
		case c.Deleting:
			return id + " is being deleted"
		case st.ObservedGeneration != c.Generation:
			return fmt.Sprintf("%s: observed %d of %d: %+v", id, st.ObservedGeneration, c.Generation, st)
		case c.Paused:
		case len(p.Steps) > 0:
			return fmt.Sprintf("%s: left to do: %+v; %+v", id, p.Steps, st)
		case p.Waits != nil && !ended(st):
			return fmt.Sprintf("%s: waits: %+v; %+v", id, *p.Waits, st)
		case !ended(st) && st.State != settledState(c, st):
			return fmt.Sprintf("%s: is %s: %+v", id, st.State, st)
		}
		// No event may have reported either: a periodic inspect finds out.
		if wrong := cmp.Or(w.untrue(c, st), w.unseen(c, st)); wrong != "" {
			return fmt.Sprintf("%s: %s; %+v; seen %+v", id, wrong, st, w.cache.Get(id).Run)
		}
	}
	return ""
}

// ended reports whether an installation has failed, so that only a write continues from there.
func ended(st status.Status) bool {
	switch st.Get(status.Synced).Reason {
	case status.ReasonInstallFailed, status.ReasonInstallLost, status.ReasonRefused:
		return true
	}
	return false
}

// changing are the calls that changed something in Docker since the rest began.
func (w *world) changing() []string {
	var calls []string
	paused := slices.ContainsFunc(w.store.Containers(), func(c desired.Container) bool { return c.Paused })
	for _, c := range w.sim.Calls() {
		if paused && c.Route == "/images/{name}" {
			continue // the image of a container that is not touched cannot go, and is tried now and then
		}
		if c.Method != http.MethodGet && c.Method != http.MethodHead && !strings.HasSuffix(c.Route, "/attach") {
			calls = append(calls, c.Method+" "+c.Route+" "+c.Target)
		}
	}
	return calls
}

// untrue returns in what Docker differs from a spec whose generation was observed, or nothing.
func (w *world) untrue(c desired.Container, st status.Status) string {
	if c.Paused || c.Deleting || ended(st) || st.FailedGeneration == c.Generation {
		return ""
	}
	have, err := w.sim.Inspect(observed.RunName(c.InternalID))
	if err != nil || !w.ours(have) {
		return "there is no container of ours"
	}
	image := c.Image
	if st.Install.Snapshot != "" {
		image = st.Install.Snapshot
	}
	up := settledState(c, st) == status.StateRunning
	switch {
	case have.Config.Labels[observed.LabelHash] != c.Hash(image):
		return "the container was made from another spec"
	case have.State.Running != up || have.State.Paused:
		return fmt.Sprintf("the process is %s", have.State.Status)
	case have.HostConfig.Memory != c.Limits.Memory:
		return fmt.Sprintf("the limit of memory is %d", have.HostConfig.Memory)
	case len(bound(have)) != len(c.Ports):
		return fmt.Sprintf("it binds %v", bound(have))
	case have.NetworkSettings.Networks[blueprint.Network] == nil:
		return "it is off its network"
	case !w.data.EntrypointOK(c.Spec):
		return "its entry point is another one"
	case st.Install.Snapshot != "" && !w.sim.HasImage(image):
		return "the image that keeps its installation is gone"
	}
	return ""
}

// unseen returns a program that runs and is not recorded yet, or a container that is gone and
// is still in the cache.
func (w *world) unseen(c desired.Container, st status.Status) string {
	if seen := w.cache.Get(c.InternalID).Run; seen != nil {
		if _, err := w.sim.Inspect(seen.ContainerID); err != nil {
			return "a container is seen that is gone"
		}
	}
	have, err := w.sim.Inspect(observed.RunName(c.InternalID))
	if err != nil || !have.State.Running || c.Paused || ended(st) {
		return ""
	}
	if started, _ := time.Parse(time.RFC3339Nano, have.State.StartedAt); !st.Run.Is(status.RunID{ContainerID: have.ID, StartedAt: started}) {
		return "its present run is not known"
	}
	return ""
}

// checkRest holds what is so of a container when nothing is left to do.
func (w *world) checkRest(c desired.Container, st status.Status) {
	id, b := c.InternalID, w.books[c.InternalID]
	if c.Paused {
		return
	}
	if st.Get(status.Synced).Reason == status.ReasonRefused && !w.refusing {
		w.fail("a generation is called refused that is not", "%s: %+v", id, st)
	}
	if st.Install.Request != c.Requests.Install {
		w.fail("an installation was skipped", "%s: %d of %d", id, st.Install.Request, c.Requests.Install)
	}
	run := w.scriptOf(b.volume, st.Install.Request)
	reason := st.Get(status.Installed).Reason
	switch {
	case st.Install.Script && reason == status.ReasonInstalled && (run == nil || !run.well && !b.spoilt):
		w.fail("installed, and the script did not end well", "%s: %+v", id, run)
	case reason == status.ReasonInstallScriptFailed && (run == nil || run.well && !b.spoilt), reason == status.ReasonInstallTimeout && run == nil:
		w.fail("an installation is called failed that is not", "%s: %s, %+v", id, reason, run)
	case st.Get(status.Synced).Reason == status.ReasonInstallLost && !b.spoilt:
		w.fail("an installation is called lost that is not", "%s", id)
	}
	have, err := w.sim.Inspect(observed.RunName(id))
	if err != nil || !have.State.Running || ended(st) || c.Requests.Restart == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.starts[b.volume]; n <= b.restart {
		w.fail("a restart did not happen", "%s: %d starts when it was requested, and %d now", id, b.restart, n)
	}
}

func (w *world) scriptOf(volume string, request int64) *scriptRun {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.scripts {
		if s.volume == volume && s.request == strconv.FormatInt(request, 10) {
			return s
		}
	}
	return nil
}

// quiet holds that nothing is left over once the waste was collected, and that a node at
// rest keeps still.
func (w *world) quiet() {
	began := time.Now()
	for left := w.leftovers(); left != ""; left = w.leftovers() {
		if time.Since(began) > restTime {
			w.fail("something is left over", "%s", left)
		}
		w.controller.TriggerGC()
		w.pass(10 * time.Second)
	}
	w.pass(10 * time.Second)
	w.sim.ResetCalls()
	emitted := len(w.events)
	w.pass(2 * time.Minute)
	news := slices.DeleteFunc(slices.Clone(w.events[emitted:]), func(e journal.Event) bool {
		c, _ := w.store.Container(e.InternalID)
		return c.Paused // a script of it may have run on
	})
	if calls := w.changing(); len(calls) > 0 || len(news) > 0 {
		w.fail("a node at rest does something", "%v, %v", calls, news)
	}
}

// leftovers returns what exists that no spec needs, or nothing.
func (w *world) leftovers() string {
	var names, dirs, images []string
	for _, c := range w.store.Containers() {
		names, dirs = append(names, observed.RunName(c.InternalID)), append(dirs, c.InternalID)
		for _, role := range []observed.Role{observed.RoleRun, observed.RoleInstall} {
			if have, ok := w.called(c.InternalID, role); ok && c.Paused { // nothing of it is touched
				names = append(names, strings.TrimPrefix(have.Name, "/"))
			}
		}
		if st, _ := w.statuses.Get(c.InternalID); st.Install.Snapshot != "" {
			images = append(images, st.Install.Snapshot)
		}
		if have, ok := w.called(c.InternalID, observed.RoleRun); ok {
			images = append(images, have.Config.Image) // a paused one may have an older one
		}
		if c.Paused { // or be about to have one
			images = append(images, fmt.Sprintf("%s:%s.%d", engine.Repository(w.store.Instance()), c.InternalID, c.Requests.Install))
		}
	}
	for _, name := range w.sim.Names() {
		if !slices.Contains(names, name) {
			return "container " + name
		}
	}
	tagged, err := w.engine.Images(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, i := range tagged {
		if !slices.Contains(images, i.Ref) {
			return "image " + i.Ref
		}
	}
	entries, _ := os.ReadDir(filepath.Join(w.dir, "containers"))
	for _, e := range entries {
		if !slices.Contains(dirs, e.Name()) {
			return "files of " + e.Name()
		}
	}
	return w.claims()
}

// claims returns which port is in use that no spec names, or the other way round, or nothing.
func (w *world) claims() string {
	ports, err := w.store.Ports()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range ports {
		named := slices.ContainsFunc(w.store.Containers(), func(c desired.Container) bool {
			claimed := c.Ports
			if c.Paused { // its container is not touched, and may bind others still
				claimed = slices.Concat(c.Ports, c.Releasing)
			}
			return slices.ContainsFunc(claimed, func(have desired.Port) bool { return have.Endpoint().Overlaps(p.Endpoint) })
		})
		if p.InUse != named {
			return fmt.Sprintf("the claim on %s: in use %t, named %t", p.Endpoint, p.InUse, named)
		}
	}
	return ""
}
