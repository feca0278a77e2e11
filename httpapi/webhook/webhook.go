package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"lightd/desired/kv"
	"lightd/desired/subscribe"
	"lightd/httpapi/api"
	"lightd/httpapi/selector"
	"lightd/observed/journal"
)

// attempts returns the pauses between the attempts of a delivery: from 1 s to 5 min, jitter included.
func attempts() wait.Backoff {
	return wait.Backoff{Duration: time.Second, Cap: 4 * time.Minute, Factor: 2, Jitter: 0.25, Steps: math.MaxInt}
}

// hook delivers the journal to one webhook. State is for any number of goroutines.
type hook struct {
	Config
	node   string
	reader *reader
	send   func(ctx context.Context, delivery string, body []byte) error
	log    *slog.Logger
	// wake has an element when the journal has grown. moved is called when the position has changed.
	wake  chan struct{}
	moved func()
	// again has an element when what has failed is to be tried at once.
	again chan struct{}

	mu    sync.Mutex
	state api.Webhook // guarded by mu; State and Lag are filled in by view
	// waiting is true while a delivery is under way or is repeated.
	waiting bool
}

// newHook returns the hook of a webhook that CheckAll accepts, which goes on after a position.
func newHook(c Config, position uint64, s Sources, o Options) *hook {
	chosen, _ := selector.Parse(c.Selector)
	h := &hook{
		Config: c, node: o.Node, log: o.Log.With("webhook", c.Name), wake: make(chan struct{}, 1), again: make(chan struct{}, 1),
		reader: &reader{journal: s.Journal, containers: s.Containers, types: c.Types, selector: chosen},
		state:  api.Webhook{Name: c.Name, URL: public(c.URL), Events: c.Types, Selector: c.Selector, Position: position},
	}
	if h.state.Events == nil {
		h.state.Events = []journal.Type{}
	}
	return h
}

// notify wakes the hook up, without waiting for it.
func (h *hook) notify() {
	subscribe.Wake(h.wake)
}

// run delivers until ctx ends.
func (h *hook) run(ctx context.Context) {
	reading := attempts()
	for ctx.Err() == nil {
		b, end, err := h.reader.next(h.position())
		if err != nil {
			pause := reading.Step()
			h.failed(err, pause)
			h.pause(ctx, pause)
			continue
		}
		reading = attempts()
		if !b.empty() && !h.deliver(ctx, b) {
			return
		}
		h.passed(b)
		if end {
			h.await(ctx)
		}
	}
}

// await returns when the journal has grown, or ctx has ended.
func (h *hook) await(ctx context.Context) {
	select {
	case <-h.wake:
	case <-ctx.Done():
	}
}

// deliver sends a batch until that succeeds, and reports false where ctx ends before.
func (h *hook) deliver(ctx context.Context, b batch) bool {
	id := kv.NewUUID()
	events := b.events
	if events == nil {
		events = []journal.Event{}
	}
	body, err := json.Marshal(api.Delivery{ID: id, Webhook: h.Name, Node: h.node, Events: events, Missed: b.missed})
	if err != nil { // an event is plain data
		panic(fmt.Sprintf("encode a delivery: %v", err))
	}
	h.begin(b)
	for pauses := attempts(); ; {
		err := h.send(ctx, id, body)
		if ctx.Err() != nil {
			return false // an attempt that was cut off says nothing
		}
		if err == nil {
			h.delivered(b)
			return true
		}
		pause := pauses.Step()
		var answer *statusError
		if errors.As(err, &answer) {
			pause = max(pause, answer.after)
		}
		h.failed(err, pause)
		switch h.pause(ctx, pause) {
		case ended:
			return false
		case retried:
			pauses = attempts()
		}
	}
}

// retry ends the pause after a failure. It does nothing to a hook that does not fail.
func (h *hook) retry() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state.Failures == 0 {
		return
	}
	subscribe.Wake(h.again)
}

// waited is how a pause has ended.
type waited int

const (
	over    waited = iota // by itself
	retried               // by retry
	ended                 // with its context
)

// pause waits for d.
func (h *hook) pause(ctx context.Context, d time.Duration) waited {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return over
	case <-h.again:
		return retried
	case <-ctx.Done():
		return ended
	}
}

// sleep waits for d, and reports false where ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (h *hook) position() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.Position
}

func (h *hook) begin(b batch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting = true
	h.state.Oldest = b.first.Time
}

// failed records a failure; the first one in a row is logged.
func (h *hook) failed(err error, pause time.Duration) {
	now := time.Now().UTC()
	h.mu.Lock()
	h.state.Failures++
	h.state.LastError, h.state.LastErrorAt, h.state.NextAttempt = err.Error(), now, now.Add(pause)
	first := h.state.Failures == 1
	h.mu.Unlock()
	if first {
		h.log.Warn("webhook fails, and is tried again until it succeeds", "error", err)
	}
}

func (h *hook) delivered(b batch) {
	now := time.Now().UTC()
	h.mu.Lock()
	failures := h.state.Failures
	h.state.LastDelivery = now
	if b.missed != nil {
		h.state.Missed += b.missed.Count
	}
	h.mu.Unlock()
	if failures > 0 {
		h.log.Info("webhook succeeds again", "failures", failures)
	}
	if b.missed != nil {
		h.log.Warn("events were dropped from the journal before the webhook got them", "count", b.missed.Count, "first", b.missed.First, "last", b.missed.Last)
	}
}

// passed moves the position behind a batch.
func (h *hook) passed(b batch) {
	h.mu.Lock()
	moved := h.state.Position != b.last
	h.state.Position, h.state.Oldest, h.waiting = b.last, time.Time{}, false
	h.state.Failures, h.state.NextAttempt = 0, time.Time{}
	select {
	case <-h.again: // it came during the attempt that has succeeded
	default:
	}
	h.mu.Unlock()
	if moved {
		h.moved()
	}
}

// view returns the state beside the journal's last number.
func (h *hook) view(last uint64) api.Webhook {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.state
	if last > w.Position {
		w.Lag = last - w.Position
	}
	switch {
	case w.Failures > 0:
		w.State = api.WebhookFailing
	case h.waiting:
		w.State = api.WebhookDelivering
	default:
		w.State = api.WebhookIdle
	}
	return w
}
