package usage

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lightd/observed"
)

// running are containers that run, by id.
type running map[string]*observed.Container

// Get implements streams.Targets.
func (r running) Get(id string) observed.Snapshot {
	return observed.Snapshot{Run: r[id], EngineUp: true}
}

func container(id string, pid int) *observed.Container {
	c := &observed.Container{ContainerID: "docker-" + id}
	c.Phase, c.PID, c.StartedAt = observed.Running, pid, time.Now()
	return c
}

// kernel reads processes that use a quarter of a core; those with a negative number cannot be read.
type kernel struct {
	mu    sync.Mutex
	began time.Time
	reads int
}

// Sample implements Reader.
func (k *kernel) Sample(pid int, containerID string) (observed.Sample, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reads++
	s := observed.Sample{At: time.Now(), CPU: time.Since(k.began) / 4}
	s.MemoryUsage = uint64(len(containerID))
	return s, pid > 0
}

// streamed gives figures after a second, or never for a container that is named so.
type streamed struct{}

// Stats implements Source.
func (streamed) Stats(ctx context.Context, containerID string, fn func(observed.Stats)) error {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	if containerID != "docker-mute" {
		fn(observed.Stats{CPUUsage: 7})
	}
	<-ctx.Done()
	return ctx.Err()
}

func TestMeasure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		targets := running{"a": container("a", 1), "far": container("far", -1), "mute": container("mute", -1), "off": nil}
		r := New(streamed{}, targets)
		defer r.Close()
		k := &kernel{began: began}
		s := NewSampler(targets, func() Reader { return k }, r)
		measure := func(ids ...string) (string, time.Duration) {
			at := time.Now()
			found := s.Measure(t.Context(), ids)
			text := ""
			for _, id := range []string{"a", "far", "mute", "off"} {
				if f, is := found[id]; is {
					text += fmt.Sprintf("%s %v %v; ", id, f.CPUUsage, !f.At.IsZero() && at.Sub(f.At) <= fresh)
				}
			}
			return text, time.Since(at)
		}
		check := func(what, want string, took time.Duration, ids ...string) {
			t.Helper()
			if text, d := measure(ids...); text != want || d != took {
				t.Errorf("%s: %q after %s, wanted %q after %s", what, text, d, want, took)
			}
		}
		check("the first time", "a 25 true; ", pause, "a", "off", "unknown")
		reads := k.reads
		check("at once again", "a 25 true; ", 0, "a")
		if k.reads != reads {
			t.Error("fresh figures were measured again")
		}
		time.Sleep(10 * time.Second)
		check("by the sample before", "a 25 true; ", 0, "a")
		time.Sleep(2 * time.Minute)
		check("when that is too old", "a 25 true; ", pause, "a")
		targets["a"] = container("a", 1)
		check("another run", "a 25 true; ", pause, "a")
		check("from the stream", "far 7 true; ", time.Second, "far")
		check("no figures", "a 25 true; mute 0 false; ", patience, "a", "mute")
		if len(s.known) > 1 {
			t.Errorf("%d runs are kept", len(s.known))
		}
	})
}

// TestMeasureAtOnce: many that measure at the same time get figures, each of them.
func TestMeasureAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		targets := running{"a": container("a", 1)}
		r := New(streamed{}, targets)
		defer r.Close()
		k := &kernel{began: time.Now()}
		s := NewSampler(targets, func() Reader { return k }, r)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if f := s.Measure(t.Context(), []string{"a"})["a"]; f.CPUUsage != 25 {
					t.Errorf("figures %+v", f)
				}
			})
		}
		all.Wait()
	})
}
