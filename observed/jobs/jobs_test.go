package jobs

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"lightd/hack/eventually"
)

func TestMain(m *testing.M) { eventually.Main(m) }

// blocked is a job that runs until release, or until its context ends.
func blocked(volume string, release <-chan struct{}) Spec {
	return Spec{Volume: volume, Op: "copy", Run: func(ctx context.Context, j *Reporter) error {
		j.Add(1, 10)
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}}
}

func states(r *Registry, volume string) map[State]int {
	counts := map[State]int{}
	for _, j := range r.List(volume) {
		counts[j.State]++
	}
	return counts
}

// TestBounds: a few run, the others wait, and one too many is refused, of a volume and of all.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New()
		defer r.Close()
		release := make(chan struct{})
		for range maxOfVolume {
			if _, err := r.Start(blocked("a", release)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Start(blocked("a", release)); !errors.Is(err, ErrTooMany) {
			t.Errorf("one more of a volume: %v", err)
		}
		for i := range maxWaiting - maxOfVolume {
			if _, err := r.Start(blocked(string(rune('b'+i)), release)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Start(blocked("z", release)); !errors.Is(err, ErrTooMany) {
			t.Errorf("one more of the node: %v", err)
		}
		synctest.Wait()
		if got := states(r, "a"); got[Running] != maxRunning || got[Queued] != maxOfVolume-maxRunning {
			t.Errorf("%v", got)
		}
		close(release)
		synctest.Wait()
		if got := states(r, "a"); got[Done] != maxOfVolume {
			t.Errorf("%v", got)
		}
		for range 3 * maxEnded {
			if _, err := r.Start(Spec{Volume: "a", Run: func(context.Context, *Reporter) error { return nil }}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if n := len(r.List("a")); n > maxEnded+1 {
			t.Errorf("%d jobs that have ended are kept", n)
		}
	})
}

// TestCancel ends a job that runs and one that waits, and drops one that has ended.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New()
		defer r.Close()
		var all []Job
		for range maxRunning + 1 {
			j, err := r.Start(blocked("a", nil))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, j)
		}
		synctest.Wait()
		for _, j := range all {
			if _, found := r.Cancel("b", j.ID); found {
				t.Error("a job of another volume was found")
			}
			if _, found := r.Cancel("a", j.ID); !found {
				t.Error("it was not found")
			}
		}
		synctest.Wait()
		for _, j := range all {
			now, _ := r.Get("a", j.ID)
			if now.State != Cancelled || now.Err != nil || now.EndedAt.IsZero() {
				t.Errorf("%+v", now)
			}
			r.Cancel("a", j.ID)
		}
		if left := r.List("a"); len(left) > 0 {
			t.Errorf("left %+v", left)
		}
	})
}

// TestProgressAndFailure are kept.
func TestProgressAndFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New()
		broken := errors.New("broken")
		j, err := r.Start(Spec{Volume: "a", Run: func(_ context.Context, j *Reporter) error {
			j.Total(30)
			for range 20 {
				j.Add(1, 2)
				j.Skip("x\xff")
			}
			return broken
		}})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if now, _ := r.Get("a", j.ID); now.State != Failed || !errors.Is(now.Err, broken) || now.Entries != 20 || now.Bytes != 40 || now.TotalBytes != 30 || now.Skipped != 20 || len(now.First) != firstSkipped || now.First[0] != "x\uFFFD" {
			t.Errorf("%+v", now)
		}
		r.Close()
		if _, err := r.Start(blocked("a", nil)); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// TestClose cancels all.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New()
		for range maxOfVolume {
			if _, err := r.Start(blocked("a", nil)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		r.Close()
		if got := states(r, "a"); got[Cancelled] != maxOfVolume {
			t.Errorf("%v", got)
		}
	})
}
