package cache_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"lightd/observed"
	"lightd/observed/cache"
	"lightd/observed/engine"
)

func TestDieIsShownAtOnce(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	f.delay = 50 * time.Millisecond
	scene(t, f, func(t *testing.T, c *cache.Cache, news *notified) {
		news.take()
		f.emit("lightd-a", "A", "die", "exitCode", "9")
		synctest.Wait()
		s := c.Get("a")
		if s.Run.Phase != observed.Exited || s.Run.ExitCode != 9 || !s.Run.FinishedAt.Equal(time.Now()) || !s.At.Equal(time.Now()) || !s.Known {
			t.Errorf("at the event: %+v %+v", s, s.Run)
		}
		if got := news.take(); got["a"] != 1 {
			t.Errorf("notified %v", got)
		}
		f.put("lightd-a", "A", observed.Exited)
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		if got := news.take(); got["a"] == 0 {
			t.Error("no inspection followed")
		}
	})
}

func TestDieAgainstAnInspectionUnderWay(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, news *notified) {
		f.mu.Lock()
		f.delay = 100 * time.Millisecond
		f.mu.Unlock()
		c.Refresh("a", true)
		synctest.Wait() // the inspection found it running, and is not done
		f.mu.Lock()
		gone := f.containers["lightd-a"]
		gone.Phase, gone.ExitCode, gone.OOMKilled = observed.Exited, 137, true
		f.containers["lightd-a"] = gone
		f.mu.Unlock()
		f.emit("lightd-a", "A", "oom")
		time.Sleep(time.Nanosecond)
		f.emit("lightd-a", "A", "die", "exitCode", "137")
		for range 100 {
			synctest.Wait()
			if s := c.Get("a"); s.Run.Phase != observed.Exited || !s.Run.OOMKilled {
				t.Fatalf("an older inspection covered the end: %+v", s.Run)
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
}

// TestEndAndStartAreOneInspection: a run that ends and is started again is inspected once. A start of ours is
// inspected at its end, however long it takes, and an end that nothing follows after a while.
func TestEndAndStartAreOneInspection(t *testing.T) {
	for what, c := range map[string]struct {
		// after is when the start is over, 0 for none.
		after  time.Duration
		ours   bool
		within time.Duration
	}{
		"a start of ours":      {time.Millisecond, true, time.Millisecond},
		"a slow start of ours": {10 * time.Second, true, time.Millisecond},
		"a start of another":   {100 * time.Millisecond, false, 10 * time.Millisecond},
		"nothing that follows": {0, false, 1010 * time.Millisecond},
	} {
		t.Run(what, func(t *testing.T) {
			f := newFake()
			f.put("lightd-a", "A", observed.Running)
			scene(t, f, func(t *testing.T, cached *cache.Cache, _ *notified) {
				made := func() int {
					synctest.Wait()
					f.mu.Lock()
					defer f.mu.Unlock()
					return len(f.inspects)
				}
				before := made()
				f.emit("lightd-a", "A", "kill", "signal", "9")
				time.Sleep(time.Nanosecond)
				f.emit("lightd-a", "A", "die", "exitCode", "137")
				f.put("lightd-a", "A", observed.Exited)
				if c.ours {
					cached.ExpectRefresh("a")
				}
				time.Sleep(c.after)
				if c.after > 0 {
					f.put("lightd-a", "A", observed.Running)
					f.emit("lightd-a", "A", "start")
				}
				if c.ours {
					time.Sleep(time.Second)
				}
				if n := made() - before; n > 0 {
					t.Fatalf("%d inspections before it is started", n)
				}
				began := time.Now()
				if c.ours {
					cached.Refresh("a", false)
				}
				for made() == before {
					time.Sleep(time.Millisecond)
				}
				if took := time.Since(began); took > c.within {
					t.Errorf("inspected after %s", took)
				}
				time.Sleep(10 * time.Second)
				if n := made() - before; n != 1 {
					t.Errorf("%d inspections", n)
				}
			})
		})
	}
}

// TestKillForMemoryReportedAfterTheEnd is kept, though inspections do not show it, until the
// container is started again.
func TestKillForMemoryReportedAfterTheEnd(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, news *notified) {
		f.put("lightd-a", "A", observed.Exited)
		f.emit("lightd-a", "A", "die", "exitCode", "0")
		time.Sleep(time.Second)
		synctest.Wait()
		news.take()
		f.emit("lightd-a", "B", "oom") // of a container that is gone
		f.emit("lightd-a", "A", "oom")
		synctest.Wait()
		if got := news.take(); got["a"] == 0 || !c.Get("a").Run.OOMKilled {
			t.Errorf("notified %v, run %+v", got, c.Get("a").Run)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !c.Get("a").Run.OOMKilled {
			t.Error("an inspection dropped it")
		}
		f.emit("lightd-a", "A", "start")
		time.Sleep(time.Second)
		synctest.Wait()
		f.emit("lightd-a", "A", "die", "exitCode", "0")
		time.Sleep(time.Second)
		synctest.Wait()
		if c.Get("a").Run.OOMKilled {
			t.Error("the next run has it too")
		}
	})
}

// TestKillForMemoryIsOfNoLaterRun, though the start of that run was lost with the events.
func TestKillForMemoryIsOfNoLaterRun(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *notified) {
		f.emit("lightd-a", "A", "oom") // of a child: it goes on
		time.Sleep(time.Second)
		synctest.Wait()
		f.stream <- func(func(engine.Event)) error { return errors.New("cut") }
		time.Sleep(time.Minute)
		synctest.Wait()
		f.put("lightd-a", "A", observed.Running) // it was started again meanwhile
		f.emit("lightd-a", "A", "die", "exitCode", "0")
		time.Sleep(time.Second)
		synctest.Wait()
		f.put("lightd-a", "A", observed.Exited)
		c.Refresh("a", true)
		time.Sleep(time.Second)
		synctest.Wait()
		if run := c.Get("a").Run; run.OOMKilled || run.Phase != observed.Exited {
			t.Errorf("run %+v", run)
		}
	})
}

// TestEndsThatWereRequested: a stop or a signal through the engine is the cause of an end, in whichever
// order its event comes.
func TestEndsThatWereRequested(t *testing.T) {
	type event struct {
		action, key, value string
		after              time.Duration
	}
	die := event{"die", "exitCode", "0", 0}
	for name, c := range map[string]struct {
		events []event
		want   bool
	}{
		"by itself":                      {[]event{die}, false},
		"a stop":                         {[]event{{"kill", "signal", "15", 0}, die, {"stop", "", "", 0}}, true},
		"a stop with a long grace":       {[]event{{"kill", "signal", "15", 0}, {"die", "exitCode", "0", time.Minute}, {"stop", "", "", 0}}, true},
		"a signal":                       {[]event{{"kill", "signal", "15", 0}, die}, true},
		"a signal that is reported late": {[]event{die, {"kill", "signal", "15", time.Millisecond}}, true},
		"a signal to reload":             {[]event{{"kill", "signal", "1", 0}, die}, false},
		"a signal long before":           {[]event{{"kill", "signal", "15", 0}, {"die", "exitCode", "0", time.Minute}}, false},
		"a signal of the run before":     {[]event{{"kill", "signal", "15", 0}, {"start", "", "", 0}, die}, false},
		"a signal to another process":    {[]event{{"exec_die", "signal", "15", 0}, die}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.put("lightd-a", "A", observed.Running)
			scene(t, f, func(t *testing.T, cached *cache.Cache, news *notified) {
				for i, e := range c.events {
					time.Sleep(max(e.after, time.Nanosecond))
					if e.action == "die" {
						f.put("lightd-a", "A", observed.Exited)
					}
					news.take()
					before := cached.Get("a").Run.EndRequested
					f.emit("lightd-a", "A", e.action, e.key, e.value)
					synctest.Wait()
					run := cached.Get("a").Run
					if run.EndRequested != before && news.take()["a"] == 0 {
						t.Error("nobody was notified")
					}
					if i == len(c.events)-1 && run.EndRequested != c.want {
						t.Errorf("at the last event: %+v", run)
					}
				}
			})
		})
	}
}

// TestDieThatComesAgain is not the end of the run that has begun since, though the clock was
// set back between the two.
func TestDieThatComesAgain(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *notified) {
		f.emit("lightd-a", "A", "die", "exitCode", "1")
		last := engine.Event{Action: "die", ID: "A", Time: time.Now(), Attributes: labels("lightd-a")}
		last.Attributes["exitCode"] = "1"
		f.put("lightd-a", "A", observed.Running)
		f.mu.Lock()
		run := f.containers["lightd-a"]
		run.StartedAt = run.StartedAt.Add(-time.Hour)
		f.containers["lightd-a"] = run
		f.mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		f.stream <- func(func(engine.Event)) error { return errors.New("cut") }
		time.Sleep(time.Second)
		synctest.Wait()
		f.mu.Lock()
		f.delay = time.Second
		f.mu.Unlock()
		f.stream <- func(each func(engine.Event)) error { each(last); return nil }
		synctest.Wait()
		if s := c.Get("a"); s.Run.Phase != observed.Running || !s.Known {
			t.Errorf("shown as %+v", s.Run)
		}
		time.Sleep(2 * time.Second) // the inspection that it requests
	})
}

func TestDieOfAnotherRunShowsNothing(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *notified) {
		before := c.Get("a").Run.StartedAt
		old := engine.Event{Action: "die", ID: "A", Time: before.Add(-time.Second), Attributes: labels("lightd-a")}
		old.Attributes["exitCode"] = "1"
		f.stream <- func(each func(engine.Event)) error { each(old); return nil }
		f.emit("lightd-a", "OTHER", "die", "exitCode", "1")
		time.Sleep(time.Second)
		synctest.Wait()
		if s := c.Get("a"); s.Run.Phase != observed.Running {
			t.Errorf("shown as %+v", s.Run)
		}
	})
}
