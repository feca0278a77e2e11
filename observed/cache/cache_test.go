package cache_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"lightd/hack/eventually"
	"lightd/observed"
	"lightd/observed/cache"
	"lightd/observed/engine"
)

func TestMain(m *testing.M) { eventually.Main(m) }

func TestFirstList(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	f.put("lightd-b", "B", observed.Created)
	f.put("lightd_install-b", "BI", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, news *notified) {
		if up, since := c.Up(); !up || time.Since(since) != time.Second {
			t.Errorf("up %v since %v", up, since)
		}
		if ids := c.IDs(); !slices.Equal(ids, []string{"a", "b"}) {
			t.Errorf("ids %v", ids)
		}
		if got, want := news.take(), map[string]int{"a": 1, "b": 1}; !maps.Equal(got, want) {
			t.Errorf("notified %v, want %v", got, want)
		}
		a, b := c.Get("a"), c.Get("b")
		if !a.Known || !a.EngineUp || a.Run.ContainerID != "A" || a.Install != nil {
			t.Errorf("a: %+v", a)
		}
		if !b.Known || b.Run.ContainerID != "B" || b.Install.ContainerID != "BI" {
			t.Errorf("b: %+v", b)
		}
		if inspects, lists := f.calls(); lists != 1 || !slices.Equal(inspects, []string{"lightd-a", "lightd-b", "lightd_install-b"}) {
			t.Errorf("%d lists, inspected %v", lists, inspects)
		}
		if s := c.Get("nobody"); s.Known || !s.EngineUp {
			t.Errorf("an id that was not requested: %+v", s)
		}
	})
}

func TestWhatDoesNotChangeCostsNothing(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	f.put("lightd-b", "B", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, news *notified) {
		f.calls()
		time.Sleep(4 * time.Minute)
		if inspects, lists := f.calls(); lists != 0 || len(inspects) != 0 {
			t.Errorf("at rest: %d lists, inspected %v", lists, inspects)
		}
		news.take()
		f.put("lightd-b", "B", observed.Exited) // no event
		f.put("lightd-c", "C", observed.Created)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if inspects, lists := f.calls(); lists != 1 || !slices.Equal(inspects, []string{"lightd-a", "lightd-b", "lightd-c"}) {
			t.Errorf("resync: %d lists, inspected %v", lists, inspects)
		}
		f.remove("lightd-a")
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if s := c.Get("a"); s.Run != nil {
			t.Errorf("what is gone is shown: %+v", s)
		}
		// Each list has one of three inspected besides.
		if got, want := news.take(), map[string]int{"a": 2, "b": 2, "c": 1}; !maps.Equal(got, want) {
			t.Errorf("notified %v, want %v", got, want)
		}
	})
}

// TestEventThatIsTooLarge ends its stream. The next one does not begin with it again, and a list finds what it
// may have been of.
func TestEventThatIsTooLarge(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *notified) {
		f.emit("lightd-a", "A", "update")
		f.stream <- func(func(engine.Event)) error { return errors.New("cut") }
		time.Sleep(time.Second)
		synctest.Wait()
		f.put("lightd-b", "B", observed.Running)
		f.stream <- func(func(engine.Event)) error { return fmt.Errorf("decode: %w", engine.ErrTooLarge) }
		time.Sleep(5 * time.Second)
		synctest.Wait()
		f.mu.Lock()
		defer f.mu.Unlock()
		if n := len(f.since); n != 3 || f.since[1].IsZero() || !f.since[2].IsZero() {
			t.Errorf("streams were requested from %v", f.since)
		}
		if c.Get("b").Run == nil {
			t.Error("the new container was not found")
		}
	})
}

func TestRefreshDuringAnInspectionMakesAnotherFollow(t *testing.T) {
	f := newFake()
	scene(t, f, func(t *testing.T, c *cache.Cache, news *notified) {
		f.mu.Lock()
		f.delay = time.Second
		f.mu.Unlock()
		c.Refresh("a", true)
		time.Sleep(500 * time.Millisecond) // the inspection found none
		f.put("lightd-a", "A", observed.Created)
		requested := time.Now()
		for range 100 {
			c.Refresh("a", true)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		s := c.Get("a")
		if s.Run == nil || s.At.Before(requested) {
			t.Errorf("%+v", s)
		}
		if inspects, _ := f.calls(); len(inspects) != 4 { // two inspections of two names
			t.Errorf("inspected %v", inspects)
		}
		if got := news.take(); got["a"] != 2 {
			t.Errorf("notified %v", got)
		}
	})
}

func TestFewInspectionsAtOnce(t *testing.T) {
	f := newFake()
	for i := range 100 {
		f.put(fmt.Sprintf("lightd-%d", i), fmt.Sprint(i), observed.Running)
	}
	f.delay = time.Millisecond
	scene(t, f, func(t *testing.T, c *cache.Cache, news *notified) {
		if f.most != 4 {
			t.Errorf("%d inspections at once, want 4", f.most)
		}
		if got := news.take(); len(got) != 100 {
			t.Errorf("notified %d, want 100", len(got))
		}
	})
}

// TestContainersThatCannotBeInspected delay the inspection of none of the others.
func TestContainersThatCannotBeInspected(t *testing.T) {
	f := newFake()
	for i := range 20 {
		f.put(fmt.Sprintf("lightd-hangs-%d", i), fmt.Sprint(i), observed.Running)
	}
	f.put("lightd-a", "A", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, news *notified) {
		f.mu.Lock()
		f.delay, f.prompt = 10*time.Second, "lightd-a"
		f.mu.Unlock()
		for i := range 20 {
			c.Refresh(fmt.Sprintf("hangs-%d", i), false)
		}
		synctest.Wait()
		f.emit("lightd-a", "A", "update")
		news.take()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := news.take(); got["a"] == 0 {
			t.Error("not seen within 3 s")
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if got := news.take(); len(got) != 20 || f.most > 21 {
			t.Errorf("notified of %d, %d inspections at once", len(got), f.most)
		}
	})
}

func TestEngineGoesAndComes(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	f.put("lightd-b", "B", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, news *notified) {
		c.Refresh("wanted", true)
		synctest.Wait()
		news.take()
		c.ExpectRefresh("b") // it never comes
		f.setDown(true)
		synctest.Wait()
		lost := time.Now()
		time.Sleep(time.Second)
		synctest.Wait()
		everybody := map[string]int{"a": 1, "b": 1, "wanted": 1}
		if got := news.take(); !maps.Equal(got, everybody) {
			t.Errorf("going: notified %v, want %v", got, everybody)
		}
		if s := c.Get("a"); s.Known || s.EngineUp || s.Run == nil || s.Run.Phase != observed.Running {
			t.Errorf("while it is unreachable: %+v", s)
		}
		c.Refresh("a", true)
		time.Sleep(time.Minute)
		f.calls()
		f.put("lightd-a", "A", observed.Running) // another run that looks the same in a list
		again := f.containers["lightd-a"].StartedAt
		f.startedAfter = time.Now()
		f.setDown(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s := c.Get("a"); !s.Known || !s.EngineUp || !s.Run.StartedAt.Equal(again) || s.EngineLost.Sub(lost).Round(time.Second) != 0 || !s.EngineStartedAfter.Equal(f.startedAfter) {
			t.Errorf("when it is back: %+v", s)
		}
		if got := news.take(); got["a"] == 0 || got["b"] == 0 || got["wanted"] == 0 {
			t.Errorf("coming: notified %v", got)
		}
	})
}

func TestBrokenStreamLeavesTheEngineUp(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, news *notified) {
		_, since := c.Up()
		news.take()
		f.calls()
		f.stream <- func(func(engine.Event)) error { return errors.New("cut") }
		f.put("lightd-a", "A", observed.Exited) // unseen
		time.Sleep(time.Second)
		synctest.Wait()
		if up, now := c.Up(); !up || !now.Equal(since) {
			t.Errorf("up %v since %v, was since %v", up, now, since)
		}
		if s := c.Get("a"); s.Run.Phase != observed.Exited || !s.Run.Unwatched {
			t.Errorf("what was missed: %+v", s.Run)
		}
		if inspects, lists := f.calls(); lists != 1 || len(inspects) != 1 {
			t.Errorf("%d lists, inspected %v", lists, inspects)
		}
	})
}

func TestAnEngineThatAnswersNothingIsFound(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *notified) {
		f.mu.Lock()
		f.down = true // the stream stays open, and silent
		f.mu.Unlock()
		c.Refresh("a", true)
		time.Sleep(time.Second)
		synctest.Wait()
		if up, _ := c.Up(); up {
			t.Error("it is called up")
		}
	})
}

func TestEngineAbsentAtStart(t *testing.T) {
	f := newFake()
	f.down = true
	scene(t, f, func(t *testing.T, c *cache.Cache, news *notified) {
		c.Refresh("a", true)
		if s := c.Get("a"); s.Known || s.EngineUp {
			t.Errorf("%+v", s)
		}
		f.mu.Lock()
		f.down = false
		f.mu.Unlock()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s := c.Get("a"); !s.Known || s.Run != nil || news.take()["a"] == 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestForeignContainerWithOurName(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "X", observed.Running)
	f.put("lightd_install-a", "Y", observed.Running)
	f.foreign["lightd-a"], f.foreign["lightd_install-a"] = "", "other"
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *notified) {
		c.Refresh("a", true)
		synctest.Wait()
		s := c.Get("a")
		if s.Run != nil || s.Install != nil || s.RunNameTaken == nil || s.InstallNameTaken == nil {
			t.Fatalf("%+v", s)
		}
		if got, want := *s.RunNameTaken, (observed.Foreign{ContainerID: "X", Name: "lightd-a"}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		want := observed.Foreign{ContainerID: "Y", Name: "lightd_install-a", Instance: "other", InternalID: "a"}
		if got := *s.InstallNameTaken; got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		f.remove("lightd-a")
		f.remove("lightd_install-a")
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if s := c.Get("a"); s.RunNameTaken != nil || s.InstallNameTaken != nil {
			t.Errorf("after it has gone: %+v", s)
		}
	})
}

func TestForget(t *testing.T) {
	f := newFake()
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *notified) {
		f.put("lightd-a", "A", observed.Created)
		c.Refresh("a", true)
		synctest.Wait()
		c.Forget("a")
		if s := c.Get("a"); s.Run == nil {
			t.Error("dropped while its container exists")
		}
		f.remove("lightd-a")
		f.emit("lightd-a", "A", "destroy")
		time.Sleep(time.Second)
		synctest.Wait()
		if s := c.Get("a"); s.Known {
			t.Error("kept without a request")
		}
	})
}
