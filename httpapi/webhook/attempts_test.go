package webhook

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lightd/httpapi/api"
	"lightd/observed/journal"
)

// list is a journal in memory: the one on disk has goroutines that simulated time does not know.
type list []journal.Event

// Page implements Journal.
func (l list) Page(_ string, after uint64, _ int) ([]journal.Event, uint64, error) {
	return l[after:], l.LastSeq(), nil
}

// Subscribe implements Journal.
func (l list) Subscribe(func(journal.Event)) func() { return func() {} }

// LastSeq implements Journal.
func (l list) LastSeq() uint64 { return uint64(len(l)) }

// pauses returns those between the first attempts of a delivery that fails with err.
func pauses(t *testing.T, attempts int, err error) (list_ []time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h := newHook(Config{Name: "panel", URL: "https://panel/"}, 0,
			Sources{Journal: list{{Seq: 1}}}, Options{Log: slog.New(slog.DiscardHandler)})
		h.moved = func() {}
		last := time.Now()
		h.send = func(context.Context, string, []byte) error {
			list_ = append(list_, time.Since(last))
			if last = time.Now(); len(list_) > attempts {
				cancel()
			}
			return err
		}
		h.run(ctx)
	})
	return list_[1:]
}

// TestPauses: from a second to five minutes, and never the end of patience.
func TestPauses(t *testing.T) {
	least := time.Second
	for i, pause := range pauses(t, 200, errors.New("no")) {
		if pause < least || pause > least*5/4 || pause > 5*time.Minute {
			t.Errorf("pause %d is %s, not %s and a quarter of it at most", i+1, pause, least)
		}
		least = min(2*least, 4*time.Minute)
	}
}

// TestRetry ends a pause, and begins with short ones again. A hook that does not fail is left alone.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h := newHook(Config{Name: "panel", URL: "https://panel/"}, 0, Sources{Journal: list{{Seq: 1}}}, Options{Log: slog.New(slog.DiscardHandler)})
		h.moved = func() {}
		var mu sync.Mutex
		var sent []time.Time // guarded by mu, as err is
		err := errors.New("no")
		h.send = func(context.Context, string, []byte) error {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, time.Now())
			return err
		}
		attempted := func() []time.Time {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(sent)
		}
		h.retry() // before anything has failed
		done := make(chan struct{})
		go func() { h.run(ctx); close(done) }()
		time.Sleep(400 * time.Second) // amid a pause of four minutes or more
		before := len(attempted())
		at := time.Now()
		h.retry()
		if got := attempted(); len(got) != before+1 || !got[before].Equal(at) {
			t.Fatalf("attempts at %v, retry at %v", got, at)
		}
		time.Sleep(1250 * time.Millisecond)
		if got := attempted(); len(got) != before+2 || got[before+1].Sub(at) < time.Second {
			t.Errorf("the attempt after it came %v after it", got[before+1:])
		}
		mu.Lock()
		err = nil
		mu.Unlock()
		h.retry()
		synctest.Wait()
		if w := h.view(1); w.State != api.WebhookIdle || w.Position != 1 {
			t.Errorf("%+v", w)
		}
		h.retry()
		if len(h.again) != 0 {
			t.Error("a hook that does not fail keeps a retry for later")
		}
		cancel()
		<-done
	})
}

// TestRetryAfterIsObeyed where it is longer than the pause that is due.
func TestRetryAfterIsObeyed(t *testing.T) {
	for i, pause := range pauses(t, 3, &statusError{code: 429, after: 30 * time.Second}) {
		if pause != 30*time.Second {
			t.Errorf("pause %d is %s", i+1, pause)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		code int
		text string
		want time.Duration
	}{
		{429, "30", 30 * time.Second}, {503, "30", 30 * time.Second}, {500, "30", 0}, {200, "30", 0},
		{429, "", 0}, {429, "-1", 0}, {429, "soon", 0}, {429, "1.5", 0}, {429, "0", 0},
		{429, "99999", time.Hour}, {429, "99999999999999999999", 0},
		{503, "Fri, 02 Jan 2026 03:05:05 GMT", time.Minute}, {503, "Fri, 02 Jan 2026 03:03:05 GMT", 0},
		{503, "Fri, 02 Jan 2099 03:03:05 GMT", time.Hour},
	}
	for _, test := range tests {
		answer := &http.Response{StatusCode: test.code, Header: http.Header{"Retry-After": {test.text}}}
		if got := retryAfter(answer, now); got != test.want {
			t.Errorf("%d with %q: %s, not %s", test.code, test.text, got, test.want)
		}
	}
}

// FuzzRetryAfter: no text of a receiver makes a pause of less than nothing or more than an hour.
func FuzzRetryAfter(f *testing.F) {
	f.Add("30")
	f.Add("Fri, 02 Jan 2026 03:05:05 GMT")
	f.Fuzz(func(t *testing.T, text string) {
		answer := &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {text}}}
		if got := retryAfter(answer, time.Now()); got < 0 || got > maxRetryAfter {
			t.Errorf("%q: %s", text, got)
		}
	})
}
