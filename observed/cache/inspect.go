package cache

import (
	"context"
	"sync"
	"time"

	"lightd/observed"
	"lightd/observed/engine"
)

// worker takes ids from the queue and inspects them until the queue is shut down. The queue
// hands out an id once at a time.
func (c *Cache) worker(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	slots := make(chan struct{}, lookers)
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
			defer time.AfterFunc(slow, leave).Stop()
			c.inspectOne(ctx, id)
		})
	}
}

// mark is what has to be unchanged at the end of an inspection.
type mark struct {
	epoch, ends, gap int
}

// inspectOne inspects the containers of an id, publishes the result and notifies. While the
// engine is unreachable it does nothing: all ids are inspected when it is back.
func (c *Cache) inspectOne(ctx context.Context, id string) {
	install, renamed, renamedInstall, before, ok := c.prepare(id)
	if !ok {
		return
	}
	found := observed.Snapshot{Known: true, At: time.Now()}
	var err error
	found.Run, found.RunNameTaken, err = c.inspect(ctx, id, observed.RunName(id), observed.RoleRun)
	if err == nil && found.Run == nil && renamed != "" {
		found.Run, _, err = c.inspect(ctx, id, renamed, observed.RoleRun)
	}
	if err == nil && install {
		found.Install, found.InstallNameTaken, err = c.inspect(ctx, id, observed.InstallName(id), observed.RoleInstall)
		if err == nil && found.Install == nil && renamedInstall != "" {
			found.Install, _, err = c.inspect(ctx, id, renamedInstall, observed.RoleInstall)
		}
	}
	if err != nil {
		c.failed(ctx, id, install, err)
		return
	}
	if !c.publish(id, found, install, before) {
		c.queue.Add(id)
		return
	}
	c.queue.Forget(id)
	c.changed(id)
}

// prepare reports whether an id is to be inspected now, whether with its install container, and
// which containers they are if there are none of those names.
func (c *Cache) prepare(id string) (install bool, renamed, renamedInstall string, before mark, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[id]
	if e == nil || !c.up || !e.due {
		return false, "", "", mark{}, false
	}
	install = e.install || e.seen.Install != nil || e.seen.InstallNameTaken != nil
	e.install, e.due = false, false
	return install, e.run, e.installer, mark{c.epoch, e.ends, c.gap}, true
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
func (c *Cache) failed(ctx context.Context, id string, install bool, err error) {
	if ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	if e := c.entries[id]; e != nil {
		e.install, e.due = e.install || install, true
	}
	c.mu.Unlock()
	c.log.Warn("cannot inspect container", "container", id, "error", err)
	c.queue.AddRateLimited(id)
	if engine.Classify(err) == engine.Unavailable {
		select {
		case c.suspect <- struct{}{}:
		default:
		}
	}
}

// publish puts a snapshot into the cache unless it may be older than what is there.
func (c *Cache) publish(id string, found observed.Snapshot, install bool, before mark) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entryLocked(id) // a new one if it was dropped meanwhile
	if before.epoch != c.epoch || before.ends != e.ends {
		e.install, e.due = e.install || install, true
		return false
	}
	if found.Run != nil {
		found.Run.Unwatched = e.missed(found.Run, c.gap)
	}
	e.seen, e.listed, e.gap = found, false, before.gap
	run := ""
	if found.Run != nil {
		run = found.Run.ContainerID
	}
	c.ownLocked(id, e, run)
	if found.Install != nil {
		e.installer = found.Install.ContainerID
	} else if install {
		e.installer = ""
	}
	c.dropLocked(id, e)
	return true
}

// missed reports whether the end of a container was missed: the events were lost since
// it was last observed. Once found it stays so.
func (e *entry) missed(now *observed.Container, gap int) bool {
	was := e.seen.Run
	switch {
	case now.Running() || now.StartedAt.IsZero():
		return false
	case was != nil && !was.Running() && was.ContainerID == now.ContainerID && was.StartedAt.Equal(now.StartedAt):
		return was.Unwatched
	}
	return e.gap != gap
}
