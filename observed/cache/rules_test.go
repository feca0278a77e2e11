package cache_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"lightd/observed"
	"lightd/observed/cache"
)

// edit changes a container in Docker, without an event.
func (f *fake) edit(name string, fn func(*observed.Container)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.containers[name]
	fn(&c)
	f.containers[name] = c
}

// takes makes every inspection from now on take so long.
func (f *fake) takes(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delay = d
}

// fails makes every inspection from now on fail.
func (f *fake) fails(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failure = err
}

// TestInspectionFromBeforeTheEngineWasLostIsDropped when it is back: another engine may have answered.
func TestInspectionFromBeforeTheEngineWasLostIsDropped(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *notified) {
		f.takes(20 * time.Second)
		c.Refresh("a", false)
		synctest.Wait() // it has seen A, and not answered
		f.setDown(true)
		time.Sleep(time.Second)
		f.put("lightd-a", "B", observed.Running)
		f.setDown(false)
		for range 60 {
			time.Sleep(time.Second)
			synctest.Wait()
			if s := c.Get("a"); s.Known && s.Run.ContainerID != "B" {
				t.Fatalf("shown as known: %+v", s.Run)
			}
		}
		if s := c.Get("a"); !s.Known {
			t.Error("never inspected again")
		}
	})
}

// TestWhatIsNotOurs though its name and instance are: of another id, or in another role.
func TestWhatIsNotOurs(t *testing.T) {
	for name, change := range map[string]func(*observed.Container){
		"in another role": func(c *observed.Container) { c.Role = observed.RoleInstall },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.put("lightd-a", "A", observed.Running)
			f.edit("lightd-a", change)
			scene(t, f, func(t *testing.T, c *cache.Cache, _ *notified) {
				c.Refresh("a", false)
				synctest.Wait()
				if s := c.Get("a"); s.Run != nil || s.RunNameTaken == nil || s.RunNameTaken.Instance != "" {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// TestInspectionThatFails is repeated, and has everything listed only when the engine may be unreachable.
func TestInspectionThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		lists bool
	}{
		"refused":    {errors.New("500"), false},
		"unanswered": {errAway, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.put("lightd-a", "A", observed.Running)
			scene(t, f, func(t *testing.T, cache *cache.Cache, _ *notified) {
				f.fails(c.err)
				f.put("lightd_install-a", "I", observed.Running) // which a list shows
				f.calls()
				cache.Refresh("a", true)
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if inspects, lists := f.calls(); (lists > 0) != c.lists || lists > 12 || len(inspects) > 30 {
					t.Errorf("%d lists, %d inspections", lists, len(inspects))
				}
				f.fails(nil)
				time.Sleep(30 * time.Second)
				synctest.Wait()
				if s := cache.Get("a"); s.Install == nil {
					t.Errorf("not inspected again: %+v", s)
				}
			})
		})
	}
}

// TestWhatOnlyAListShows is inspected: each is done without an event.
func TestWhatOnlyAListShows(t *testing.T) {
	for name, c := range map[string]struct {
		before, change func(f *fake)
		is             func(observed.Snapshot) bool
	}{
		"another name": {nil, func(f *fake) {
			f.mu.Lock()
			defer f.mu.Unlock()
			c := f.containers["lightd-a"]
			c.Name = "other"
			f.containers["other"], f.owned["other"] = c, "a"
			delete(f.containers, "lightd-a")
		}, func(s observed.Snapshot) bool { return s.Run != nil && s.Run.Name == "other" }},
		"other networks": {nil, func(f *fake) { f.on("lightd-a", "lan") },
			func(s observed.Snapshot) bool { return slices.Equal(s.Run.Networks, []string{"lan"}) }},
		"an installation": {nil, func(f *fake) { f.put("lightd_install-a", "I", observed.Created) },
			func(s observed.Snapshot) bool { return s.Install != nil }},
		"the end of an installation": {func(f *fake) { f.put("lightd_install-a", "I", observed.Running) },
			func(f *fake) { f.put("lightd_install-a", "I", observed.Exited) },
			func(s observed.Snapshot) bool { return s.Install != nil && s.Install.Phase == observed.Exited }},
		"an installation that is gone": {func(f *fake) { f.put("lightd_install-a", "I", observed.Running) },
			func(f *fake) { f.remove("lightd_install-a") },
			func(s observed.Snapshot) bool { return s.Install == nil }},
		"a foreign container in its place": {nil, func(f *fake) { f.put("lightd-a", "X", observed.Running); f.strange("lightd-a", "") },
			func(s observed.Snapshot) bool { return s.Run == nil && s.RunNameTaken != nil }},
		"a foreign container that is gone": {func(f *fake) { f.strange("lightd-a", "") }, func(f *fake) { f.remove("lightd-a") },
			func(s observed.Snapshot) bool { return s.RunNameTaken == nil }},
		"a foreign container with the name of the installation that is gone": {func(f *fake) {
			f.put("lightd_install-a", "X", observed.Running)
			f.strange("lightd_install-a", "")
		}, func(f *fake) { f.remove("lightd_install-a") },
			func(s observed.Snapshot) bool { return s.InstallNameTaken == nil }},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.put("lightd-a", "A", observed.Running)
			if c.before != nil {
				c.before(f)
			}
			scene(t, f, func(t *testing.T, cache *cache.Cache, _ *notified) {
				cache.Refresh("a", true)
				time.Sleep(time.Second)
				synctest.Wait()
				if c.is(cache.Get("a")) {
					t.Fatal("it is so already")
				}
				f.calls()
				c.change(f)
				time.Sleep(5*time.Minute + 31*time.Second) // one list
				synctest.Wait()
				if s := cache.Get("a"); !s.Known || !c.is(s) {
					t.Errorf("after a list: %+v, %+v", s, s.Run)
				}
			})
		})
	}
}

// TestInstallationIsObservedByItsEvent without a request.
func TestInstallationIsObservedByItsEvent(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *notified) {
		f.put("lightd_install-a", "I", observed.Created)
		f.emit("lightd_install-a", "I", "create")
		f.inspected()
		if s := c.Get("a"); s.Install == nil {
			t.Errorf("%+v", s)
		}
		f.emit("lightd_install-a", "I", "die", "exitCode", "3")
		synctest.Wait()
		if s := c.Get("a"); s.Install.Phase == observed.Exited {
			t.Error("what never ran has ended")
		}
	})
}

// TestInstallationThatIsRenamed is the same one, whether an event or a list showed it.
func TestInstallationThatIsRenamed(t *testing.T) {
	f := newFake()
	f.put("lightd_install-a", "I", observed.Running)
	rename := func(from, to string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		c := f.containers[from]
		c.Name = to
		f.containers[to], f.owned[to] = c, "a"
		f.installs[to] = true
		delete(f.containers, from)
	}
	f.put("lightd_install-b", "J", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *notified) {
		rename("lightd_install-a", "other")
		f.emit("lightd_install-a", "I", "rename")
		f.inspected()
		if s := c.Get("a"); s.Install == nil || s.Install.Name != "other" {
			t.Errorf("after an event: %+v", s)
		}
		rename("other", "another")
		time.Sleep(5*time.Minute + 31*time.Second) // one list
		synctest.Wait()
		if s := c.Get("a"); s.Install == nil || s.Install.Name != "another" {
			t.Errorf("after a list: %+v", s)
		}
		f.remove("another")
		f.emit("lightd_install-a", "I", "destroy")
		f.inspected()
		if s := c.Get("a"); s.Install != nil {
			t.Errorf("after its removal: %+v", s)
		}
	})
}

// TestEndBeforeTheFirstInspection shows nothing: the exit code alone makes no container.
func TestEndBeforeTheFirstInspection(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, news *notified) {
		f.takes(time.Second)
		news.take()
		f.emit("lightd-a", "OTHER", "die", "exitCode", "1")
		synctest.Wait()
		if s := c.Get("a"); s.Run.Phase != observed.Running || len(news.take()) > 0 {
			t.Errorf("the end of another container: %+v", s.Run)
		}
		time.Sleep(time.Millisecond)
		f.emit("lightd-a", "A", "die", "exitCode", "no number")
		synctest.Wait()
		if s := c.Get("a"); s.Run.Phase != observed.Running {
			t.Errorf("an end without a code: %+v", s.Run)
		}
		time.Sleep(5 * time.Second)
	})
}

// TestDroppedInstallation is remembered for as long as its container exists.
func TestDroppedInstallation(t *testing.T) {
	f := newFake()
	f.put("lightd_install-a", "I", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *notified) {
		c.Forget("a")
		if s := c.Get("a"); s.Install == nil || !slices.Equal(c.IDs(), []string{"a"}) {
			t.Errorf("%+v, %v", s, c.IDs())
		}
		c.Forget("nobody")
	})
}

// TestForgetWhileAnInspectionIsDue, or under way: its result is not lost, though its id was
// dropped.
func TestForgetWhileAnInspectionIsDue(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Second} {
		f := newFake()
		scene(t, f, func(t *testing.T, c *cache.Cache, _ *notified) {
			f.delay = 10 * time.Second
			f.put("lightd-a", "A", observed.Created)
			f.emit("lightd-a", "A", "create")
			time.Sleep(wait)
			synctest.Wait()
			c.Forget("a")
			time.Sleep(time.Minute)
			if ids := c.IDs(); !slices.Equal(ids, []string{"a"}) || c.Get("a").Run == nil {
				t.Errorf("after %s: ids %v, %+v", wait, ids, c.Get("a"))
			}
		})
	}
}

// TestListedIsKnownToExist before it was inspected: nothing without a spec may be overlooked.
func TestListedIsKnownToExist(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	f.delay = 10 * time.Second
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *notified) {
		if ids := c.IDs(); !slices.Equal(ids, []string{"a"}) || c.Get("a").Known {
			t.Errorf("ids %v, %+v", ids, c.Get("a"))
		}
		c.Forget("a")
		if ids := c.IDs(); !slices.Equal(ids, []string{"a"}) {
			t.Errorf("dropped while it exists: %v", ids)
		}
	})
}

// TestEndOfAForeignContainerOnOurNetworks: only the end of the runtime container itself has it
// leave its networks.
func TestEndOfAForeignContainerOnOurNetworks(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	f.put("lightd_install-a", "I", observed.Running)
	f.on("lightd-a", "bridge")
	scene(t, f, func(t *testing.T, _ *cache.Cache, _ *notified) {
		f.emit("lightd_install-a", "I", "die", "exitCode", "0")
		f.inspected()
		if inspects := f.happen("disconnect", "A", "name", "bridge"); len(inspects) == 0 {
			t.Error("a disconnection was treated as that of an end")
		}
	})
}
