// Package eventually is how tests wait: for a condition, and never for a time in which a quick
// machine would have met it. Every wait is bounded all the same, so that what never comes
// true fails with a word of what it was.
package eventually

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Bound bounds every wait. It is long because a busy machine is no failure.
const Bound = time.Minute

// Poll checks a condition repeatedly until there is no error, for what notifies nobody when it
// changes: another process, the engine, the kernel. After Bound it fails the test with the last error.
func Poll(t testing.TB, check func() error) {
	t.Helper()
	PollFor(t, Bound, check)
}

// PollFor is Poll with another bound.
func PollFor(t testing.TB, bound time.Duration, check func() error) {
	t.Helper()
	if err := until(bound, check); err != nil {
		t.Fatalf("after %s: %v", bound, err)
	}
}

// until checks at once, and then at intervals that grow with the wait: a check that other tests
// compete with for the processor costs more than it finds.
func until(bound time.Duration, check func() error) error {
	for began := time.Now(); ; {
		err := check()
		waited := time.Since(began)
		if err == nil || waited > bound {
			return err
		}
		time.Sleep(min(max(waited/10, 10*time.Millisecond), 200*time.Millisecond))
	}
}

// LazyError is an error whose text costs something: only the last error of a Poll is read.
type LazyError func() string

func (e LazyError) Error() string { return e() }

// Grow tries something that is itself a matter of time: first with so much of it, and when
// that fails with twice as much, up to Bound, as a machine may be slow. What fails with any
// time fails the test.
func Grow(t testing.TB, first time.Duration, try func(time.Duration) error) {
	t.Helper()
	for d := first; ; d *= 2 {
		err := try(d)
		if err == nil {
			return
		}
		if 2*d > Bound {
			t.Fatalf("with %s too: %v", d, err)
		}
	}
}

// Main is a TestMain that fails when goroutines are left at the end.
func Main(m *testing.M, options ...goleak.Option) {
	code := m.Run()
	if code == 0 {
		if err := Leaks(options...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// LeftByBadger are the goroutines that Badger leaves behind where it refuses to open.
func LeftByBadger() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreTopFunction("github.com/dgraph-io/badger/v4.(*DB).monitorCache"),
		goleak.IgnoreTopFunction("github.com/dgraph-io/ristretto/v2/z.(*AllocatorPool).freeupAllocators"),
	}
}

// Leaks returns an error if goroutines are left, which have Bound to end: goleak alone gives
// them less than half a second, on whatever machine.
func Leaks(options ...goleak.Option) error {
	return until(Bound, func() error { return goleak.Find(options...) })
}
