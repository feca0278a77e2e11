package firewall

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestSameRestorationIsReportedOnceForAWhile: another program removes the table again and again, and the
// journal has a line of it every 10 minutes.
func TestSameRestorationIsReportedOnceForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(Config{Policy: policy, Log: slog.New(slog.DiscardHandler)})
		k.note("", "")
		reports := 0
		for range 180 { // half an hour
			time.Sleep(CheckEvery)
			if _, report := k.note("", "rules of chain input"); report {
				reports++
			}
		}
		if st := k.State(); reports != 3 || st.Restored != 180 {
			t.Errorf("%d reports, %+v", reports, st)
		}
		if _, report := k.note("", "not there"); !report {
			t.Error("another alteration is not reported")
		}
		k.note("no nftables", "")
		if _, report := k.note("", ""); !report {
			t.Error("a firewall that was missing is not reported as in place")
		}
	})
}

// TestChecksAreShared: starts at the same time share a check that begins after all of them have come, and one that
// comes with other gateways has its own.
func TestChecksAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		checks := 0
		k := New(Config{Policy: policy, Elsewhere: ByTCP, Log: slog.New(slog.DiscardHandler), Networks: func(context.Context) ([]string, error) {
			checks++
			time.Sleep(time.Second)
			return nil, nil
		}})
		var starts sync.WaitGroup
		ensure := func(gateways ...string) {
			starts.Go(func() {
				if err := k.Ensure(gateways...); err != nil {
					t.Error(err)
				}
			})
		}
		for range 20 {
			ensure("10.0.0.1")
			synctest.Wait()
		}
		starts.Wait()
		if checks != 2 {
			t.Errorf("%d checks for 20 starts, want the first and one for the others", checks)
		}
		for _, gateway := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.1"} {
			ensure(gateway)
			synctest.Wait()
		}
		starts.Wait()
		if checks != 5 {
			t.Errorf("%d checks, want one more for each of three gateways", checks)
		}
	})
}
