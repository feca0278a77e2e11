package webhook

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"lightd/desired/subscribe"
	"lightd/httpapi/api"
	"lightd/observed/journal"
)

const (
	// saveEvery is how often positions that have changed are recorded. What was delivered since is
	// delivered again after a crash.
	saveEvery = time.Second
	// saveTime bounds one record of the positions.
	saveTime = 5 * time.Second
)

// Positions record how far each webhook is, by its name.
type Positions interface {
	Load() (map[string]uint64, error)
	// Save records positions in place of all that were recorded before.
	Save(ctx context.Context, positions map[string]uint64) error
}

// Sources are what a Deliverer reads, and where it records how far it is.
type Sources struct {
	Journal    Journal
	Containers Containers
	Positions  Positions
}

// Options are the settings of a Deliverer.
type Options struct {
	// Node is the id of the data directory; Agent the User-Agent.
	Node, Agent string
	Log         *slog.Logger
}

// Deliverer delivers the journal to all webhooks, each in a goroutine of its own. Its methods may be
// used by any number of goroutines.
type Deliverer struct {
	hooks     []*hook
	senders   []*sender
	journal   Journal
	positions Positions
	saved     map[string]uint64 // of Run alone
	moved     chan struct{}
	log       *slog.Logger
}

// New returns the deliverer of the webhooks, which CheckAll accepts. A webhook that has no position
// begins behind the newest event.
func New(list []Config, s Sources, o Options) (*Deliverer, error) {
	saved, err := s.Positions.Load()
	if err != nil {
		return nil, err
	}
	d := &Deliverer{journal: s.Journal, positions: s.Positions, saved: saved, moved: make(chan struct{}, 1), log: o.Log}
	newest := s.Journal.LastSeq()
	for _, c := range list {
		position, known := saved[c.Name]
		if !known {
			position = newest
		}
		out := newSender(c, o.Agent)
		h := newHook(c, position, s, o)
		h.send, h.moved = out.send, d.notifyMoved
		d.hooks, d.senders = append(d.hooks, h), append(d.senders, out)
	}
	return d, nil
}

// Webhooks returns the state of each webhook, in the order of the configuration.
func (d *Deliverer) Webhooks() []api.Webhook {
	last := d.journal.LastSeq()
	list := make([]api.Webhook, len(d.hooks))
	for i, h := range d.hooks {
		list[i] = h.view(last)
	}
	return list
}

// Retry has a webhook that fails try its delivery at once, and then with short pauses again. It returns the
// state of the webhook; found is false where there is none of that name.
func (d *Deliverer) Retry(name string) (state api.Webhook, found bool) {
	i := slices.IndexFunc(d.hooks, func(h *hook) bool { return h.Name == name })
	if i < 0 {
		return api.Webhook{}, false
	}
	state = d.hooks[i].view(d.journal.LastSeq())
	d.hooks[i].retry()
	return state, true
}

// Run delivers until ctx ends, and records the positions then.
func (d *Deliverer) Run(ctx context.Context) error {
	d.save(ctx) // the position of a new webhook, before anything is delivered; none of those that are gone
	if len(d.hooks) == 0 {
		return nil
	}
	cancel := d.journal.Subscribe(func(journal.Event) {
		for _, h := range d.hooks {
			h.notify()
		}
	})
	defer cancel()
	var running sync.WaitGroup
	for _, h := range d.hooks {
		running.Go(func() { h.run(ctx) })
	}
	d.saveUntil(ctx)
	running.Wait()
	for _, s := range d.senders {
		s.close()
	}
	d.save(ctx)
	return nil
}

// notifyMoved has the positions recorded soon.
func (d *Deliverer) notifyMoved() {
	subscribe.Wake(d.moved)
}

// saveUntil records the positions that change, until ctx ends.
func (d *Deliverer) saveUntil(ctx context.Context) {
	for {
		select {
		case <-d.moved:
		case <-ctx.Done():
			return
		}
		if !sleep(ctx, saveEvery) {
			return
		}
		if !d.save(ctx) {
			d.notifyMoved()
		}
	}
}

// save records the positions where they differ from what is recorded, also when ctx has ended.
func (d *Deliverer) save(ctx context.Context) bool {
	now := make(map[string]uint64, len(d.hooks))
	for _, h := range d.hooks {
		now[h.Name] = h.position()
	}
	if maps.Equal(now, d.saved) {
		return true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	if err := d.positions.Save(ctx, now); err != nil {
		d.log.Warn("positions of webhooks not recorded: after a restart events are delivered again", "error", err)
		return false
	}
	d.saved = now
	return true
}
