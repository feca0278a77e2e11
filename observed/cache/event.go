package cache

import (
	"slices"
	"strings"
	"time"

	"lightd/observed"
	"lightd/observed/engine"
)

// handle takes one event.
func (c *Cache) handle(ev engine.Event) {
	if c.owner != nil && ev.Attributes[observed.LabelInstance] == c.instance {
		if err := c.owner.Check(ev.Attributes[observed.LabelOwnerEpoch]); err != nil {
			c.Fail(err)
			return
		}
	}
	if ev.Mark {
		if c.owner != nil && ev.ID == engine.OwnerMark(c.instance) && (ev.Action == "create" || ev.Action == "destroy") {
			select { // another daemon may have taken over, or a prune took the mark: the next list claims it
			case c.suspect <- struct{}{}:
			default:
			}
		}
		return
	}
	id, shown := c.note(ev)
	if id == "" {
		return
	}
	// The response to the call that made the event often follows at once, and requests an
	// inspection too: one does for both.
	c.queue.AddAfter(id, eventPause)
	if shown {
		c.changed(id)
	}
}

// How long an event waits for others before its container is inspected. An end that the event has shown leaves
// nothing to find that is urgent, and most ends are followed by a start: the engine would hold an inspection until
// that is done.
const (
	eventPause = 5 * time.Millisecond
	endPause   = time.Second
)

// note keeps what an event itself shows. It returns the id to inspect, if any,
// and whether readers can see the news already.
func (c *Cache) note(ev engine.Event) (id string, shown bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// An event that comes again, or late, may be of an earlier run than the known one: their
	// times cannot be compared, as the clock can be set.
	again := !ev.Time.After(c.lastEvent)
	c.lastEvent = ev.Time
	switch {
	case ev.Action == "connect", ev.Action == "disconnect":
		return c.noteNetworkLocked(ev), false
	case strings.HasPrefix(ev.Action, "exec_"): // a command beside the program changes nothing that is observed
		return "", false
	case ev.Attributes[observed.LabelInstance] != c.instance:
		return c.noteForeignLocked(ev), false
	}
	if id = ev.Attributes[observed.LabelID]; id == "" {
		return "", false
	}
	e := c.entryLocked(id)
	if ev.Action == "kill" { // alone it changes nothing that an inspection shows
		if ev.Ends() {
			e.killed, e.killedAt = ev.ID, ev.Time
		}
		return id, c.up && e.markEndRequested()
	}
	at := time.Now().Add(eventPause)
	defer func() { e.dueAt(at) }()
	if ev.Attributes[observed.LabelRole] == string(observed.RoleInstall) {
		e.install = true
	}
	switch ev.Action {
	case "start":
		e.oom, e.stopped, e.killed, e.detaching = "", "", "", nil
	case "oom":
		e.oom = ev.ID
		return id, c.up && e.markOOM()
	case "stop":
		e.stopped = ev.ID
		return id, c.up && e.markEndRequested()
	case "die":
		if run := e.seen.Run; run != nil && run.ContainerID == ev.ID {
			e.detaching = slices.Clone(run.Networks)
		}
		if c.up && !again && e.end(ev) {
			c.renewLocked(e)
			at = time.Now().Add(endPause)
			return id, true
		}
	}
	return id, false
}

// noteNetworkLocked returns whose container was connected to a network or disconnected by another
// client. What Docker does itself, at each start and after each end, is no news. The caller holds mu.
func (c *Cache) noteNetworkLocked(ev engine.Event) (id string) {
	id = c.owners[ev.ID]
	e := c.entries[id]
	if e == nil {
		return ""
	}
	if at := slices.Index(e.detaching, ev.Attributes["name"]); at >= 0 && ev.Action == "disconnect" {
		e.detaching = slices.Delete(e.detaching, at, at+1)
		return ""
	}
	if ev.Action == "connect" && !e.seen.Run.Running() {
		return ""
	}
	e.dueAt(time.Now().Add(eventPause))
	return id
}

// noteForeignLocked returns the id whose name a foreign container takes or releases. The caller
// holds mu.
func (c *Cache) noteForeignLocked(ev engine.Event) string {
	names := []string{ev.Attributes["name"]}
	switch ev.Action {
	case "create", "destroy":
	case "rename":
		names = append(names, strings.TrimPrefix(ev.Attributes["oldName"], "/"))
	default:
		return ""
	}
	for _, name := range names {
		id, role, ok := observed.ParseName(name)
		if e := c.entries[id]; ok && e != nil {
			e.dueAt(time.Now().Add(eventPause))
			e.install = e.install || role == observed.RoleInstall
			return id
		}
	}
	return ""
}

// markOOM marks the ended runs of the container that the kernel killed a process of, and
// reports whether that changes one. Docker reports such a kill apart from the end, on a busy
// machine after it, and an inspection does not show it then (moby, libcontainerd/remote:
// a TaskExit has OOMKilled only when the TaskOOM came before).
func (e *entry) markOOM() bool {
	changed := false
	for _, at := range []**observed.Container{&e.seen.Run, &e.seen.Install} {
		was := *at
		if was == nil || was.Phase != observed.Exited || was.ContainerID != e.oom || was.OOMKilled {
			continue
		}
		now := *was
		now.OOMKilled = true
		*at, changed = &now, true
	}
	return changed
}

// killEnds is how long a program may take to end after a signal for its end to count as an answer to it.
const killEnds = 30 * time.Second

// markEndRequested marks the ended run that somebody has killed or stopped through the engine, and
// reports whether that changes it. The engine reports a stop after the end, and a kill before or after.
func (e *entry) markEndRequested() bool {
	was := e.seen.Run
	if was == nil || was.Phase != observed.Exited || was.EndRequested {
		return false
	}
	killed := e.killed == was.ContainerID && was.FinishedAt.Sub(e.killedAt).Abs() < killEnds
	if !killed && e.stopped != was.ContainerID {
		return false
	}
	now := *was
	now.EndRequested = true
	e.seen.Run = &now
	return true
}

// end shows the end of the process of a run that is known. An event of an earlier run, or of
// another container, shows nothing.
func (e *entry) end(ev engine.Event) bool {
	code, ok := ev.ExitCode()
	if !ok || !e.seen.Known {
		return false
	}
	for _, at := range []**observed.Container{&e.seen.Run, &e.seen.Install} {
		was := *at
		if !was.Running() || was.ContainerID != ev.ID || ev.Time.Before(was.StartedAt) {
			continue
		}
		now := *was
		now.Phase, now.ExitCode, now.FinishedAt = observed.Exited, code, ev.Time
		now.OOMKilled = e.oom == ev.ID
		now.PID, now.Endpoint, now.Address, now.Published = 0, "", "", nil
		now.Unwatched = !e.watched // the event came after others were lost
		*at = &now
		e.seen.At = time.Now()
		e.markEndRequested()
		return true
	}
	return false
}
