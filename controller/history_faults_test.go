package controller_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/docker/docker/api/types/container"

	"lightd/desired/store"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/records"
	"lightd/observed/status"
)

// external has the engine do something outside of the daemon. Faults affect that call too: it may
// take as long as they last.
func (h *history) external(method, path, body string) {
	h.busy.Add(1)
	go func() {
		defer h.busy.Add(-1)
		defer func() { _ = recover() }() // a call that is cut off
		byExternal(h.sim, method, path, body)
	}()
}

// externalChanges of a container may each end its program once, or be why it is recreated.
var externalChanges = map[string]func(h *history, name string){
	"kill":    func(h *history, name string) { h.external("POST", "/containers/"+name+"/kill", "") },
	"stop":    func(h *history, name string) { h.external("POST", "/containers/"+name+"/stop?t=3", "") },
	"start":   func(h *history, name string) { h.external("POST", "/containers/"+name+"/start", "") },
	"restart": func(h *history, name string) { _ = h.sim.RestartContainer(name) },
	"remove":  func(h *history, name string) { h.external("DELETE", "/containers/"+name+"?force=1", "") },
	"forget":  func(h *history, name string) { _ = h.sim.Forget(name) },
	"pause":   func(h *history, name string) { h.external("POST", "/containers/"+name+"/pause", "") },
	"rename": func(h *history, name string) {
		h.external("POST", "/containers/"+name+"/rename?name=renamed-"+name[:6], "")
	},
	"update": func(h *history, name string) {
		h.external("POST", "/containers/"+name+"/update", `{"Memory": 33554432, "MemorySwap": 33554432}`)
	},
	"disconnect": func(h *history, name string) {
		h.external("POST", "/networks/bridge/disconnect", fmt.Sprintf(`{"Container": %q}`, name))
	},
	"exit":          func(h *history, name string) { _ = h.sim.Exit(name, h.number("code", 3)) },
	"out of memory": func(h *history, name string) { _ = h.sim.OutOfMemory(name, h.chance("first", 60)) },
}

var externalChangeNames = []string{"kill", "kill", "stop", "start", "restart", "remove", "remove", "forget", "pause", "rename", "update",
	"disconnect", "exit", "exit", "out of memory"}

// noteDisturbance notes that something happens which is no write of a client.
func (h *history) noteDisturbance(format string, args ...any) {
	h.undisturbed = false
	h.note(format, args...)
}

// changeExternally makes an external change of one of our containers, or takes its name.
func (h *history) changeExternally() {
	c, ok := h.someContainer()
	if !ok || h.chance("a foreign container", 15) {
		h.takeName(h.pick("id", historyIDs))
		return
	}
	id, install := c.Config.Labels[observed.LabelID], c.Config.Labels[observed.LabelRole] == string(observed.RoleInstall)
	what := h.pick("disturbance", externalChangeNames)
	h.noteDisturbance("external change: %s %s", what, c.Name)
	if b := h.models[id]; b != nil {
		b.causes += 2 // it ends, and an external start may be undone and done again
		b.invalidated = b.invalidated || install
		if what == "start" || what == "restart" {
			h.startedExternally(b.volume, install, c.Config.Labels[observed.LabelInstall])
		}
	}
	externalChanges[what](h, c.ID) // a call that is held up must not meet another one of that name
}

// startedExternally: a script runs without a request, or a program does whose entry point
// may not be written yet.
func (h *history) startedExternally(volume string, install bool, request string) {
	if install {
		h.reruns[(&scriptRun{volume: volume, request: request}).key()]++
		return
	}
	h.mu.Lock()
	h.untimely[volume]++
	h.mu.Unlock()
}

// someContainer returns one of those that there are.
func (h *history) someContainer() (c container.InspectResponse, ok bool) {
	var all []container.InspectResponse
	for _, id := range historyIDs {
		for _, role := range []observed.Role{observed.RoleRun, observed.RoleInstall} {
			if c, ok := h.called(id, role); ok {
				all = append(all, c)
			}
		}
	}
	if len(all) == 0 {
		return c, false
	}
	return all[h.number("container", len(all))], true
}

// called returns our container of an id and a role, whatever its name is by now.
func (h *history) called(id string, role observed.Role) (c container.InspectResponse, ok bool) {
	for _, name := range h.sim.Names() {
		c, err := h.sim.Inspect(name)
		if err == nil && h.ours(c) && c.Config.Labels[observed.LabelID] == id && c.Config.Labels[observed.LabelRole] == string(role) {
			return c, true
		}
	}
	return c, false
}

func (h *history) ours(c container.InspectResponse) bool {
	return c.Config.Labels[observed.LabelInstance] == h.store.Instance()
}

// takeName creates a container that has one of our names, or the labels of another Lightd.
func (h *history) takeName(id string) {
	name := observed.RunName(id)
	if h.chance("other name", 30) {
		name = observed.InstallName(id)
	}
	labels := map[string]string{}
	if h.chance("another instance", 50) {
		labels = map[string]string{observed.LabelInstance: "another", observed.LabelID: id, observed.LabelRole: "run"}
	}
	_, err := h.sim.Add(name, &container.Config{Image: imageB, Labels: labels}, nil, h.chance("running", 50))
	h.noteDisturbance("a foreign container takes the name %s: %v", name, err)
	if err == nil {
		c, _ := h.sim.Inspect(name)
		h.foreign[name] = fingerprint(c)
	}
}

// fingerprint is what must not change of a container that is not ours.
func fingerprint(c container.InspectResponse) string {
	return fmt.Sprintf("%s %s %t %t %s %s %d", c.ID, c.Name, c.State.Running, c.State.Paused, c.State.StartedAt, c.State.FinishedAt, c.HostConfig.Memory)
}

// faultTargets are the calls that faults meet.
var faultTargets = []simengine.Rule{
	{Method: "POST", Route: "/containers/create"},
	{Method: "POST", Route: "/containers/{id}/start"},
	{Method: "POST", Route: "/containers/{id}/kill"},
	{Method: "DELETE", Route: "/containers/{id}"},
	{Method: "GET", Route: "/containers/{id}/json"},
	{Method: "GET", Route: "/containers/json"},
	{Method: "POST", Route: "/containers/{id}/attach"},
	{Method: "POST", Route: "/containers/{id}/update"},
	{Method: "POST", Route: "/commit"},
	{Method: "GET", Route: "/containers/{id}/changes"},
	{Method: "GET", Route: "/containers/{id}/logs"},
	{Method: "GET", Route: "/images/{name}/json"},
	{Method: "POST", Route: "/images/create"},
	{Method: "POST"},
	{},
}

// falseSuccesses are the steps that an engine may report as done without an effect.
var falseSuccesses = []simengine.Rule{
	{Method: "POST", Route: "/containers/{id}/start", Status: http.StatusNoContent},
	{Method: "POST", Route: "/containers/{id}/kill", Status: http.StatusNoContent},
	{Method: "POST", Route: "/containers/{id}/rename", Status: http.StatusNoContent},
	{Method: "POST", Route: "/containers/{id}/unpause", Status: http.StatusNoContent},
	{Method: "POST", Route: "/containers/{id}/update", Status: http.StatusOK},
	{Method: "POST", Route: "/images/{name}/tag", Status: http.StatusCreated},
	{Method: "DELETE", Route: "/containers/{id}", Status: http.StatusNoContent},
}

// injectFault puts a fault in force.
func (h *history) injectFault() {
	r := faultTargets[h.number("target", len(faultTargets))]
	r.Times = 1 + h.number("times", 3)
	switch h.number("fault", 8) {
	case 0:
		r.Status, r.Message = http.StatusInternalServerError, "internal error"
	case 1:
		r.Cut, r.After = true, true
	case 2:
		r.Cut = true
	case 3:
		r.Delay = []time.Duration{20 * time.Millisecond, 2 * time.Second, 40 * time.Second}[h.number("delay", 3)]
		r.After = h.chance("after", 50)
	case 4:
		r.Hang = true
		r.After = h.chance("after", 50)
	case 5:
		r.Status, r.Message = http.StatusServiceUnavailable, "later"
	case 6: // of a step, not of an inspect, which would return a wrong state
		r.Method = "POST"
		r.Status = []int{http.StatusBadRequest, http.StatusConflict, http.StatusNotFound}[h.number("status", 3)]
		r.Message = "no"
		h.refusing = true
	case 7: // reports success
		r = falseSuccesses[h.number("lie", len(falseSuccesses))]
		r.Times = 1 + h.number("times", 5)
	}
	h.noteDisturbance("fault: %+v", r)
	h.invalidateAll()
	h.rules = append(h.rules, h.sim.Inject(r))
}

// disturbEvents changes what the stream of events delivers.
func (h *history) disturbEvents() {
	n := h.number("events", 5)
	h.invalidateAll()
	h.noteDisturbance("events: %s", []string{"as they are", "lost", "repeated", "reordered", "cut off"}[n])
	switch n {
	case 0:
		h.sim.InterceptEvents(nil)
	case 1:
		h.sim.InterceptEvents(simengine.DropEvents(nil))
	case 2:
		h.sim.InterceptEvents(simengine.RepeatEvents(3))
	case 3:
		h.sim.InterceptEvents(simengine.ReorderEvents(2))
	case 4:
		h.sim.CutStreams("/events")
	}
}

// disturbEngine stops the engine or makes it unreachable, or brings it back.
func (h *history) disturbEngine() {
	what := h.pick("engine", []string{"refuse", "silence", "up", "up", "restart, all live", "restart, all end", "back empty", "cut streams"})
	h.noteDisturbance("the engine: %s", what)
	h.invalidateAll()
	switch what {
	case "refuse":
		h.sim.Refuse()
	case "silence":
		h.sim.Silence()
	case "up":
		_ = h.sim.Up()
	case "restart, all live":
		_ = h.sim.Restart(true)
	case "restart, all end":
		h.endsAll()
		_ = h.sim.Restart(false)
		h.noteForeign()
	case "back empty":
		h.endsAll()
		_ = h.sim.Wipe()
		clear(h.foreign)
		h.stock()
	case "cut streams":
		h.sim.CutStreams("")
	}
}

// endsAll notes that every program may end.
func (h *history) endsAll() {
	for _, b := range h.models {
		b.causes++
	}
}

// invalidateAll notes that every installation may be cut off.
func (h *history) invalidateAll() {
	for _, b := range h.models {
		b.invalidated = true
	}
}

// noteForeign records the state of foreign containers after the engine itself has changed them.
func (h *history) noteForeign() {
	for name := range h.foreign {
		if c, err := h.sim.Inspect(name); err == nil {
			h.foreign[name] = fingerprint(c)
		}
	}
}

// disturbHost changes images, disks, ports and files under the node.
func (h *history) disturbHost() {
	what := h.pick("host", []string{"image removed", "snapshot removed", "disk of the engine full", "port taken", "slow removals",
		"entry point altered", "pull fails", "tag moved", "mounts gone"})
	h.noteDisturbance("the host: %s", what)
	id := h.pick("id", historyIDs)
	switch what {
	case "image removed":
		h.external("DELETE", "/images/"+h.pick("image", imageRefs)+"?force=1", "")
	case "snapshot removed":
		if st, ok := h.statuses.Get(id); ok && st.Install.Snapshot != "" {
			h.models[id].invalidated = true
			h.external("DELETE", "/images/"+st.Install.Snapshot+"?force=1", "")
		}
	case "disk of the engine full":
		h.sim.SetDiskFull(true)
	case "port taken":
		h.sim.OccupyPort(pool[0].Port, "tcp")
	case "slow removals":
		h.sim.SetRemovalTime(3 * time.Second)
	case "entry point altered":
		path := filepath.Join(h.node.data.Path(id), "entrypoint.sh")
		if _, err := os.Stat(path); err == nil {
			_ = os.WriteFile(path, []byte("#!/bin/sh\nexec rm -rf /\n"), 0o755)
		}
	case "tag moved":
		h.endsAll() // a container with the image policy Follow is recreated
		h.external("POST", "/images/"+h.pick("image", imageRefs)+"/tag?repo=lightd-test/busybox&tag=latest", "")
	case "mounts gone":
		h.unmounted.Store(true)
	case "pull fails":
		h.sim.Publish(imageC, simengine.Remote{Layers: []int64{1, 1}, FailAfter: 1, Failure: "it fails"})
	}
}

// disturbDisk has the next records of the daemon fail. A client's write ends that: what became
// of one that got no answer, its client would have to find out.
func (h *history) disturbDisk() {
	left := 1 + h.number("commits", 4)
	hangs := []time.Duration{0, 0, time.Second, 7 * time.Second}[h.number("hangs", 4)]
	happens := h.chance("happens", 30)
	h.noteDisturbance("the disk: %d commits fail after %s, and happen: %t", left, hangs, happens)
	h.disk.fail(0, left, hangs, happens)
}

// fixDisk ends that.
func (h *history) fixDisk() {
	h.disk.fail(0, 0, 0, false)
	if h.up {
		_ = h.store.Ping(context.Background()) // a stopped one writes nothing
	}
}

// setClock sets the clock of the machine. What the engine does from now on carries its time.
func (h *history) setClock() {
	d := []time.Duration{time.Hour, -time.Hour, 20 * time.Second, -20 * time.Second}[h.number("clock", 4)]
	h.clock += d
	h.set += d
	h.sim.SetClock(h.clock)
	h.noteDisturbance("the clock is set by %s", d)
}

// backdate shifts what earlier daemons have recorded as if the clock had been set since: the
// present one reads the clock of the bubble, which cannot be set.
func (h *history) backdate(s *store.Store, all *records.Statuses) {
	by := -h.set
	h.set = 0
	if by == 0 {
		return
	}
	for _, c := range s.Containers() {
		st, ok := all.Get(c.InternalID)
		if !ok {
			continue
		}
		st = st.Clone()
		for _, at := range recordedTimes(&st) {
			if !at.IsZero() {
				*at = at.Add(by)
			}
		}
		if err := s.Update(context.Background(), func(tx *store.Tx) error { return all.Put(tx.Tx, st) }); err != nil {
			h.t.Fatal(err)
		}
	}
}

// recordedTimes are those of the machine's clock that decisions rest on.
func recordedTimes(st *status.Status) []*time.Time {
	times := []*time.Time{&st.NotBefore, &st.Install.ScriptAt}
	if st.Stopping != nil {
		times = append(times, &st.Stopping.At, &st.Stopping.RungAt, &st.Stopping.KilledAt)
	}
	if st.CrashesBeforeEngineLoss != nil {
		times = append(times, &st.CrashesBeforeEngineLoss.Since)
	}
	return times
}

// release ends all faults.
func (h *history) release() {
	for _, r := range h.rules {
		r.Release()
	}
	h.rules = nil
	h.sim.InterceptEvents(nil)
	h.unmounted.Store(false)
	h.fixDisk()
	h.sim.SetDiskFull(false)
	h.sim.SetRemovalTime(0)
	h.sim.FreePort(pool[0].Port, "tcp")
	for _, ref := range []string{imageA, imageB, imageC} {
		h.sim.Publish(ref, simengine.Remote{Pace: 2 * time.Second})
	}
	_ = h.sim.Up()
	for name := range h.foreign {
		h.external("DELETE", "/containers/"+name+"?force=1", "")
	}
	clear(h.foreign)
}
