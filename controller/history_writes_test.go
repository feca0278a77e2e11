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
var changes = map[string]func(*history, *desired.Container){
	"start": func(_ *history, c *desired.Container) { requestStart(c) },
	"stop": func(_ *history, c *desired.Container) {
		if c.Power != desired.PowerStopped {
			requestStop(c)
		}
	},
	"kill":    func(_ *history, c *desired.Container) { requestKill(c) },
	"restart": func(_ *history, c *desired.Container) { requestRestart(c) },
	"reinstall": func(h *history, c *desired.Container) {
		c.Requests.Install++
		if h.chance("other script", 50) {
			h.someScript(&c.Spec)
		}
	},
	"rebind": func(h *history, c *desired.Container) { c.Ports = h.somePorts() },
	"limits": func(h *history, c *desired.Container) { c.Limits.Memory = int64(64+64*h.number("memory", 2)) << 20 },
	"limit removed": func(_ *history, c *desired.Container) {
		c.Limits.Memory, c.Limits.Swap, c.Limits.OOMDisable = 0, 0, false
	},
	"environment": func(h *history, c *desired.Container) {
		c.Env = map[string]string{h.pick("variable", []string{"A", "B", "DEAF"}): "1"}
	},
	"image": func(h *history, c *desired.Container) { c.Image = h.pick("image", imageRefs) },
	"labels": func(h *history, c *desired.Container) {
		c.Labels = map[string]string{"n": h.pick("label", []string{"1", "2"})}
	},
	"pattern": func(h *history, c *desired.Container) { c.StartPattern = h.pick("pattern", []string{"", "up"}) },
	"policy": func(h *history, c *desired.Container) {
		c.Restart = []desired.RestartPolicy{desired.RestartAlways, desired.RestartOnFailure, desired.RestartNever}[h.number("policy", 3)]
	},
	"stop settings": func(h *history, c *desired.Container) {
		c.Stop.Signal = h.pick("signal", []string{"SIGTERM", "SIGINT", "SIGKILL"})
		c.Stop.Command = h.pick("command", []string{"", "halt"})
		c.Stop.Timeout = desired.Duration(time.Duration(1+9*h.number("timeout", 2)) * time.Second)
	},
	"init":   func(_ *history, c *desired.Container) { c.Init = !c.Init },
	"tty":    func(_ *history, c *desired.Container) { c.TTY = !c.TTY },
	"user":   func(h *history, c *desired.Container) { c.User = h.pick("user", []string{"", "1000:1000"}) },
	"script": func(h *history, c *desired.Container) { h.someScript(&c.Spec) },
	"follow": func(h *history, c *desired.Container) {
		c.ImagePolicy = []desired.ImagePolicy{desired.ImagePinned, desired.ImageFollow}[h.number("follow", 2)]
	},
	"pull": func(h *history, c *desired.Container) {
		c.ImagePull = []desired.ImagePull{desired.ImagePullMissing, desired.ImagePullAlways}[h.number("pull", 2)]
	},
	"other limits": func(h *history, c *desired.Container) {
		c.Limits.CPU, c.Limits.PIDs = float64(h.number("cpu", 3))/2, int64(100*(1+h.number("pids", 2)))
		c.Limits.IOWeight, c.Limits.CPUSet = int64(100*h.number("weight", 3)), h.pick("CPUs", []string{"", "0", "0-1"})
		c.Limits.Swap, c.Limits.OOMDisable = 0, false
		if c.Limits.Memory > 0 {
			c.Limits.Swap, c.Limits.OOMDisable = int64(h.number("swap", 3)-1), h.chance("no kill for memory", 20)
		}
	},
	"command": func(h *history, c *desired.Container) { c.StartupCommand = h.pick("command", []string{"run", "walk"}) },
	"pause":   func(_ *history, c *desired.Container) { c.Paused = !c.Paused },
	"delete":  func(_ *history, c *desired.Container) { c.Deleting = true },
}

// changeNames are the changes, the usual ones more than once.
var changeNames = []string{"start", "start", "start", "stop", "stop", "kill", "restart", "restart", "reinstall", "rebind", "rebind",
	"limits", "limits", "limit removed", "environment", "image", "labels", "pattern", "policy", "pause", "delete", "delete",
	"stop settings", "stop settings", "init", "tty", "user", "script", "follow", "pull", "other limits", "command"}

// write makes one write of a client.
func (h *history) write() {
	h.fixDisk()
	if !h.up {
		h.boot()
		h.settle()
	}
	switch what := h.number("write", 13); {
	case what == 10:
		h.applyAll()
	case what == 11:
		h.deleteVolume()
	case what == 12:
		h.changePool()
	default:
		h.writeOne(h.pick("id", historyIDs))
	}
}

// writeOne changes a container, or creates it where there is none.
func (h *history) writeOne(id string) {
	have, exists := h.store.Container(id)
	if !exists {
		h.create(id)
		return
	}
	what := h.pick("change", changeNames)
	want := have.Clone()
	changes[what](h, &want) // drawn here: the store may call what it is given more than once
	c, err := h.store.Change(context.Background(), id, func(c *desired.Container) error {
		*c = want.Clone()
		return nil
	})
	h.note("%s %s: generation %d, %v", what, id, c.Generation, err)
	if err == nil {
		h.acknowledged(c)
		return
	}
	h.refused(have, err)
}

// create makes a volume with data in it, and a container.
func (h *history) create(id string) {
	volume, ok := h.newVolume()
	if !ok {
		return
	}
	c, err := h.store.Create(context.Background(), h.newSpec(id, volume))
	h.note("create %s: script %q in %q, power %s, ports %v, %v", id, c.Installation().Script, c.Installation().Image, c.Power, c.Ports, err)
	if err == nil {
		h.models[id] = &model{id: id, volume: volume, invalidated: !h.undisturbed}
		h.acknowledged(c)
	}
}

func (h *history) newVolume() (id string, ok bool) {
	v, err := h.volumes.Create(context.Background(), store.Creator{})
	if err != nil {
		h.note("no volume: %v", err)
		return "", false
	}
	if err := os.WriteFile(h.precious(v.ID), []byte("precious"), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.kept[v.ID] = len(h.kept) + len(h.deletedVolumes)
	return v.ID, true
}

// precious is a file in a volume that must stay as long as the volume does.
func (h *history) precious(volume string) string {
	return filepath.Join(h.volumes.Path(volume), "data")
}

func (h *history) newSpec(id, volume string) desired.Spec {
	s := desired.DefaultSpec()
	s.InternalID, s.Image, s.VolumeID, s.StartupCommand = id, h.pick("image", imageRefs), volume, "run"
	s.StartPattern = h.pick("pattern", []string{"up", ""})
	h.someScript(&s)
	if h.chance("power", 50) {
		s.Power = desired.PowerRunning
	}
	s.Ports = h.somePorts()
	return s
}

// someScript gives a spec an install script or none, sometimes in an image of its own.
func (h *history) someScript(s *desired.Spec) {
	script := h.pick("script", scripts)
	s.InstallScript, s.Install = script, nil
	if script != "" && h.chance("image of its own", 30) {
		s.InstallScript, s.Install = "", &desired.Install{Script: script, Image: h.pick("image of the installer", imageRefs), Mount: "/mnt/server"}
		if h.chance("time", 30) {
			s.Install.Timeout = desired.Duration(time.Minute)
		}
	}
}

func (h *history) somePorts() []desired.Port {
	n := h.number("ports", len(pool)+2)
	if n == 0 || n > len(pool) {
		return []desired.Port{}
	}
	return on(pool[n-1])
}

// applyAll applies all containers in one transaction, some of them unchanged.
func (h *history) applyAll() {
	var list store.List
	before := map[string]desired.Container{}
	for _, id := range historyIDs {
		if h.chance("left out", 30) {
			continue
		}
		have, exists := h.store.Container(id)
		if exists {
			before[id] = have
			want := have.Clone()
			if h.chance("changed", 60) {
				changes[h.pick("change", []string{"limits", "environment", "rebind", "labels", "image", "stop settings", "follow", "other limits"})](h, &want)
				want.Power = []desired.Power{desired.PowerRunning, desired.PowerStopped}[h.number("power", 2)]
			}
			list.Specs = append(list.Specs, want.Spec)
			continue
		}
		if volume, ok := h.newVolume(); ok {
			list.Specs = append(list.Specs, h.newSpec(id, volume))
		}
	}
	if h.chance("prune", 20) {
		list.Prune = func(desired.Container) bool { return true }
	}
	written, err := h.store.Apply(context.Background(), list)
	h.note("apply %d specs, prune %t: %v", len(list.Specs), list.Prune != nil, err)
	for _, c := range written {
		if c.Action == desired.Created {
			h.models[c.InternalID] = &model{id: c.InternalID, volume: c.VolumeID, invalidated: !h.undisturbed}
		}
		h.acknowledged(c.Container)
	}
	if err != nil {
		for _, have := range before {
			h.refused(have, err)
		}
	}
}

// acknowledged records what a client got as response.
func (h *history) acknowledged(c desired.Container) {
	b := h.models[c.InternalID]
	if c.Generation == b.acked.Generation {
		return
	}
	b.causes++
	if c.Requests.Restart > b.acked.Requests.Restart {
		h.mu.Lock()
		b.restart = h.starts[b.volume]
		h.mu.Unlock()
	}
	b.acked = c
}

// refused holds that a write that failed has changed nothing.
func (h *history) refused(before desired.Container, err error) {
	id := before.InternalID
	now, exists := h.store.Container(id)
	if exists && now.Generation != before.Generation {
		h.fail("a write that failed has changed something", "%s: generation %d, then %d: %v", id, before.Generation, now.Generation, err)
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
	h.fail("a write was refused for no reason", "%s: %v", id, err)
}

// changePool takes a port out of the pool, or puts it back: one that is in use stays.
func (h *history) changePool() {
	ports, err := h.store.Ports()
	if err != nil {
		h.t.Fatal(err)
	}
	e := pool[h.number("port", len(pool))]
	at := slices.IndexFunc(ports, func(p desired.PoolPort) bool { return p.Endpoint == e })
	if at < 0 {
		h.note("add port %s: %v", e, h.store.AddPorts(context.Background(), []desired.Endpoint{e}))
		return
	}
	err = h.store.DeletePorts(context.Background(), []desired.Endpoint{e})
	h.note("delete port %s, in use %t: %v", e, ports[at].InUse, err)
	if ports[at].InUse && err == nil {
		h.fail("a port in use was deleted from the pool", "%s", e)
	}
}

// deleteVolume tries to delete a volume: one that is in use stays.
func (h *history) deleteVolume() {
	ids := []string{}
	for id := range h.kept {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return
	}
	slices.SortFunc(ids, func(a, b string) int { return h.kept[a] - h.kept[b] })
	id := ids[h.number("volume", len(ids))]
	used := len(h.volumes.Users(id)) > 0
	err := h.volumes.Delete(context.Background(), id)
	h.note("delete volume %d, in use %t: %v", h.kept[id], used, err)
	switch {
	case used && err == nil:
		h.fail("a volume in use was deleted", "%s", id)
	case !used: // even after an error it may go
		delete(h.kept, id)
		h.deletedVolumes[id] = true
	}
}

// settledState is what the process does when nothing is left to do.
func settledState(c desired.Container, st status.Status) status.State {
	if c.Power == desired.PowerRunning && !st.Completed {
		return status.StateRunning
	}
	return status.StateOffline
}
