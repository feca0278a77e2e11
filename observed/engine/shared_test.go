package engine

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// asked is a call that answers when it began, and what it comes to.
type asked struct {
	mu    sync.Mutex
	calls int
	takes time.Duration
	fails error
}

func (a *asked) call(ctx context.Context) (time.Time, error) {
	a.mu.Lock()
	a.calls++
	a.mu.Unlock()
	began := time.Now()
	select {
	case <-time.After(a.takes):
		return began, a.fails
	case <-ctx.Done():
		return time.Time{}, context.Cause(ctx)
	}
}

// TestSharedAnswers: each caller gets an answer of a call that began after it came, and many callers cost few calls.
func TestSharedAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s shared[time.Time]
		a := &asked{takes: 10 * time.Millisecond}
		var group sync.WaitGroup
		for i := range 100 {
			group.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				came := time.Now()
				began, err := s.do(t.Context(), a.call)
				if err != nil || began.Before(came) {
					t.Errorf("came at %s, answer as of %s, %v", came, began, err)
				}
				if took := time.Since(came); took > 20*time.Millisecond {
					t.Errorf("it took %s", took)
				}
			})
		}
		group.Wait()
		if a.calls > 11 {
			t.Errorf("%d calls for 100 callers in 100 ms, of 10 ms each", a.calls)
		}
	})
}

// TestSharedPanic: whoever waits for a call that panics makes its own.
func TestSharedPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s shared[time.Time]
		a := &asked{takes: time.Millisecond}
		var group sync.WaitGroup
		group.Go(func() { _, _ = s.do(t.Context(), a.call) })
		synctest.Wait()
		group.Go(func() {
			defer func() { _ = recover() }()
			_, _ = s.do(t.Context(), func(context.Context) (time.Time, error) { panic("here") })
		})
		synctest.Wait()
		group.Go(func() {
			if began, err := s.do(t.Context(), a.call); err != nil || began.IsZero() {
				t.Errorf("%s, %v", began, err)
			}
		})
		group.Wait()
	})
}

// TestSharedFailures: no caller fails for another one, and none waits long for a call that hangs.
func TestSharedFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s shared[time.Time]
		a := &asked{takes: time.Hour}
		canceled, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := s.do(canceled, a.call); !errors.Is(err, context.Canceled) {
				t.Errorf("the first: %v", err)
			}
		})
		synctest.Wait()
		began := time.Now()
		for range 3 { // one leads the next call, two wait for that
			group.Go(func() {
				ctx, end := context.WithTimeout(t.Context(), time.Second)
				defer end()
				if _, err := s.do(ctx, a.call); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("one behind it: %v", err)
				}
			})
		}
		time.Sleep(sharedWait)
		synctest.Wait()
		if a.calls != 4 {
			t.Errorf("%d calls %s later", a.calls, time.Since(began))
		}
		cancel()
		group.Wait()
		a.takes = time.Millisecond
		if _, err := s.do(t.Context(), a.call); err != nil || s.running != nil || s.next != nil {
			t.Errorf("after all of that: %v, %+v", err, &s)
		}
	})
}
