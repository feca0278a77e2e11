package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"lightd/desired"
	"lightd/desired/kv"
	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/httpapi/api"
	"lightd/observed/journal"
	"lightd/observed/records"
)

func TestMain(m *testing.M) { eventually.Main(m) }

var must = harness.Must

// containers are the specs that are in force, by id.
type containers map[string]desired.Container

// Container implements Containers.
func (c containers) Container(id string) (desired.Container, bool) {
	found, ok := c[id]
	return found, ok
}

// node is a journal on disk.
type node struct {
	t          testing.TB
	db         *kv.DB
	journal    *records.Journal
	containers containers
}

func newNode(t testing.TB) *node {
	t.Helper()
	db, err := kv.Open(t.TempDir(), kv.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	j, err := records.OpenJournal(db)
	must(t, err)
	return &node{t: t, db: db, journal: j, containers: containers{}}
}

func (n *node) append(events ...journal.Event) {
	n.t.Helper()
	must(n.t, n.db.Update(n.t.Context(), func(tx *kv.Tx) error {
		for _, e := range events {
			if _, err := n.journal.Append(tx, e); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (n *node) deliverer(list ...Config) *Deliverer {
	n.t.Helper()
	_, err := CheckAll(list)
	must(n.t, err)
	d, err := New(list, Sources{Journal: n.journal, Containers: n.containers, Positions: records.OpenPositions(n.db)},
		Options{Node: "node", Agent: "lightd/test", Log: slog.New(slog.DiscardHandler)})
	must(n.t, err)
	return d
}

// run delivers until stop is called.
func (n *node) run(list ...Config) (d *Deliverer, stop func()) {
	n.t.Helper()
	d = n.deliverer(list...)
	return d, n.start(d)
}

func (n *node) start(d *Deliverer) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		must(n.t, <-ended)
	})
	n.t.Cleanup(stop)
	return stop
}

// got is one request to a receiver.
type got struct {
	header http.Header
	body   []byte
	api.Delivery
}

// receiver is a panel.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests []got
}

// newReceiver answers with answer, or 204 where that is nil. answer gets the number of the request.
func newReceiver(t testing.TB, answer func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	p := &receiver{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		g := got{header: r.Header, body: body}
		if err == nil {
			err = json.Unmarshal(body, &g.Delivery)
		}
		if err != nil {
			t.Errorf("request: %v", err)
		}
		p.mu.Lock()
		p.requests = append(p.requests, g)
		n := len(p.requests)
		p.mu.Unlock()
		if answer != nil {
			answer(n, w, r)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *receiver) config(name string) Config {
	return Config{Name: name, URL: p.URL + "/hook?key=hidden", Secret: "0123456789abcdef"}
}

func (p *receiver) all() []got {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]got(nil), p.requests...)
}

// seqs returns the numbers of the events of all requests, in order.
func (p *receiver) seqs() (list []uint64) {
	for _, g := range p.all() {
		for _, e := range g.Events {
			list = append(list, e.Seq)
		}
	}
	return list
}

func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	eventually.Poll(t, func() error {
		if !done() {
			return errors.New("not yet: " + what)
		}
		return nil
	})
}
