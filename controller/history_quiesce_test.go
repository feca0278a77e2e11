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
	"lightd/desired/trash"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/engine"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// What it may take at the most to quiesce: time, and calls that change something in Docker.
const (
	quiesceTime  = 90 * time.Minute // what no list shows is inspected once an hour
	quiesceCalls = 40               // for each container
	// resync is when what no event has reported is observed, and reported.
	resync = 40 * time.Second
)

// quiesce ends all faults, and checks that the node converges to its specs.
func (h *history) quiesce() {
	h.note("all faults end")
	if !h.up {
		h.boot()
	}
	h.failpoints.reset(0)
	h.endCordon()
	h.release()
	for h.settle(); h.busy.Load() > 0; {
		h.pass(time.Second) // an external change may have been delayed
	}
	h.sim.ResetCalls()
	began := time.Now()
	for step := 100 * time.Millisecond; ; step = min(2*step, 10*time.Second) {
		h.pass(step)
		left := h.pendingWork()
		if left == "" && time.Since(began) > resync {
			break
		}
		if time.Since(began) > quiesceTime {
			h.fail("it does not converge", "%s", left)
		}
	}
	if n := len(h.changing()); n > quiesceCalls*len(historyIDs) {
		h.fail("it takes many calls to converge", "%d: %v", n, h.changing())
	}
	h.undisturbed, h.outOfService = true, false
	for _, c := range h.store.Containers() {
		st, _ := h.statuses.Get(c.InternalID)
		h.checkQuiesced(c, st)
	}
	h.check()
}

// pendingWork returns what is still to be done, or nothing.
func (h *history) pendingWork() string {
	for _, c := range h.store.Containers() {
		id := c.InternalID
		st, _ := h.statuses.Get(id)
		p := h.controller.Simulate(c)
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
		if wrong := cmp.Or(h.mismatch(c, st), h.unobserved(c, st)); wrong != "" {
			return fmt.Sprintf("%s: %s; %+v; seen %+v", id, wrong, st, h.cache.Get(id).Run)
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

// changing are the calls that changed something in Docker since the faults ended.
func (h *history) changing() []string {
	var calls []string
	paused := slices.ContainsFunc(h.store.Containers(), func(c desired.Container) bool { return c.Paused })
	for _, c := range h.sim.Calls() {
		if paused && c.Route == "/images/{name}" {
			continue // the image of a container that is not touched cannot go, and is tried now and then
		}
		if c.Method != http.MethodGet && c.Method != http.MethodHead && !strings.HasSuffix(c.Route, "/attach") {
			calls = append(calls, c.Method+" "+c.Route+" "+c.Target)
		}
	}
	return calls
}

// mismatch returns in what Docker differs from a spec whose generation was observed, or nothing.
func (h *history) mismatch(c desired.Container, st status.Status) string {
	if c.Paused || c.Deleting || ended(st) || st.FailedGeneration == c.Generation {
		return ""
	}
	have, err := h.sim.Inspect(observed.RunName(c.InternalID))
	if err != nil || !h.ours(have) {
		return "there is no container of ours"
	}
	image := st.Install.RunImage(c.Image)
	up := settledState(c, st) == status.StateRunning
	switch {
	case have.Config.Labels[observed.LabelHash] != c.Hash(image):
		return "the container was made from another spec"
	case have.State.Running != up || have.State.Paused:
		return fmt.Sprintf("the process is %s", have.State.Status)
	case have.HostConfig.Memory != c.Limits.Memory:
		return fmt.Sprintf("the limit of memory is %d", have.HostConfig.Memory)
	case have.HostConfig.CpusetCpus != c.Limits.CPUSet, int64(have.HostConfig.BlkioWeight) != c.Limits.IOWeight,
		have.HostConfig.OomKillDisable != nil && *have.HostConfig.OomKillDisable != c.Limits.OOMDisable,
		c.Limits.Memory > 0 && max(-1, have.HostConfig.MemorySwap-c.Limits.Memory) != c.Limits.Swap:
		return fmt.Sprintf("the other limits are %+v", have.HostConfig.Resources)
	case len(bound(have)) != len(c.Ports):
		return fmt.Sprintf("it binds %v", bound(have))
	case have.NetworkSettings.Networks[blueprint.DefaultNetwork.Name] == nil:
		return "it is off its network"
	case !h.data.EntrypointOK(c.Spec):
		return "its entry point is another one"
	case image == st.Install.Snapshot && !h.sim.HasImage(image):
		return "the image that keeps its installation is gone"
	}
	return ""
}

// unobserved returns a program that runs and is not recorded yet, or a container that is gone and
// is still in the cache.
func (h *history) unobserved(c desired.Container, st status.Status) string {
	if seen := h.cache.Get(c.InternalID).Run; seen != nil {
		if _, err := h.sim.Inspect(seen.ContainerID); err != nil {
			return "the cache has a container that is gone"
		}
	}
	have, err := h.sim.Inspect(observed.RunName(c.InternalID))
	if err != nil || !have.State.Running || c.Paused || ended(st) {
		return ""
	}
	if started, _ := time.Parse(time.RFC3339Nano, have.State.StartedAt); !st.Run.Is(status.RunID{ContainerID: have.ID, StartedAt: started}) {
		return "its present run is not recorded"
	}
	return ""
}

// checkQuiesced holds what is so of a container when nothing is left to do.
func (h *history) checkQuiesced(c desired.Container, st status.Status) {
	id, b := c.InternalID, h.models[c.InternalID]
	if c.Paused {
		return
	}
	if st.Get(status.Synced).Reason == status.ReasonRefused && !h.refusing {
		h.fail("a generation is called refused that is not", "%s: %+v", id, st)
	}
	if st.Install.Request != c.Requests.Install {
		h.fail("an installation was skipped", "%s: %d of %d", id, st.Install.Request, c.Requests.Install)
	}
	run := h.scriptOf(b.volume, st.Install.Request)
	reason := st.Get(status.Installed).Reason
	switch {
	case st.Install.Script && reason == status.ReasonInstalled && (run == nil || !run.well && !b.invalidated):
		h.fail("installed, and the script did not end well", "%s: %+v", id, run)
	case reason == status.ReasonInstallScriptFailed && (run == nil || run.well && !b.invalidated), reason == status.ReasonInstallTimeout && run == nil:
		h.fail("an installation is called failed that is not", "%s: %s, %+v", id, reason, run)
	case st.Get(status.Synced).Reason == status.ReasonInstallLost && !b.invalidated:
		h.fail("an installation is called lost that is not", "%s", id)
	}
	have, err := h.sim.Inspect(observed.RunName(id))
	if err != nil || !have.State.Running || ended(st) || c.Requests.Restart == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.starts[b.volume]; n <= b.restart {
		h.fail("a restart did not happen", "%s: %d starts when it was requested, and %d now", id, b.restart, n)
	}
}

func (h *history) scriptOf(volume string, request int64) *scriptRun {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.scripts {
		if s.volume == volume && s.request == strconv.FormatInt(request, 10) {
			return s
		}
	}
	return nil
}

// checkIdle holds that nothing is left over once the garbage was collected, and that a node that has
// converged does nothing.
func (h *history) checkIdle() {
	began := time.Now()
	for left := h.leftovers(); left != ""; left = h.leftovers() {
		if time.Since(began) > quiesceTime {
			h.fail("something is left over", "%s", left)
		}
		h.controller.TriggerGC()
		h.pass(10 * time.Second)
	}
	h.pass(10 * time.Second)
	h.sim.ResetCalls()
	emitted := len(h.events)
	h.pass(2 * time.Minute)
	news := slices.DeleteFunc(slices.Clone(h.events[emitted:]), func(e journal.Event) bool {
		c, _ := h.store.Container(e.InternalID)
		return c.Paused // a script of it may have run on
	})
	if calls := h.changing(); len(calls) > 0 || len(news) > 0 {
		h.fail("a node that has converged does something", "%v, %v", calls, news)
	}
}

// leftovers returns what exists that no spec needs, or nothing.
func (h *history) leftovers() string {
	var names, dirs, images []string
	for _, c := range h.store.Containers() {
		names, dirs = append(names, observed.RunName(c.InternalID)), append(dirs, c.InternalID)
		for _, role := range []observed.Role{observed.RoleRun, observed.RoleInstall} {
			if have, ok := h.called(c.InternalID, role); ok && c.Paused { // nothing of it is touched
				names = append(names, strings.TrimPrefix(have.Name, "/"))
			}
		}
		if st, _ := h.statuses.Get(c.InternalID); st.Install.Snapshot != "" {
			images = append(images, st.Install.Snapshot)
		}
		if have, ok := h.called(c.InternalID, observed.RoleRun); ok {
			images = append(images, have.Config.Image) // a paused one may have an older one
		}
		if c.Paused { // or be about to have one
			images = append(images, fmt.Sprintf("%s:%s.%d", engine.Repository(h.store.Instance()), c.InternalID, c.Requests.Install))
		}
	}
	for _, name := range h.sim.Names() {
		if !slices.Contains(names, name) {
			return "container " + name
		}
	}
	tagged, err := h.engine.Images(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, i := range tagged {
		if !slices.Contains(images, i.Ref) {
			return "image " + i.Ref
		}
	}
	entries, _ := os.ReadDir(filepath.Join(h.dir, "containers"))
	for _, e := range entries {
		removed, _ := os.ReadDir(filepath.Join(h.dir, "containers", trash.Name))
		if e.Name() != trash.Name && !slices.Contains(dirs, e.Name()) || len(removed) > 0 {
			return "files of " + e.Name()
		}
	}
	return h.claims()
}

// claims returns which port is in use that no spec names, or the other way round, or nothing.
func (h *history) claims() string {
	ports, err := h.store.Ports()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, p := range ports {
		named := slices.ContainsFunc(h.store.Containers(), func(c desired.Container) bool {
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
