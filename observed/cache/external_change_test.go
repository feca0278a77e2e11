package cache_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"lightd/observed"
	"lightd/observed/cache"
	"lightd/observed/engine"
)

// happen sends an event that Docker emits of more than our own containers, and returns the names
// that were inspected for it.
func (f *fake) happen(action, containerID string, attributes ...string) []string {
	ev := engine.Event{Action: action, ID: containerID, Attributes: map[string]string{}, Time: time.Now()}
	for i := 0; i+1 < len(attributes); i += 2 {
		ev.Attributes[attributes[i]] = attributes[i+1]
	}
	f.calls()
	f.stream <- func(each func(engine.Event)) error { each(ev); return nil }
	return f.inspected()
}

// inspected are the names that were inspected within a second.
func (f *fake) inspected() []string {
	time.Sleep(1100 * time.Millisecond)
	synctest.Wait()
	names, _ := f.calls()
	return names
}

// on puts a container on networks.
func (f *fake) on(name string, networks ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.containers[name]
	c.Networks = networks
	f.containers[name] = c
}

// TestNetworks: a container that is disconnected from a network or connected to one externally is
// inspected at once. What Docker does itself when one starts or ends costs no inspection.
func TestNetworks(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	f.put("lightd-b", "B", observed.Running)
	f.on("lightd-a", "bridge", "lan")
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *notified) {
		expectInspected := func(what string, got []string, want ...string) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Errorf("%s: inspected %v, want %v", what, got, want)
			}
		}
		f.on("lightd-a", "lan")
		expectInspected("disconnected", f.happen("disconnect", "A", "name", "bridge"), "lightd-a")
		if s := c.Get("a"); !slices.Equal(s.Run.Networks, []string{"lan"}) {
			t.Errorf("on %v", s.Run.Networks)
		}
		expectInspected("connected", f.happen("connect", "A", "name", "bridge"), "lightd-a")
		expectInspected("of a foreign container", f.happen("disconnect", "X", "name", "bridge"))

		f.on("lightd-a", "bridge", "lan")
		f.emit("lightd-a", "A", "update")
		f.put("lightd-a", "A", observed.Exited)
		f.on("lightd-a", "bridge", "lan")
		f.inspected()
		f.put("lightd-a", "A", observed.Running)
		f.on("lightd-a", "bridge", "lan")
		expectInspected("connected by its start", f.happen("connect", "A", "name", "bridge"))
		f.emit("lightd-a", "A", "start")
		expectInspected("started", f.inspected(), "lightd-a")
		f.emit("lightd-a", "A", "die", "exitCode", "1")
		f.put("lightd-a", "A", observed.Exited)
		f.on("lightd-a", "bridge", "lan")
		expectInspected("ended", f.inspected(), "lightd-a")
		expectInspected("disconnected by its end", f.happen("disconnect", "A", "name", "lan"))
		expectInspected("disconnected by its end", f.happen("disconnect", "A", "name", "bridge"))
		expectInspected("disconnected after its end", f.happen("disconnect", "A", "name", "bridge"), "lightd-a")

		f.emit("lightd-a", "A", "die", "exitCode", "1")
		f.emit("lightd-a", "A", "start")
		f.inspected()
		expectInspected("disconnected in its next run", f.happen("disconnect", "A", "name", "bridge"), "lightd-a")

		f.remove("lightd-a")
		f.emit("lightd-a", "A", "destroy")
		f.inspected()
		expectInspected("gone", f.happen("disconnect", "A", "name", "bridge"))
	})
}

// TestForeignContainersComeAndGo: one that takes our name, or gives it back, is observed at once. All else that
// others do costs nothing.
func TestForeignContainersComeAndGo(t *testing.T) {
	f := newFake()
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *notified) {
		c.Refresh("a", true)
		c.Refresh("lightd-c", true) // a name that is no id, and an id that is no name
		f.inspected()
		taken := func(id string) (run, install bool) {
			s := c.Get(id)
			return s.RunNameTaken != nil, s.InstallNameTaken != nil
		}
		f.strange("lightd-a", "")
		f.strange("lightd_install-a", "another")
		for _, step := range []struct {
			what         string
			do           func() []string
			run, install bool
		}{
			{"comes", func() []string {
				f.put("lightd-a", "X", observed.Created)
				return f.happen("create", "X", "name", "lightd-a")
			}, true, false},
			{"another's comes", func() []string {
				f.put("lightd_install-a", "Y", observed.Created)
				return f.happen("rename", "Y", "name", "lightd_install-a", "oldName", "/y", observed.LabelInstance, "another", observed.LabelID, "z")
			}, true, true},
			{"gives its name back", func() []string {
				f.remove("lightd_install-a")
				return f.happen("rename", "Y", "name", "y", "oldName", "/lightd_install-a", observed.LabelInstance, "another", observed.LabelID, "z")
			}, true, false},
			{"goes", func() []string {
				f.remove("lightd-a")
				return f.happen("destroy", "X", "name", "lightd-a")
			}, false, false},
		} {
			inspects := step.do()
			if run, install := taken("a"); run != step.run || install != step.install || len(inspects) == 0 {
				t.Errorf("%s: run %t, install %t, inspected %v", step.what, run, install, inspects)
			}
		}
		for _, ev := range [][]string{
			{"start", "X", "name", "lightd-a"}, {"die", "X", "name", "lightd-a"}, {"create", "X", "name", "a"}, {"create", "X", "name", "lightd-nobody"},
			{"destroy", "X", "name", "other", observed.LabelInstance, "another", observed.LabelID, "a"},
		} {
			if inspects := f.happen(ev[0], ev[1], ev[2:]...); len(inspects) > 0 {
				t.Errorf("%v: inspected %v", ev, inspects)
			}
		}
		if s := c.Get("nobody"); s.Known {
			t.Errorf("a foreign name made %+v", s)
		}
	})
}
