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
func (w *world) external(method, path, body string) {
	w.busy.Add(1)
	go func() {
		defer w.busy.Add(-1)
		defer func() { _ = recover() }() // a call that is cut off
		byExternal(w.sim, method, path, body)
	}()
}

// hands are the external changes of a container. Those in ends may each end its
// program once, or be why it is recreated.
var hands = map[string]func(w *world, name string){
	"kill":    func(w *world, name string) { w.external("POST", "/containers/"+name+"/kill", "") },
	"stop":    func(w *world, name string) { w.external("POST", "/containers/"+name+"/stop?t=3", "") },
	"start":   func(w *world, name string) { w.external("POST", "/containers/"+name+"/start", "") },
	"restart": func(w *world, name string) { _ = w.sim.Bounce(name) },
	"remove":  func(w *world, name string) { w.external("DELETE", "/containers/"+name+"?force=1", "") },
	"forget":  func(w *world, name string) { _ = w.sim.Forget(name) },
	"pause":   func(w *world, name string) { w.external("POST", "/containers/"+name+"/pause", "") },
	"rename": func(w *world, name string) {
		w.external("POST", "/containers/"+name+"/rename?name=renamed-"+name[:6], "")
	},
	"update": func(w *world, name string) {
		w.external("POST", "/containers/"+name+"/update", `{"Memory": 33554432, "MemorySwap": 33554432}`)
	},
	"disconnect": func(w *world, name string) {
		w.external("POST", "/networks/bridge/disconnect", fmt.Sprintf(`{"Container": %q}`, name))
	},
	"exit":          func(w *world, name string) { _ = w.sim.Exit(name, w.number("code", 3)) },
	"out of memory": func(w *world, name string) { _ = w.sim.OutOfMemory(name, w.chance("first", 60)) },
}

var handNames = []string{"kill", "kill", "stop", "start", "restart", "remove", "remove", "forget", "pause", "rename", "update",
	"disconnect", "exit", "exit", "out of memory"}

// trouble notes that something happens which is no write of a client.
func (w *world) trouble(format string, args ...any) {
	w.calm = false
	w.note(format, args...)
}

// meddle makes an external change of one of our containers, or takes its name.
func (w *world) meddle() {
	c, ok := w.someContainer()
	if !ok || w.chance("a foreign container", 15) {
		w.takeName(w.pick("id", historyIDs))
		return
	}
	id, install := c.Config.Labels[observed.LabelID], c.Config.Labels[observed.LabelRole] == string(observed.RoleInstall)
	what := w.pick("disturbance", handNames)
	w.trouble("external change: %s %s", what, c.Name)
	if b := w.books[id]; b != nil {
		b.causes += 2 // it ends, and an external start may be undone and done again
		b.spoilt = b.spoilt || install
		if what == "start" || what == "restart" {
			w.startedExternally(b.volume, install, c.Config.Labels[observed.LabelInstall])
		}
	}
	hands[what](w, c.ID) // a call that is held up must not meet another one of that name
}

// startedExternally: a script runs without a request, or a program does whose entry point
// may not be written yet.
func (w *world) startedExternally(volume string, install bool, request string) {
	if install {
		w.reruns[(&scriptRun{volume: volume, request: request}).key()]++
		return
	}
	w.mu.Lock()
	w.untimely[volume]++
	w.mu.Unlock()
}

// someContainer returns one of those that there are.
func (w *world) someContainer() (c container.InspectResponse, ok bool) {
	var all []container.InspectResponse
	for _, id := range historyIDs {
		for _, role := range []observed.Role{observed.RoleRun, observed.RoleInstall} {
			if c, ok := w.called(id, role); ok {
				all = append(all, c)
			}
		}
	}
	if len(all) == 0 {
		return c, false
	}
	return all[w.number("container", len(all))], true
}

// called returns our container of an id and a role, whatever its name is by now.
func (w *world) called(id string, role observed.Role) (c container.InspectResponse, ok bool) {
	for _, name := range w.sim.Names() {
		c, err := w.sim.Inspect(name)
		if err == nil && w.ours(c) && c.Config.Labels[observed.LabelID] == id && c.Config.Labels[observed.LabelRole] == string(role) {
			return c, true
		}
	}
	return c, false
}

func (w *world) ours(c container.InspectResponse) bool {
	return c.Config.Labels[observed.LabelInstance] == w.store.Instance()
}

// takeName creates a container that has one of our names, or the labels of another Lightd.
func (w *world) takeName(id string) {
	name := observed.RunName(id)
	if w.chance("other name", 30) {
		name = observed.InstallName(id)
	}
	labels := map[string]string{}
	if w.chance("another instance", 50) {
		labels = map[string]string{observed.LabelInstance: "another", observed.LabelID: id, observed.LabelRole: "run"}
	}
	_, err := w.sim.Add(name, &container.Config{Image: imageB, Labels: labels}, nil, w.chance("running", 50))
	w.trouble("a foreign container takes the name %s: %v", name, err)
	if err == nil {
		c, _ := w.sim.Inspect(name)
		w.foreign[name] = fingerprint(c)
	}
}

// fingerprint is what must not change of a container that is not ours.
func fingerprint(c container.InspectResponse) string {
	return fmt.Sprintf("%s %s %t %t %s %s %d", c.ID, c.Name, c.State.Running, c.State.Paused, c.State.StartedAt, c.State.FinishedAt, c.HostConfig.Memory)
}

// targets are the calls that faults meet.
var targets = []simengine.Rule{
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

// lies are the steps that an engine may report as done without an effect.
var lies = []simengine.Rule{
	{Method: "POST", Route: "/containers/{id}/start", Status: http.StatusNoContent},
	{Method: "POST", Route: "/containers/{id}/kill", Status: http.StatusNoContent},
	{Method: "POST", Route: "/containers/{id}/rename", Status: http.StatusNoContent},
	{Method: "POST", Route: "/containers/{id}/unpause", Status: http.StatusNoContent},
	{Method: "POST", Route: "/containers/{id}/update", Status: http.StatusOK},
	{Method: "POST", Route: "/images/{name}/tag", Status: http.StatusCreated},
	{Method: "DELETE", Route: "/containers/{id}", Status: http.StatusNoContent},
}

// misbehave puts a fault in force.
func (w *world) misbehave() {
	r := targets[w.number("target", len(targets))]
	r.Times = 1 + w.number("times", 3)
	switch w.number("fault", 8) {
	case 0:
		r.Status, r.Message = http.StatusInternalServerError, "it does not feel like it"
	case 1:
		r.Cut, r.After = true, true
	case 2:
		r.Cut = true
	case 3:
		r.Delay = []time.Duration{20 * time.Millisecond, 2 * time.Second, 40 * time.Second}[w.number("delay", 3)]
		r.After = w.chance("after", 50)
	case 4:
		r.Hang = true
		r.After = w.chance("after", 50)
	case 5:
		r.Status, r.Message = http.StatusServiceUnavailable, "later"
	case 6: // of a step, not of an inspect, which would return a wrong state
		r.Method = "POST"
		r.Status = []int{http.StatusBadRequest, http.StatusConflict, http.StatusNotFound}[w.number("status", 3)]
		r.Message = "no"
		w.refusing = true
	case 7: // reports success
		r = lies[w.number("lie", len(lies))]
		r.Times = 1 + w.number("times", 5)
	}
	w.trouble("fault: %+v", r)
	w.spoil()
	w.rules = append(w.rules, w.sim.Inject(r))
}

// disturbEvents changes what the stream of events delivers.
func (w *world) disturbEvents() {
	n := w.number("events", 5)
	w.spoil()
	w.trouble("events: %s", []string{"as they are", "lost", "repeated", "reordered", "cut off"}[n])
	switch n {
	case 0:
		w.sim.InterceptEvents(nil)
	case 1:
		w.sim.InterceptEvents(simengine.DropEvents(nil))
	case 2:
		w.sim.InterceptEvents(simengine.RepeatEvents(3))
	case 3:
		w.sim.InterceptEvents(simengine.ReorderEvents(2))
	case 4:
		w.sim.CutStreams("/events")
	}
}

// disturbEngine stops the engine or makes it unreachable, or brings it back.
func (w *world) disturbEngine() {
	what := w.pick("engine", []string{"refuse", "silence", "up", "up", "restart, all live", "restart, all end", "back empty", "cut streams"})
	w.trouble("the engine: %s", what)
	w.spoil()
	switch what {
	case "refuse":
		w.sim.Refuse()
	case "silence":
		w.sim.Silence()
	case "up":
		_ = w.sim.Up()
	case "restart, all live":
		_ = w.sim.Restart(true)
	case "restart, all end":
		w.endsAll()
		_ = w.sim.Restart(false)
		w.noteForeign()
	case "back empty":
		w.endsAll()
		_ = w.sim.Wipe()
		clear(w.foreign)
		w.stock()
	case "cut streams":
		w.sim.CutStreams("")
	}
}

// endsAll notes that every program may end.
func (w *world) endsAll() {
	for _, b := range w.books {
		b.causes++
	}
}

// spoil notes that every installation may be cut off.
func (w *world) spoil() {
	for _, b := range w.books {
		b.spoilt = true
	}
}

// noteForeign records the state of foreign containers after the engine itself has changed them.
func (w *world) noteForeign() {
	for name := range w.foreign {
		if c, err := w.sim.Inspect(name); err == nil {
			w.foreign[name] = fingerprint(c)
		}
	}
}

// disturbHost does something to what the node rests on.
func (w *world) disturbHost() {
	what := w.pick("host", []string{"image removed", "snapshot removed", "disk of the engine full", "port taken", "slow removals",
		"entry point altered", "pull fails", "tag moved", "mounts gone"})
	w.trouble("the host: %s", what)
	id := w.pick("id", historyIDs)
	switch what {
	case "image removed":
		w.external("DELETE", "/images/"+w.pick("image", imageRefs)+"?force=1", "")
	case "snapshot removed":
		if st, ok := w.statuses.Get(id); ok && st.Install.Snapshot != "" {
			w.books[id].spoilt = true
			w.external("DELETE", "/images/"+st.Install.Snapshot+"?force=1", "")
		}
	case "disk of the engine full":
		w.sim.SetDiskFull(true)
	case "port taken":
		w.sim.OccupyPort(pool[0].Port, "tcp")
	case "slow removals":
		w.sim.SetRemovalTime(3 * time.Second)
	case "entry point altered":
		path := filepath.Join(w.node.data.Path(id), "entrypoint.sh")
		if _, err := os.Stat(path); err == nil {
			_ = os.WriteFile(path, []byte("#!/bin/sh\nexec rm -rf /\n"), 0o755)
		}
	case "tag moved":
		w.endsAll() // who follows it recreates its container
		w.external("POST", "/images/"+w.pick("image", imageRefs)+"/tag?repo=lightd-test/busybox&tag=latest", "")
	case "mounts gone":
		w.unmounted.Store(true)
	case "pull fails":
		w.sim.Publish(imageC, simengine.Remote{Layers: []int64{1, 1}, FailAfter: 1, Failure: "no luck"})
	}
}

// disturbDisk has the next records of the daemon fail. A client's write ends that: what became
// of one that got no answer, its client would have to find out.
func (w *world) disturbDisk() {
	left := 1 + w.number("commits", 4)
	hangs := []time.Duration{0, 0, time.Second, 7 * time.Second}[w.number("hangs", 4)]
	happens := w.chance("happens", 30)
	w.trouble("the disk: %d commits fail after %s, and happen: %t", left, hangs, happens)
	w.disk.fail(0, left, hangs, happens)
}

// fixDisk ends that.
func (w *world) fixDisk() {
	w.disk.fail(0, 0, 0, false)
	if w.up {
		_ = w.store.Ping(context.Background()) // a dead one writes nothing
	}
}

// setClock sets the clock of the machine. What the engine does from now on carries its time.
func (w *world) setClock() {
	d := []time.Duration{time.Hour, -time.Hour, 20 * time.Second, -20 * time.Second}[w.number("clock", 4)]
	w.clock += d
	w.set += d
	w.sim.SetClock(w.clock)
	w.trouble("the clock is set by %s", d)
}

// backdate shifts what earlier daemons have recorded as if the clock had been set since: the
// present one reads the clock of the bubble, which cannot be set.
func (w *world) backdate(s *store.Store, all *records.Statuses) {
	by := -w.set
	w.set = 0
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
			w.t.Fatal(err)
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
func (w *world) release() {
	for _, r := range w.rules {
		r.Release()
	}
	w.rules = nil
	w.sim.InterceptEvents(nil)
	w.unmounted.Store(false)
	w.fixDisk()
	w.sim.SetDiskFull(false)
	w.sim.SetRemovalTime(0)
	w.sim.FreePort(pool[0].Port, "tcp")
	for _, ref := range []string{imageA, imageB, imageC} {
		w.sim.Publish(ref, simengine.Remote{Pace: 2 * time.Second})
	}
	_ = w.sim.Up()
	for name := range w.foreign {
		w.external("DELETE", "/containers/"+name+"?force=1", "")
	}
	clear(w.foreign)
}
