package images_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lightd/desired/registry"
	"lightd/hack/eventually"
	"lightd/observed"
	"lightd/observed/engine"
	"lightd/observed/images"
)

func TestMain(m *testing.M) { eventually.Main(m) }

// fake is a registry and an engine in memory, for what depends on order and time.
type fake struct {
	mu      sync.Mutex
	present map[string]string // id by reference
	looks   int
	pulls   int
	now     int
	most    int
	pull    func(ctx context.Context, ref string, progress func(engine.Progress)) error
	events  chan engine.Event
}

func (f *fake) Image(_ context.Context, ref string) (observed.Image, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks++
	return observed.Image{Known: true, Present: f.present[ref] != "", ImageID: f.present[ref]}, nil
}

func (f *fake) Pull(ctx context.Context, ref string, progress func(engine.Progress)) error {
	f.mu.Lock()
	f.pulls++
	f.now++
	f.most = max(f.most, f.now)
	f.mu.Unlock()
	err := f.pull(ctx, ref, progress)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now--
	if err == nil {
		f.present[ref] = "sha256:" + ref
	}
	return err
}

// counts returns how many pulls have begun, and how many there were at once.
func (f *fake) counts() (pulls, most int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pulls, f.most
}

func (f *fake) ImageEvents(ctx context.Context, opened func(), each func(engine.Event)) error {
	opened()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case ev := <-f.events:
			each(ev)
		}
	}
}

// scene runs fn in a bubble with images that run.
func scene(t *testing.T, f *fake, fn func(t *testing.T, i *images.Images, told func() int)) {
	sceneWithLog(t, f, nil, fn)
}

// sceneWithLog is scene with a log. No image may come from forbidden.example.
func sceneWithLog(t *testing.T, f *fake, log *slog.Logger, fn func(t *testing.T, i *images.Images, told func() int)) {
	synctest.Test(t, func(t *testing.T) {
		f.present, f.events = map[string]string{}, make(chan engine.Event)
		var mu sync.Mutex
		count := 0
		i := images.New(images.Config{
			Engine: f, Log: log, Changed: func(string) { mu.Lock(); count++; mu.Unlock() },
			CheckRegistry: func(_ context.Context, ref string) error {
				if strings.HasPrefix(ref, "forbidden.example/") {
					return registry.NotPublic("forbidden.example")
				}
				return nil
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- i.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}()
		synctest.Wait()
		fn(t, i, func() int { mu.Lock(); defer mu.Unlock(); n := count; count = 0; return n })
	})
}

// TestMissingImageIsInspectedWithoutAnEvent: the event of its arrival may have been lost.
func TestMissingImageIsInspectedWithoutAnEvent(t *testing.T) {
	f := &fake{}
	scene(t, f, func(t *testing.T, i *images.Images, told func() int) {
		f.present["there"] = "sha256:there"
		i.Image("there")
		i.Image("missing")
		synctest.Wait()
		told()
		f.mu.Lock()
		f.present["missing"], f.looks = "sha256:missing", 0
		f.mu.Unlock()
		time.Sleep(6 * time.Minute)
		if image := i.Image("missing"); !image.Present || told() == 0 {
			t.Errorf("not found: %+v", image)
		}
		time.Sleep(time.Minute)
		if f.looks > 2 {
			t.Errorf("%d inspections of one that was missing, and one that was there", f.looks)
		}
	})
}

// TestChangeWithoutAnEvent is found within an hour, at one inspection of each image.
func TestChangeWithoutAnEvent(t *testing.T) {
	f := &fake{}
	scene(t, f, func(t *testing.T, i *images.Images, _ func() int) {
		const many = 30
		ref := func(n int) string { return fmt.Sprint("image-", n) }
		f.mu.Lock()
		for n := range many {
			f.present[ref(n)] = "sha256:" + ref(n)
		}
		f.mu.Unlock()
		for n := range many {
			i.Image(ref(n))
		}
		time.Sleep(time.Minute)
		f.mu.Lock()
		f.looks = 0
		for n := range many {
			f.present[ref(n)] = "sha256:moved"
		}
		f.mu.Unlock()
		time.Sleep(time.Hour)
		for n := range many {
			if image := i.Image(ref(n)); image.ImageID != "sha256:moved" {
				t.Errorf("%s is still %s", ref(n), image.ImageID)
			}
		}
		if f.looks > many+many/2 {
			t.Errorf("%d inspections of %d images", f.looks, many)
		}
	})
}

// TestRetain: what is not needed is dropped, and costs nothing when everything is inspected.
func TestRetain(t *testing.T) {
	f := &fake{pull: func(context.Context, string, func(engine.Progress)) error { time.Sleep(time.Minute); return nil }}
	scene(t, f, func(t *testing.T, i *images.Images, _ func() int) {
		for _, ref := range []string{"needed", "waste"} {
			i.Image(ref)
		}
		i.Pull("pulled")
		synctest.Wait()
		i.Refresh("waste") // the inspection finds no request
		i.Retain(func(ref string) bool { return ref == "needed" })
		synctest.Wait()
		if !i.Known("needed").Known || i.Known("waste").Known || !i.Known("pulled").Pulling {
			t.Errorf("needed %+v, waste %+v, pulled %+v", i.Known("needed"), i.Known("waste"), i.Known("pulled"))
		}
		time.Sleep(2 * time.Minute)
		if !i.Known("pulled").Present {
			t.Error("the pull brought nothing")
		}
		i.Image("waste")
		synctest.Wait()
		if !i.Known("waste").Known {
			t.Error("what is requested again is not inspected")
		}
	})
}

func TestInspectAndPull(t *testing.T) {
	f := &fake{pull: func(_ context.Context, _ string, progress func(engine.Progress)) error {
		for n := range 5 {
			time.Sleep(59 * time.Second) // slow, but alive
			progress(engine.Progress{Current: int64(n+1) << 14, Total: 5 << 14})
		}
		return nil
	}}
	scene(t, f, func(t *testing.T, i *images.Images, told func() int) {
		if image := i.Image("a"); image.Known {
			t.Errorf("known without a request: %+v", image)
		}
		synctest.Wait()
		if image := i.Image("a"); !image.Known || image.Present || told() != 1 {
			t.Errorf("requested: %+v", image)
		}
		for range 10 {
			i.Pull("a")
		}
		time.Sleep(150 * time.Second)
		if image := i.Image("a"); !image.Pulling || image.Present {
			t.Errorf("during the pull: %+v", image)
		}
		time.Sleep(200 * time.Second)
		synctest.Wait()
		if image := i.Image("a"); image.Pulling || !image.Present || image.PullError != "" || f.pulls != 1 || told() == 0 {
			t.Errorf("after %d pulls: %+v", f.pulls, image)
		}
		looks := f.looks
		for range 10 {
			i.Image("a")
		}
		synctest.Wait()
		if f.looks != looks {
			t.Error("reading called Docker")
		}
	})
}

// TestProgressIsPublishedAtIntervals: while it comes further, in even steps, and not after the end.
func TestProgressIsPublishedAtIntervals(t *testing.T) {
	report := func(from, to int64, progress func(engine.Progress)) {
		for n := from; n < to; n++ {
			time.Sleep(100 * time.Millisecond)
			progress(engine.Progress{Status: "Downloading", Current: n, Total: 200})
		}
	}
	f := &fake{pull: func(_ context.Context, ref string, progress func(engine.Progress)) error {
		if ref == "small" {
			report(0, 15, progress)
			return nil
		}
		report(1, 101, progress) // 10 s
		for range 100 {
			time.Sleep(100 * time.Millisecond) // alive, and no further: it unpacks
			progress(engine.Progress{Status: "Extracting", Current: 100, Total: 200})
		}
		report(101, 121, progress)
		return errors.New("broken off")
	}}
	scene(t, f, func(t *testing.T, i *images.Images, told func() int) {
		at := func(after time.Duration, pulled, total int64, news int) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			if image := i.Known("big"); image.PulledBytes != pulled || image.PullTotal != total {
				t.Errorf("%d of %d, want %d of %d", image.PulledBytes, image.PullTotal, pulled, total)
			}
			if got := told(); got != news {
				t.Errorf("published %d times, want %d", got, news)
			}
		}
		i.Pull("big")
		at(1950*time.Millisecond, 0, 0, 0)
		at(100*time.Millisecond, 20, 200, 1)
		at(1900*time.Millisecond, 20, 200, 0)
		at(6*time.Second, 80, 200, 3)
		at(100*time.Millisecond, 100, 200, 1)
		at(9900*time.Millisecond, 100, 200, 0)
		at(150*time.Millisecond, 101, 200, 1)
		at(time.Minute, 0, 0, 1) // it ended, within 2 s of the last news
		if image := i.Known("big"); image.Pulling || image.PullError == "" {
			t.Errorf("%+v", image)
		}
		i.Pull("small")
		at(time.Minute, 0, 0, 1)
	})
}

// reports is a pull that reports what progress returns each second, until that is over or it is ended.
func reports(seconds int, progress func(second int) engine.Progress) func(context.Context, string, func(engine.Progress)) error {
	return func(ctx context.Context, _ string, report func(engine.Progress)) error {
		for n := range seconds {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
				report(progress(n))
			}
		}
		return nil
	}
}

// TestPullsThatFail: what a registry has answered is marked, as it answers the same again.
func TestPullsThatFail(t *testing.T) {
	fails := func(message string) func(context.Context, string, func(engine.Progress)) error {
		return func(context.Context, string, func(engine.Progress)) error { return errors.New(message) }
	}
	const day = 24 * 3600
	for name, c := range map[string]struct {
		want    string
		refused bool
		after   time.Duration
		pull    func(context.Context, string, func(engine.Progress)) error
	}{
		"refused":       {"denies access", true, 0, fails("denied")},
		"rate":          {"limits the rate", true, 0, fails("toomanyrequests: slow down")},
		"away":          {"unreachable", false, 0, fails("dial tcp 127.0.0.1:5000: connect: connection refused")},
		"silent":        {"the registry sends nothing", false, time.Minute, func(ctx context.Context, _ string, _ func(engine.Progress)) error { <-ctx.Done(); return ctx.Err() }},
		"repeats":       {"the registry sends nothing", false, time.Minute, reports(day, func(int) engine.Progress { return engine.Progress{Status: "Downloading", Current: 7} })},
		"trickles":      {"the registry sends nothing", false, time.Minute, reports(day, func(n int) engine.Progress { return engine.Progress{Status: "Downloading", Current: int64(n)} })},
		"slow, stalled": {"the registry sends nothing", false, 3 * time.Minute, reports(day, func(n int) engine.Progress { return engine.Progress{Current: int64(min(n, 119)) << 14} })},
		"hung disk":     {"the engine makes no progress", false, 10 * time.Minute, reports(day, func(int) engine.Progress { return engine.Progress{Changes: 1, Local: true} })},
	} {
		t.Run(name, func(t *testing.T) {
			scene(t, &fake{pull: c.pull}, func(t *testing.T, i *images.Images, _ func() int) {
				began := time.Now()
				i.Pull("a")
				time.Sleep(c.after + 2*time.Second)
				synctest.Wait()
				image := i.Image("a")
				if image.Pulling || !strings.Contains(image.PullError, c.want) || image.PullRefused != c.refused || image.PullFailedAt.Sub(began) < c.after || !image.PulledAt.IsZero() {
					t.Errorf("%+v", image)
				}
			})
		})
	}
}

// TestSlowPullIsNotEnded, whatever the time that it takes in all.
func TestSlowPullIsNotEnded(t *testing.T) {
	const hours = 3 * 3600
	for name, progress := range map[string]func(int) engine.Progress{
		"download":   func(n int) engine.Progress { return engine.Progress{Current: int64(n) << 9} },
		"extraction": func(n int) engine.Progress { return engine.Progress{Changes: n / 599, Local: true} },
	} {
		t.Run(name, func(t *testing.T) {
			scene(t, &fake{pull: reports(hours, progress)}, func(t *testing.T, i *images.Images, _ func() int) {
				i.Pull("a")
				time.Sleep(hours*time.Second - time.Minute)
				synctest.Wait()
				if image := i.Known("a"); !image.Pulling || image.PullError != "" {
					t.Errorf("before the end: %+v", image)
				}
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if image := i.Known("a"); image.Pulling || !image.Present || image.PullError != "" || time.Since(image.PulledAt) > 2*time.Minute {
					t.Errorf("at the end: %+v", image)
				}
			})
		})
	}
}

// TestSlowPullsGiveTheirPlaces to others after a while, and go on.
func TestSlowPullsGiveTheirPlaces(t *testing.T) {
	slow := reports(3600, func(n int) engine.Progress { return engine.Progress{Current: int64(n) << 14} })
	f := &fake{pull: func(ctx context.Context, ref string, progress func(engine.Progress)) error {
		if ref == "quick" {
			return nil
		}
		return slow(ctx, ref, progress)
	}}
	scene(t, f, func(t *testing.T, i *images.Images, _ func() int) {
		for n := range 3 {
			i.Pull(fmt.Sprint("slow-", n))
		}
		synctest.Wait()
		i.Pull("quick")
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		if pulls, _ := f.counts(); !i.Known("quick").Pulling || pulls != 3 {
			t.Errorf("%d pulls at once", pulls)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if !i.Known("quick").Present || !i.Known("slow-0").Pulling {
			t.Errorf("quick %+v, slow %+v", i.Known("quick"), i.Known("slow-0"))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if _, most := f.counts(); !i.Known("slow-2").Present || most != 4 {
			t.Errorf("slow %+v, %d at once", i.Known("slow-2"), most)
		}
	})
}

func TestFewPullsAtOnce(t *testing.T) {
	f := &fake{pull: func(context.Context, string, func(engine.Progress)) error { time.Sleep(time.Second); return nil }}
	scene(t, f, func(t *testing.T, i *images.Images, _ func() int) {
		for n := range 10 {
			i.Pull(fmt.Sprint("image-", n))
		}
		synctest.Wait()
		if !i.Image("image-9").Pulling {
			t.Error("one that waits for its turn does not show")
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if f.pulls != 10 || f.most != 3 {
			t.Errorf("%d pulls, %d at once", f.pulls, f.most)
		}
	})
}

func TestEventsNameWhatToInspect(t *testing.T) {
	f := &fake{}
	scene(t, f, func(t *testing.T, i *images.Images, told func() int) {
		f.present["busybox"] = "sha256:1"
		i.Image("busybox")
		i.Image("other")
		synctest.Wait()
		told()
		for _, ev := range []engine.Event{
			{Action: "pull", ID: "busybox:latest", Attributes: map[string]string{"name": "busybox"}},
			{Action: "tag", ID: "sha256:2", Attributes: map[string]string{"name": "docker.io/library/busybox:latest"}},
			{Action: "delete", ID: "sha256:1"},
			{Action: "load", ID: "sha256:3", Attributes: map[string]string{"name": "sha256:3"}}, // anything that is missing
		} {
			before := f.looks
			f.events <- ev
			synctest.Wait()
			if f.looks != before+1 || told() != 1 {
				t.Errorf("%s: %d inspections, want 1", ev.Action, f.looks-before)
			}
		}
		before := f.looks
		f.events <- engine.Event{Action: "pull", ID: "third:latest"}
		f.events <- engine.Event{Action: "push", ID: "busybox:latest"}
		synctest.Wait()
		if f.looks != before {
			t.Error("inspected nothing")
		}
	})
}
