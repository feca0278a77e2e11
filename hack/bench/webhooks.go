package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"lightd/desired"
	"lightd/desired/kv"
	"lightd/httpapi/webhook"
	"lightd/observed/journal"
	"lightd/observed/records"
)

const (
	// eventRate is how many events a second happen for eventTime, of so many containers, eventBatch of them in one
	// transaction.
	eventRate  = 10_000
	eventTime  = 10 * time.Second
	eventBatch = 100
	eventsOf   = 500

	// lateTarget is how late the last event may be delivered.
	lateTarget = time.Second
)

// noContainers knows no spec: a webhook without a selector asks for none.
type noContainers struct{}

// Container implements webhook.Containers.
func (noContainers) Container(string) (desired.Container, bool) { return desired.Container{}, false }

// panel is the receiver, which decodes every delivery.
type panel struct {
	mu   sync.Mutex
	next uint64 // the seq that has to come
	late []time.Duration
	bad  error
	sent int // deliveries
}

// ServeHTTP implements http.Handler.
func (p *panel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var delivery struct {
		Events []journal.Event `json:"events"`
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &delivery)
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bad = errors.Join(p.bad, err)
	p.sent++
	for _, e := range delivery.Events {
		if e.Seq != p.next {
			p.bad = errors.Join(p.bad, fmt.Errorf("event %d came where %d was due", e.Seq, p.next))
		}
		p.next = e.Seq + 1
		p.late = append(p.late, now.Sub(e.Time))
	}
	w.WriteHeader(http.StatusNoContent)
}

func (p *panel) received() (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.late), p.bad
}

// measureWebhooks measures how late events are delivered of which there are many: the journal on disk, the deliverer and a
// real HTTP server in this process, as no engine makes so many.
func (l *lab) measureWebhooks(ctx context.Context) (err error) {
	say("%d events a second for %s to a webhook", eventRate, eventTime)
	db, err := kv.Open(filepath.Join(l.dir, "webhooks"), kv.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	j, err := records.OpenJournal(db)
	if err != nil {
		return err
	}
	p := &panel{next: 1}
	server := httptest.NewServer(p)
	defer server.Close()
	d, err := webhook.New([]webhook.Config{{Name: "panel", URL: server.URL, Secret: bearer}}, webhook.Sources{
		Journal: j, Containers: noContainers{}, Positions: records.OpenPositions(db),
	}, webhook.Options{Node: "bench", Agent: "bench", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(running) }()
	defer func() { stop(); err = errors.Join(err, <-ended) }()
	before := heap()
	most, commits, err := l.makeEvents(ctx, db, j, p)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l.report.Add(fmt.Sprintf("%d events/s for %s to a webhook, delivered after", eventRate, eventTime),
		fmt.Sprintf("p50 %s, p99 %s, most %s", ms(median(p.late)), ms(quantile(p.late, 0.99)), ms(quantile(p.late, 1))),
		"most < 1 s", quantile(p.late, 1) < lateTarget, times("lightd", p.late))
	l.report.Note("  deliveries; memory of all above before", fmt.Sprintf("%d; %.0f MB", p.sent, float64(most-before)/(1<<20)))
	l.report.Note(fmt.Sprintf("  a transaction of %d of them", eventBatch), spread(commits), times("commit", commits))
	return nil
}

// makeEvents makes the events at their rate, and returns when all have come, with the most memory that was in use and how
// long the transactions took.
func (l *lab) makeEvents(ctx context.Context, db *kv.DB, j *records.Journal, p *panel) (most int64, commits []time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	total, began := eventRate*int(eventTime/time.Second), time.Now()
	for made := 0; made < total; made += eventBatch {
		if err := sleep(ctx, time.Until(began.Add(time.Duration(made)*time.Second/eventRate))); err != nil {
			return 0, nil, err
		}
		at := time.Now()
		err := db.Update(ctx, func(tx *kv.Tx) error {
			for i := range eventBatch {
				e := journal.Event{InternalID: fmt.Sprintf("server-%d", (made+i)%eventsOf), Type: journal.Running, Generation: 1, Message: "as long as a sentence is"}
				if _, err := j.Append(tx, e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return 0, nil, err
		}
		commits = append(commits, time.Since(at))
		if made%(total/20) == 0 {
			most = max(most, heap())
		}
	}
	for {
		most = max(most, heap())
		switch n, err := p.received(); {
		case err != nil:
			return 0, nil, err
		case n >= total:
			return most, commits, nil
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			n, _ := p.received()
			return 0, nil, fmt.Errorf("wait for %d events, %d have come: %w", total, n, err)
		}
	}
}

// heap is what this process has in use of its heap.
func heap() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}
