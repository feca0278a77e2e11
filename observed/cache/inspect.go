package cache

import (
	"context"
	"sync"
	"time"

	"lightd/desired/subscribe"
	"lightd/observed"
	"lightd/observed/engine"
)

// worker takes ids from the queue and inspects them until the queue is shut down. The queue
// hands out an id once at a time.
func (c *Cache) worker(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	slots := make(chan struct{}, maxInspections)
	for {
		slots <- struct{}{}
		id, shutdown := c.queue.Get()
		if shutdown {
			return
		}
		leave := sync.OnceFunc(func() { <-slots })
		group.Go(func() {
			defer c.queue.Done(id)
			defer leave()
			defer time.AfterFunc(slowInspection, leave).Stop()
			c.inspectOne(ctx, id)
		})
	}
}

// inspection is what an inspection of an id is to find out.
type inspection struct {
	id string
	// install is true when the install container is inspected too.
	install bool
	// run and installer are the containers that were last known: they are found by their ids when
	// they lost their names.
	run, installer string
	// version is that of the entry, whose other version drops the result.
	version uint64
}

// inspectOne inspects the containers of an id, publishes the result and notifies. While the
// engine is unreachable it does nothing: all ids are inspected when it is back.
func (c *Cache) inspectOne(ctx context.Context, id string) {
	in, due := c.prepare(id)
	if !due {
		return
	}
	found := observed.Snapshot{Known: true, At: time.Now()}
	var err error
	found.Run, found.RunNameTaken, err = c.inspectRole(ctx, id, observed.RunName(id), in.run, observed.RoleRun)
	if err == nil && in.install {
		found.Install, found.InstallNameTaken, err = c.inspectRole(ctx, id, observed.InstallName(id), in.installer, observed.RoleInstall)
	}
	if err != nil {
		c.failed(ctx, in, err)
		return
	}
	if !c.publish(in, found) {
		c.queue.Add(id)
		return
	}
	c.queue.Forget(id)
	c.changed(id)
}

// prepare returns the inspection of an id, if one is due that is not left to a Refresh, and the engine is
// reachable.
func (c *Cache) prepare(id string) (in inspection, due bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[id]
	if e == nil || !c.up || !e.due || e.expected {
		return inspection{}, false
	}
	if early := time.Until(e.notBefore); early > 0 {
		c.queue.AddAfter(id, early)
		return inspection{}, false
	}
	in = inspection{id: id, run: e.run, installer: e.installer, version: e.version,
		install: e.install || e.seen.Install != nil || e.seen.InstallNameTaken != nil}
	e.install, e.due = false, false
	return in, true
}

// inspectRole returns the container of ours with a name, or the one of ours that was last known and lost
// that name, and who else has the name.
func (c *Cache) inspectRole(ctx context.Context, id, name, last string, role observed.Role) (ours *observed.Container, taken *observed.Foreign, err error) {
	ours, taken, err = c.inspect(ctx, id, name, role)
	if err == nil && ours == nil && last != "" {
		ours, _, err = c.inspect(ctx, id, last, role)
	}
	return ours, taken, err
}

// inspect returns the container with a name if it is ours, else who has the name.
func (c *Cache) inspect(ctx context.Context, id, name string, role observed.Role) (ours *observed.Container, taken *observed.Foreign, err error) {
	found, labels, err := c.engine.Inspect(ctx, name)
	switch {
	case engine.Classify(err) == engine.NotFound:
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	case labels[observed.LabelInstance] != c.instance, labels[observed.LabelID] != id, found.Role != role:
		other := c.foreignOf(found.ContainerID, name, labels)
		return nil, &other, nil
	default:
		return &found, nil, nil
	}
}

// failed puts an id back after an inspection that failed.
func (c *Cache) failed(ctx context.Context, in inspection, err error) {
	if ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	if e := c.entries[in.id]; e != nil {
		e.install = e.install || in.install
		e.dueAt(time.Time{})
	}
	c.mu.Unlock()
	c.log.Warn("cannot inspect container", "container", in.id, "error", err)
	c.queue.AddRateLimited(in.id)
	if engine.Classify(err) == engine.Unavailable {
		subscribe.Wake(c.suspect)
	}
}

// publish puts a snapshot into the cache unless it may be older than what is there.
func (c *Cache) publish(in inspection, found observed.Snapshot) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entryLocked(in.id) // a new one if it was dropped meanwhile
	if e.version != in.version {
		e.install = e.install || in.install
		e.dueAt(time.Time{})
		return false
	}
	if found.Run != nil {
		found.Run.Unwatched = e.missed(found.Run)
	}
	e.seen, e.listed, e.watched = found, false, true
	e.markOOM()
	e.markEndRequested()
	run := ""
	if found.Run != nil {
		run = found.Run.ContainerID
	}
	c.ownLocked(in.id, e, run)
	if found.Install != nil {
		e.installer = found.Install.ContainerID
	} else if in.install {
		e.installer = ""
	}
	c.dropLocked(in.id, e)
	return true
}

// missed reports whether the end of a container was missed: the events were lost since
// it was last observed. Once found it stays so.
func (e *entry) missed(now *observed.Container) bool {
	was := e.seen.Run
	switch {
	case now.Running() || now.StartedAt.IsZero():
		return false
	case was != nil && !was.Running() && was.ContainerID == now.ContainerID && was.StartedAt.Equal(now.StartedAt):
		return was.Unwatched
	}
	return !e.watched
}
