package cache

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"lightd/observed"
	"lightd/observed/engine"
	"lightd/observed/owner"
)

// watch follows the events of the engine until ctx ends, and lists whenever some may have
// been missed.
func (c *Cache) watch(ctx context.Context) {
	engine.Repeat(ctx, func(ctx context.Context) {
		if err := c.follow(ctx); ctx.Err() == nil {
			c.log.Debug("event stream ended", "error", err)
		}
	})
}

// follow runs for one stream of events. The first list begins when the stream is
// open, so that nothing falls between the two. Where no stream can be opened a list decides
// whether the engine is up.
func (c *Cache) follow(ctx context.Context) error {
	stream, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	opened := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		select {
		case <-opened:
			cancel(c.lists(stream))
		case <-stream.Done():
		}
	})
	c.mu.Lock()
	since := c.lastEvent
	c.mu.Unlock()
	err := c.engine.ContainerEvents(stream, since, func(startedAfter time.Time) {
		c.mu.Lock()
		c.startedAfter = startedAfter
		c.mu.Unlock()
		close(opened)
	}, c.handle)
	if cause := context.Cause(stream); cause != nil {
		err = cause
	}
	cancel(nil)
	group.Wait()
	if errors.Is(err, engine.ErrTooLarge) {
		// A stream from the last event on would bring the one again that was too large.
		c.tooLarge.Do(func() { c.log.Warn("an event of the engine is too large; containers are listed instead", "error", err) })
		c.mu.Lock()
		c.lastEvent = time.Time{}
		c.mu.Unlock()
	}
	select {
	case <-opened:
		c.eventsLost()
		return err
	default:
		return errors.Join(err, c.list(ctx))
	}
}

// lists lists at once, and whenever a list is due, until one fails.
func (c *Cache) lists(ctx context.Context) error {
	for {
		began := time.Now()
		if err := c.list(ctx); err != nil {
			return err
		}
		c.awaitList(ctx, began)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// pingPeriod is how often the engine is pinged: one that hangs sends no event, and breaks no stream.
const pingPeriod = 30 * time.Second

// awaitList returns when another list is due, or ctx has ended: at the interval, when an inspection got no response,
// and when the engine answers no ping. began is when the last list was requested.
func (c *Cache) awaitList(ctx context.Context, began time.Time) {
	interval := time.NewTimer(c.resync*9/10 + rand.N(c.resync/5))
	defer interval.Stop()
	ping := time.NewTicker(pingPeriod)
	defer ping.Stop()
	for {
		select {
		case <-interval.C:
			return
		case <-c.suspect:
			select {
			case <-time.After(suspectPause - time.Since(began)):
			case <-ctx.Done():
			}
			return
		case <-ping.C:
			if c.engine.Ping(ctx) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// suspectPause is how long a list counts when an inspection gets no response: an engine that
// breaks off over one container, and lists it, must not be called in a tight loop.
const suspectPause = time.Second

// list compares the containers that exist with those that are known, and has those inspected
// that differ. Without a response the engine is down.
func (c *Cache) list(ctx context.Context) error {
	found, err := c.engine.ListAll(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil:
		if err := c.checkOwner(ctx, found); err != nil {
			return err
		}
		stale := c.compare(c.ours(found))
		c.notify()
		for _, id := range stale {
			c.queue.Add(id)
		}
	case engine.Classify(err) == engine.Unavailable:
		c.down(err)
	}
	return err
}

// checkOwner ends everything when the instance is another daemon's.
func (c *Cache) checkOwner(ctx context.Context, list []engine.Listed) error {
	if c.owner == nil {
		return nil
	}
	for _, l := range list {
		if l.Labels[observed.LabelInstance] != c.instance {
			continue
		}
		if err := c.owner.Check(l.Labels[observed.LabelOwnerEpoch]); err != nil {
			c.Fail(err)
			return err
		}
	}
	err := c.owner.Claim(ctx)
	var taken *owner.TakenOverError
	switch {
	case errors.As(err, &taken):
		c.Fail(err)
		return err
	case errors.Is(err, owner.ErrHandover):
		c.log.Warn("cannot take the instance over yet", "error", err)
		return err
	case err != nil && ctx.Err() == nil:
		c.log.Warn("cannot mark the owner of this instance in Docker", "error", err)
	}
	return nil
}

// pair is what a list has of one id.
type pair struct {
	run, install *engine.Listed
}

// compare returns the ids to inspect: those that a list shows to differ, and a sample of the others.
// After the engine was unreachable what looks the same may have ended and started again: then
// it returns all.
func (c *Cache) compare(list []engine.Listed) (stale []string) {
	pairs := c.pairs(list)
	c.mu.Lock()
	defer c.mu.Unlock()
	all := !c.up
	if all {
		c.up, c.since = true, time.Now()
		c.healthChanges++
		c.log.Info("engine reachable", "containers", len(list))
	}
	for id, p := range pairs {
		e := c.entryLocked(id)
		if e.run == "" && p.run != nil {
			c.ownLocked(id, e, p.run.ContainerID)
		}
		if e.installer == "" && p.install != nil {
			e.installer = p.install.ContainerID
		}
	}
	for id, e := range c.entries {
		p := pairs[id]
		taken := e.seen.RunNameTaken != nil || e.seen.InstallNameTaken != nil
		if all || taken || differs(e.seen.Run, p.run) || differs(e.seen.Install, p.install) {
			e.listed = p.run != nil || p.install != nil
			// Where there is no container of ours a foreign one may have either name.
			e.install = e.install || p.install != nil || p.run == nil
			e.dueAt(time.Time{})
			stale = append(stale, id)
			continue
		}
		e.watched = true
	}
	if !all {
		stale = append(stale, c.resyncSampleLocked()...)
	}
	return stale
}

// resyncShare of the containers are inspected with each list without a difference:
// an event may have been lost that a list does not make up for.
const resyncShare = 12

// resyncSampleLocked returns the ids whose last inspection is the longest ago, and marks them due. The
// caller holds mu.
func (c *Cache) resyncSampleLocked() []string {
	type observation struct {
		id string
		at time.Time
	}
	known := make([]observation, 0, len(c.entries))
	for id, e := range c.entries {
		if e.seen.Run != nil && !e.due {
			known = append(known, observation{id, e.seen.At})
		}
	}
	slices.SortFunc(known, func(a, b observation) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
	sample := make([]string, (len(known)+resyncShare-1)/resyncShare)
	for i := range sample {
		sample[i] = known[i].id
		c.entries[sample[i]].dueAt(time.Time{})
	}
	return sample
}

// pairs groups a list by id. The name decides which container is which; a renamed one counts where
// none has the right name.
func (c *Cache) pairs(list []engine.Listed) map[string]pair {
	pairs := map[string]pair{}
	for i := range list {
		l := &list[i]
		id := l.Labels[observed.LabelID]
		p := pairs[id]
		for _, name := range l.Names {
			switch name {
			case observed.RunName(id):
				p.run = l // whatever had its place before
			case observed.InstallName(id):
				p.install = l
			}
		}
		switch role := observed.Role(l.Labels[observed.LabelRole]); {
		case role == observed.RoleRun && p.run == nil:
			p.run = l
		case role == observed.RoleInstall && p.install == nil:
			p.install = l
		}
		if id != "" && (p.run != nil || p.install != nil) {
			pairs[id] = p
		}
	}
	return pairs
}

// differs reports whether a list shows a container that differs from the known one.
func differs(known *observed.Container, listed *engine.Listed) bool {
	if known == nil || listed == nil {
		return known != nil || listed != nil
	}
	return known.ContainerID != listed.ContainerID || known.Phase != listed.Phase || known.Endpoint != listed.Endpoint ||
		!slices.Contains(listed.Names, known.Name) || !slices.Equal(known.Networks, listed.Networks)
}

// down records that the engine is unreachable. What was known stays, and is not current.
func (c *Cache) down(err error) {
	ids, news := c.markDown()
	if news {
		c.log.Warn("engine unreachable", "error", err)
	}
	c.notify()
	for _, id := range ids {
		c.changed(id)
	}
}

// markDown returns the ids that are affected, and whether the state of the engine has changed.
func (c *Cache) markDown() (affected []string, news bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.up {
		news, c.healthChanges = c.healthChanges == 0, max(c.healthChanges, 1)
		return nil, news
	}
	c.up, c.since = false, time.Now()
	c.healthChanges++
	ids := make([]string, 0, len(c.entries))
	for id, e := range c.entries {
		// Whoever has requested a change may learn later than the next list that it was lost.
		e.seen.Known, e.expected = false, false
		c.renewLocked(e)
		ids = append(ids, id)
	}
	return ids, true
}
