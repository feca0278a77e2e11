package quota

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lightd/desired"
	"lightd/observed"
)

const mib = 1 << 20

// volumes are volumes in memory.
type volumes struct {
	mu       sync.Mutex
	quotas   map[string]int64
	uses     map[string]desired.VolumeUse
	took     time.Duration
	failure  error
	walks    map[string]int
	enforced []string
}

func (v *volumes) Quotas() (map[string]int64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return maps.Clone(v.quotas), v.failure
}

func (v *volumes) Quota(id string) (int64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.quotas[id], v.failure
}

func (v *volumes) Use(_ context.Context, id string) (desired.VolumeUse, error) {
	v.mu.Lock()
	use, failure, took := v.uses[id], v.failure, v.took
	if !use.Enforced {
		v.walks[id]++
	}
	v.mu.Unlock()
	if !use.Enforced {
		time.Sleep(took)
	}
	return use, failure
}

func (v *volumes) Enforce(_ context.Context, id string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.enforced = append(v.enforced, id)
	return nil
}

func (v *volumes) change(fn func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	fn()
}

// watch runs a Watcher until the test ends, and returns it with the volumes that were told of.
func watch(t *testing.T, v *volumes) (*Watcher, func() string) {
	var mu sync.Mutex
	var changed []string
	v.walks = map[string]int{}
	w := New(Config{Volumes: v, Log: slog.New(slog.DiscardHandler), Changed: func(id string) {
		mu.Lock()
		defer mu.Unlock()
		changed = append(changed, id)
	}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return w, func() string {
		mu.Lock()
		defer mu.Unlock()
		text := strings.Join(changed, " ")
		changed = nil
		return text
	}
}

// TestLevels: what a use is of a quota.
func TestLevels(t *testing.T) {
	for name, c := range map[string]struct {
		use  desired.VolumeUse
		want observed.QuotaUse
	}{
		"nothing":                    {desired.VolumeUse{}, observed.BelowQuota},
		"well below":                 {desired.VolumeUse{Bytes: 94 * mib}, observed.BelowQuota},
		"near":                       {desired.VolumeUse{Bytes: 95 * mib}, observed.NearQuota},
		"all of it":                  {desired.VolumeUse{Bytes: 100 * mib}, observed.NearQuota},
		"a byte more":                {desired.VolumeUse{Bytes: 100*mib + 1}, observed.OverQuota},
		"more files than are walked": {desired.VolumeUse{Bytes: 5, AtLeast: true}, observed.OverQuota},
		"full for the kernel":        {desired.VolumeUse{Bytes: 100*mib - 200<<10, Enforced: true}, observed.OverQuota},
		"not full for the kernel":    {desired.VolumeUse{Bytes: 99 * mib, Enforced: true}, observed.NearQuota},
	} {
		if got := (&target{quota: 100 * mib, use: c.use, measured: true}).level(); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if got := (&target{quota: 1}).level(); got != observed.QuotaNotMeasured {
		t.Errorf("not measured: %d", got)
	}
}

// TestMeasuredVolume: it is told of when it is over its quota and well below, and of nothing else.
func TestMeasuredVolume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &volumes{quotas: map[string]int64{"a": 100 * mib}, uses: map[string]desired.VolumeUse{}}
		w, changed := watch(t, v)
		take := func(what string, bytes int64, want string, use observed.QuotaUse) {
			t.Helper()
			v.change(func() { v.uses["a"] = desired.VolumeUse{Bytes: bytes} })
			time.Sleep(2 * measureMost)
			synctest.Wait()
			if got := changed(); got != want || w.Of("a").Use != use || w.Of("a").Used != bytes {
				t.Errorf("%s: told %q, %+v", what, got, w.Of("a"))
			}
		}
		if w.Of("a").Known {
			t.Error("known before it was read")
		}
		take("at first", 10*mib, "a a", observed.BelowQuota) // it is there, and measured
		take("more", 50*mib, "", observed.BelowQuota)
		take("over", 101*mib, "a", observed.OverQuota)
		take("further over", 200*mib, "", observed.OverQuota)
		take("a little less", 99*mib, "a", observed.NearQuota)
		take("much less", 90*mib, "a", observed.BelowQuota)
		if left, limited := w.Left("a", 0); left != 10*mib || !limited {
			t.Errorf("left %d, %t", left, limited)
		}
		w.Wrote("a", 8*mib)
		if left, _ := w.Left("a", 0); left != 2*mib {
			t.Errorf("left %d after a write", left)
		}
		w.Wrote("a", 10*mib)
		v.change(func() { v.uses["a"] = desired.VolumeUse{Bytes: 20 * mib} })
		if left, _ := w.Left("a", 0); left != 0 {
			t.Errorf("left %d after another write", left)
		}
		time.Sleep(countEvery + time.Second)
		synctest.Wait()
		if left, _ := w.Left("a", 0); left != 80*mib {
			t.Errorf("left %d soon after files were deleted", left)
		}
		take("as before", 90*mib, "", observed.BelowQuota)
		v.change(func() { v.failure, v.uses["a"] = errors.New("broken"), desired.VolumeUse{} })
		time.Sleep(2 * measureMost)
		if is := w.Of("a"); is.Used != 90*mib || changed() != "" {
			t.Errorf("what cannot be measured: %+v", is)
		}
	})
}

// TestWriteHasItsVolumeMeasured: what an upload that was refused has written, and what was deleted or replaced, is
// room for the next write at once; what is written during the measurement is not; and many such writes measure a
// tenth of the time.
func TestWriteHasItsVolumeMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &volumes{quotas: map[string]int64{"a": 100 * mib}, uses: map[string]desired.VolumeUse{"a": {Bytes: 60 * mib}}, took: time.Second}
		w, _ := watch(t, v)
		time.Sleep(2 * time.Second)
		expect := func(what string, wanted, want int64, walks int) {
			t.Helper()
			before := 0
			v.change(func() { before = v.walks["a"] })
			if left, limited := w.Left("a", wanted*mib); left != want*mib || !limited {
				t.Errorf("%s: %d left, %t", what, left, limited)
			}
			v.change(func() {
				// The walk that comes by itself may fall into the second that one takes.
				if made := v.walks["a"] - before; made < walks || made > 2*walks {
					t.Errorf("%s: %d walks", what, made)
				}
			})
		}
		expect("there is room", 40, 40, 0)
		w.Wrote("a", 40*mib)
		expect("the upload was removed", 3, 40, 1)
		w.Wrote("a", 40*mib)
		expect("it rests", 3, 0, 0)
		time.Sleep(restFactor * time.Second)
		time.AfterFunc(time.Second/2, func() { w.Wrote("a", 5*mib) })
		expect("something is written meanwhile", 3, 35, 1)
		v.change(func() { v.uses["a"] = desired.VolumeUse{Bytes: 100 * mib} })
		time.Sleep(restFactor * time.Second)
		expect("it is full", 36, 0, 1)
	})
}

// TestQuotaIsChanged: a new quota, another one and its end are told of at once; the end is enforced too.
func TestQuotaIsChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &volumes{quotas: map[string]int64{"ended": 0}, uses: map[string]desired.VolumeUse{"a": {Bytes: 50 * mib}}}
		w, changed := watch(t, v)
		set := func(quota int64, want observed.VolumeQuota, told string) {
			t.Helper()
			v.change(func() { v.quotas["a"] = quota })
			w.Notify("a")
			synctest.Wait()
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if got := changed(); w.Of("a") != want || got != told {
				t.Errorf("quota %d: %+v, told %q", quota, w.Of("a"), got)
			}
		}
		synctest.Wait()
		changed()
		if v.enforced[0] != "ended" {
			t.Errorf("a quota that was ended before is enforced still: %v", v.enforced)
		}
		set(100*mib, observed.VolumeQuota{Known: true, Bytes: 100 * mib, Used: 50 * mib, Use: observed.BelowQuota}, "a a")
		set(40*mib, observed.VolumeQuota{Known: true, Bytes: 40 * mib, Used: 50 * mib, Use: observed.OverQuota}, "a")
		set(40*mib, observed.VolumeQuota{Known: true, Bytes: 40 * mib, Used: 50 * mib, Use: observed.OverQuota}, "")
		before := len(v.enforced)
		set(0, observed.VolumeQuota{Known: true}, "a")
		if len(v.enforced) != before+1 {
			t.Error("its end is not enforced")
		}
		if left, limited := w.Left("a", 0); left != 0 || limited {
			t.Errorf("left %d, %t without a quota", left, limited)
		}
	})
}

// TestWalksAreBounded: of many volumes one is walked through at a time, and nine tenths of the time none; those that
// the kernel counts are read every 10 s meanwhile, and walked through once an hour.
func TestWalksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &volumes{quotas: map[string]int64{}, uses: map[string]desired.VolumeUse{}, took: 2 * time.Second}
		for i := range 50 {
			v.quotas[string(rune('A'+i))] = 100 * mib
		}
		v.quotas["kernel"], v.uses["kernel"] = 100*mib, desired.VolumeUse{Enforced: true}
		w, _ := watch(t, v)
		time.Sleep(time.Hour)
		synctest.Wait()
		walks, marks := 0, 0
		v.change(func() {
			for id, n := range v.walks {
				walks += n
				if n == 0 || n > 5 {
					t.Errorf("%s: %d walks", id, n)
				}
			}
			for _, id := range v.enforced {
				if id == "kernel" {
					marks++
				}
			}
			v.uses["kernel"] = desired.VolumeUse{Bytes: 100 * mib, Enforced: true}
		})
		if walks < 150 || walks > 185 || marks > 2 {
			t.Errorf("%d walks of 2 s in an hour, and %d through what the kernel counts", walks, marks)
		}
		time.Sleep(countEvery)
		synctest.Wait()
		if got := w.Of("kernel").Use; got != observed.OverQuota {
			t.Errorf("what the kernel counts: %d after %s", got, countEvery)
		}
	})
}
