package controller_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/observed/status"
)

// Install scripts of histories.
const (
	scriptQuick   = "quick"
	scriptSlow    = "slow"
	scriptFails   = "fails"
	scriptEndless = "endless"
)

var (
	historyIDs = []string{"a", "b", "c"}
	scripts    = []string{"", "", scriptQuick, scriptQuick, scriptSlow, scriptFails, scriptEndless}
	imageRefs  = []string{imageA, imageA, imageB, imageC}
)

// changes are what a client may do to a container that exists, as the routes do it.
var changes = map[string]func(*world, *desired.Container){
	"start": func(_ *world, c *desired.Container) { power(c) },
	"stop": func(_ *world, c *desired.Container) {
		if c.Power != desired.PowerStopped {
			halt(c)
		}
	},
	"kill":    func(_ *world, c *desired.Container) { slay(c) },
	"restart": func(_ *world, c *desired.Container) { again(c) },
	"reinstall": func(w *world, c *desired.Container) {
		c.Requests.Install++
		if w.chance("other script", 50) {
			c.InstallScript = w.pick("script", scripts)
		}
	},
	"rebind":        func(w *world, c *desired.Container) { c.Ports = w.somePorts() },
	"limits":        func(w *world, c *desired.Container) { c.Limits.Memory = int64(64+64*w.number("memory", 2)) << 20 },
	"limit removed": func(_ *world, c *desired.Container) { c.Limits.Memory = 0 },
	"environment": func(w *world, c *desired.Container) {
		c.Env = map[string]string{w.pick("variable", []string{"A", "B", "DEAF"}): "1"}
	},
	"image": func(w *world, c *desired.Container) { c.Image = w.pick("image", imageRefs) },
	"labels": func(w *world, c *desired.Container) {
		c.Labels = map[string]string{"n": w.pick("label", []string{"1", "2"})}
	},
	"pattern": func(w *world, c *desired.Container) { c.StartPattern = w.pick("pattern", []string{"", "up"}) },
	"policy": func(w *world, c *desired.Container) {
		c.Restart = []desired.RestartPolicy{desired.RestartAlways, desired.RestartOnFailure, desired.RestartNever}[w.number("policy", 3)]
	},
	"stop settings": func(w *world, c *desired.Container) {
		c.Stop.Signal = w.pick("signal", []string{"SIGTERM", "SIGINT", "SIGKILL"})
		c.Stop.Command = w.pick("command", []string{"", "halt"})
		c.Stop.Timeout = desired.Duration(time.Duration(1+9*w.number("timeout", 2)) * time.Second)
	},
	"init":   func(_ *world, c *desired.Container) { c.Init = !c.Init },
	"tty":    func(_ *world, c *desired.Container) { c.TTY = !c.TTY },
	"user":   func(w *world, c *desired.Container) { c.User = w.pick("user", []string{"", "1000:1000"}) },
	"script": func(w *world, c *desired.Container) { c.InstallScript = w.pick("script", scripts) },
	"follow": func(w *world, c *desired.Container) {
		c.ImagePolicy = []desired.ImagePolicy{desired.ImagePinned, desired.ImageFollow}[w.number("follow", 2)]
	},
	"other limits": func(w *world, c *desired.Container) {
		c.Limits.CPU, c.Limits.PIDs = float64(w.number("cpu", 3))/2, int64(100*(1+w.number("pids", 2)))
	},
	"command": func(w *world, c *desired.Container) { c.StartupCommand = w.pick("command", []string{"run", "walk"}) },
	"pause":   func(_ *world, c *desired.Container) { c.Paused = !c.Paused },
	"delete":  func(_ *world, c *desired.Container) { c.Deleting = true },
}

// changeNames are the changes, the usual ones more than once.
var changeNames = []string{"start", "start", "start", "stop", "stop", "kill", "restart", "restart", "reinstall", "rebind", "rebind",
	"limits", "limits", "limit removed", "environment", "image", "labels", "pattern", "policy", "pause", "delete", "delete",
	"stop settings", "stop settings", "init", "tty", "user", "script", "follow", "other limits", "command"}

// write makes one write of a client.
func (w *world) write() {
	w.fixDisk()
	if !w.up {
		w.boot()
		w.settle()
	}
	switch what := w.number("write", 13); {
	case what == 10:
		w.applyAll()
	case what == 11:
		w.deleteVolume()
	case what == 12:
		w.changePool()
	default:
		w.writeOne(w.pick("id", historyIDs))
	}
}

// writeOne changes a container, or creates it where there is none.
func (w *world) writeOne(id string) {
	have, exists := w.store.Container(id)
	if !exists {
		w.create(id)
		return
	}
	what := w.pick("change", changeNames)
	want := have.Clone()
	changes[what](w, &want) // drawn here: the store may call what it is given more than once
	c, err := w.store.Change(context.Background(), id, func(c *desired.Container) error {
		*c = want.Clone()
		return nil
	})
	w.note("%s %s: generation %d, %v", what, id, c.Generation, err)
	if err == nil {
		w.acknowledged(c)
		return
	}
	w.refused(have, err)
}

// create makes a volume with data in it, and a container.
func (w *world) create(id string) {
	volume, ok := w.newVolume()
	if !ok {
		return
	}
	c, err := w.store.Create(context.Background(), w.newSpec(id, volume))
	w.note("create %s: script %q, power %s, ports %v, %v", id, c.InstallScript, c.Power, c.Ports, err)
	if err == nil {
		w.books[id] = &book{id: id, volume: volume, spoilt: !w.calm}
		w.acknowledged(c)
	}
}

func (w *world) newVolume() (id string, ok bool) {
	v, err := w.volumes.Create(context.Background())
	if err != nil {
		w.note("no volume: %v", err)
		return "", false
	}
	if err := os.WriteFile(w.precious(v.ID), []byte("precious"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.kept[v.ID] = len(w.kept) + len(w.doomed)
	return v.ID, true
}

// precious is a file in a volume that must stay as long as the volume does.
func (w *world) precious(volume string) string { return filepath.Join(w.volumes.Path(volume), "data") }

func (w *world) newSpec(id, volume string) desired.Spec {
	s := desired.DefaultSpec()
	s.InternalID, s.Image, s.VolumeID, s.StartupCommand = id, w.pick("image", imageRefs), volume, "run"
	s.StartPattern = w.pick("pattern", []string{"up", ""})
	s.InstallScript = w.pick("script", scripts)
	if w.chance("power", 50) {
		s.Power = desired.PowerRunning
	}
	s.Ports = w.somePorts()
	return s
}

func (w *world) somePorts() []desired.Port {
	n := w.number("ports", len(pool)+2)
	if n == 0 || n > len(pool) {
		return []desired.Port{}
	}
	return on(pool[n-1])
}

// applyAll applies all containers in one transaction, some of them unchanged.
func (w *world) applyAll() {
	var list store.List
	before := map[string]desired.Container{}
	for _, id := range historyIDs {
		if w.chance("left out", 30) {
			continue
		}
		have, exists := w.store.Container(id)
		if exists {
			before[id] = have
			want := have.Clone()
			if w.chance("changed", 60) {
				changes[w.pick("change", []string{"limits", "environment", "rebind", "labels", "image", "stop settings", "follow", "other limits"})](w, &want)
				want.Power = []desired.Power{desired.PowerRunning, desired.PowerStopped}[w.number("power", 2)]
			}
			list.Specs = append(list.Specs, want.Spec)
			continue
		}
		if volume, ok := w.newVolume(); ok {
			list.Specs = append(list.Specs, w.newSpec(id, volume))
		}
	}
	if w.chance("prune", 20) {
		list.Prune = func(desired.Container) bool { return true }
	}
	written, err := w.store.Apply(context.Background(), list)
	w.note("apply %d specs, prune %t: %v", len(list.Specs), list.Prune != nil, err)
	for _, c := range written {
		if c.Action == desired.Created {
			w.books[c.InternalID] = &book{id: c.InternalID, volume: c.VolumeID, spoilt: !w.calm}
		}
		w.acknowledged(c.Container)
	}
	if err != nil {
		for _, have := range before {
			w.refused(have, err)
		}
	}
}

// acknowledged records what a client got as response.
func (w *world) acknowledged(c desired.Container) {
	b := w.books[c.InternalID]
	if c.Generation == b.acked.Generation {
		return
	}
	b.causes++
	if c.Requests.Restart > b.acked.Requests.Restart {
		w.mu.Lock()
		b.restart = w.starts[b.volume]
		w.mu.Unlock()
	}
	b.acked = c
}

// refused holds that a write that failed has changed nothing.
func (w *world) refused(before desired.Container, err error) {
	id := before.InternalID
	now, exists := w.store.Container(id)
	if exists && now.Generation != before.Generation {
		w.fail("a write that failed has changed something", "%s: generation %d, then %d: %v", id, before.Generation, now.Generation, err)
	}
	var invalid *desired.ValidationError
	if errors.As(err, &invalid) {
		return // a list whose ports overlap
	}
	for _, known := range []error{desired.ErrPortInUse, desired.ErrDeleting, desired.ErrContainerNotFound, desired.ErrDiskFull,
		desired.ErrPortNotInPool} {
		if errors.Is(err, known) {
			return
		}
	}
	w.fail("a write was refused for no reason", "%s: %v", id, err)
}

// changePool takes a port out of the pool, or puts it back: one that is in use stays.
func (w *world) changePool() {
	ports, err := w.store.Ports()
	if err != nil {
		w.t.Fatal(err)
	}
	e := pool[w.number("port", len(pool))]
	at := slices.IndexFunc(ports, func(p desired.PoolPort) bool { return p.Endpoint == e })
	if at < 0 {
		w.note("add port %s: %v", e, w.store.AddPorts(context.Background(), []desired.Endpoint{e}))
		return
	}
	err = w.store.DeletePorts(context.Background(), []desired.Endpoint{e})
	w.note("delete port %s, in use %t: %v", e, ports[at].InUse, err)
	if ports[at].InUse && err == nil {
		w.fail("a port in use was deleted from the pool", "%s", e)
	}
}

// deleteVolume tries to delete a volume: one that is in use stays.
func (w *world) deleteVolume() {
	ids := []string{}
	for id := range w.kept {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return
	}
	slices.SortFunc(ids, func(a, b string) int { return w.kept[a] - w.kept[b] })
	id := ids[w.number("volume", len(ids))]
	used := len(w.volumes.Users(id)) > 0
	err := w.volumes.Delete(context.Background(), id)
	w.note("delete volume %d, in use %t: %v", w.kept[id], used, err)
	switch {
	case used && err == nil:
		w.fail("a volume in use was deleted", "%s", id)
	case !used: // even after an error it may go
		delete(w.kept, id)
		w.doomed[id] = true
	}
}

// settledState is what the process does when nothing is left to do.
func settledState(c desired.Container, st status.Status) status.State {
	if c.Power == desired.PowerRunning && !st.Completed {
		return status.StateRunning
	}
	return status.StateOffline
}
