package firewall

import (
	"log/slog"
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
